"""Every fault that `check` must find, each with its reason."""

import hashlib
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from edge_agent import check as check_module
from edge_agent.check import Finding, check_agent, check_cameras, check_rules, print_findings
from edge_agent.config import load_camera
from edge_agent.model import ModelCard
from edge_agent.video import Timeouts
from tests.edge_agent.signing import sign

QUICK = Timeouts(open_s=3, read_s=3)
EXAMPLES = Path(__file__).parents[2] / "camera_configs"
MakeClip = Callable[..., Path]


@pytest.fixture
def model(tmp_path: Path, card: ModelCard) -> Path:
    """A model folder whose only file has the hash of its card."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "t.onnx").write_bytes(b"network")
    content = card.model_dump(mode="json", by_alias=True)
    content["files"][0]["sha256"] = hashlib.sha256(b"network").hexdigest()
    (folder / "card.yaml").write_text(yaml.safe_dump(content))
    sign(folder)
    return folder


@pytest.fixture
def centre(monkeypatch: pytest.MonkeyPatch) -> None:
    """A centre that answers; what it may answer is test_uploader's matter."""
    monkeypatch.setattr(check_module, "try_centre", lambda _centre: None)


class Files:
    def __init__(self, folder: Path, model: Path, port: int) -> None:
        self.folder = folder
        self.agent: dict[str, Any] = {
            "agent": {"city": "demo", "id": "gw-01"},
            "cameras": ["cam-*.yaml"],
            "model": str(model),
            "model_keys": [str(model / "signer.pub")],
            "broker": {"port": port},
        }

    def camera(self, name: str, url: str | None, **more: Any) -> Path:
        streams = {} if url is None else {"streams": {"detect": {"url": url}}}
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"camera": {"id": name}} | streams | more))
        return path

    def check(self) -> dict[str, Finding]:
        path = self.folder / "agent.yaml"
        path.write_text(yaml.safe_dump(self.agent))
        return {finding.part.split(" ", 1)[1]: finding for finding in check_agent(path, QUICK)}


@pytest.fixture
def files(tmp_path: Path, model: Path, mosquitto: Any) -> Files:
    return Files(tmp_path, model, mosquitto.port)


def faults(findings: dict[str, Finding]) -> dict[str, str]:
    return {part: finding.detail for part, finding in findings.items() if not finding.ok}


@pytest.mark.usefixtures("centre")
def test_an_agent_that_can_run_has_no_fault(files: Files, clip: MakeClip) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    files.camera("cam-02", None)
    findings = files.check()
    assert faults(findings) == {}
    assert "h264 160×96" in findings["camera cam-01"].detail
    assert "no streams" in findings["camera cam-02"].detail
    assert {"agent file", "model", "grid", "disk", "broker", "centre"} <= set(findings)


def test_everything_that_is_away_is_named_at_once(
    files: Files, mosquitto: Any, tmp_path: Path
) -> None:
    mosquitto.kill()
    (tmp_path / "page.mp4").write_text("<html>" * 1000)
    files.camera("cam-01", "rtsp://admin:hunter2@127.0.0.1:1/x")
    files.camera("cam-02", "missing.mp4")
    files.camera("cam-03", "page.mp4")
    files.agent["centre"] = {"url": "http://127.0.0.1:1"}
    files.agent["grid"] = "no-grid.geojson"
    found = faults(files.check())
    assert set(found) == {
        "camera cam-01", "camera cam-02", "camera cam-03", "broker", "centre", "grid",
    }  # fmt: skip
    assert "Connection refused" in found["camera cam-01"]
    assert "missing.mp4" in found["camera cam-02"]
    assert "not video" in found["camera cam-03"]
    assert "no-grid.geojson" in found["grid"]
    assert "hunter2" not in str(found)


@pytest.mark.usefixtures("centre")
def test_a_changed_model_file_is_a_fault(files: Files, model: Path) -> None:
    (model / "t.onnx").write_bytes(b"another network")
    files.camera("cam-01", None)
    assert "t.onnx" in faults(files.check())["model"]


@pytest.mark.usefixtures("centre")
def test_a_wrong_key_in_a_camera_file_is_named_with_its_line(files: Files) -> None:
    files.camera("cam-01", None, zonse=[])
    detail = faults(files.check())["camera files"]
    assert "cam-01.yaml" in detail
    assert "did you mean 'zones'?" in detail


@pytest.mark.usefixtures("centre")
def test_a_secret_that_is_not_set_is_a_fault_of_that_camera(files: Files) -> None:
    files.camera("cam-01", "${secret:NO_SUCH_CAMERA}")
    assert "secret NO_SUCH_CAMERA is not set" in faults(files.check())["camera cam-01"]


def test_a_bad_agent_file_is_the_only_finding(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("agent: {city: demo, id: gw-01}\ncamera: []\nmodel: m\n")
    (finding,) = check_agent(path, QUICK)
    assert not finding.ok
    assert "agent.yaml:2" in finding.detail


def test_camera_files_are_checked_on_their_own(files: Files, clip: MakeClip) -> None:
    clip("street.mp4")
    good = files.camera("cam-01", "street.mp4")
    bad = files.camera("cam-02", None, rules={"street_vendor": {"seen_m": 9, "of_n": 8}})
    findings = {f.part.split(" ", 1)[1]: f for f in check_cameras([good, bad], QUICK)}
    assert list(faults(findings)) == ["camera file cam-02.yaml"]
    assert findings["camera cam-01"].ok


def test_ground_points_on_a_line_are_a_fault_of_that_camera(files: Files) -> None:
    points = [{"xyn": [n / 10, n / 10], "lonlat": [117.36 + n / 1e4, 32.93]} for n in range(4)]
    path = files.camera("cam-01", None, place={"points": points})
    (finding,) = check_cameras([path], QUICK)
    assert not finding.ok
    assert "line" in finding.detail


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("example-*.yaml")), ids=lambda p: p.stem)
def test_an_example_site_passes(path: Path) -> None:
    config = load_camera(path)
    check_rules(config)
    assert config.streams is not None


def test_there_are_example_sites() -> None:
    assert len(list(EXAMPLES.glob("example-*.yaml"))) >= 3


def test_the_table_says_in_both_languages_what_is_wrong() -> None:
    out = StringIO()
    console = Console(file=out, width=120)
    good = Finding("模型 model", ok=True, detail="fine")
    bad = Finding("消息服务器 broker", ok=False, detail="refused")
    assert print_findings([good], console)
    assert not print_findings([good, bad], console)
    assert "故障 FAULT" in out.getvalue()
    assert "正常 ok" in out.getvalue()
    assert "refused" in out.getvalue()
