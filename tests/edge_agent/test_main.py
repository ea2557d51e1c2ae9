"""The command line as a user types it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import paho.mqtt.client as paho
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from contract.catalogue import Category
from contract.messages import Command, CommandKind, CommandResult, encode
from contract.topics import AgentAddress, Leaf
from edge_agent import __main__ as command_line
from edge_agent.command_book import CommandBook
from edge_agent.errors import ConfigError
from edge_agent.suppressions import Suppression

ROOT = Path(__file__).parents[2]
ADDRESS = AgentAddress("demo", "gw-01")

# A run needs a model; this one has a detector that sees nothing.
RUN = """
import sys, types
from edge_agent import app
from edge_agent.__main__ import main
from edge_agent.detections import Detections
from edge_agent.model import ModelCard
from edge_agent.runtimes import Choice
card = ModelCard.model_validate_json(sys.argv.pop(1))
nothing = types.SimpleNamespace(
    card=card, choice=Choice(), detect=lambda picture, tiles: Detections.empty(),
    detect_many=lambda jobs: [Detections.empty() for _ in jobs],
)
app.detector_of = lambda config: nothing
main()
"""


def edge_agent(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        "CAM01": "rtsp://a:hunter2@127.0.0.1:1/x",
    }
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", *arguments],
        capture_output=True, text=True, check=False, cwd=folder, env=environment,
    )  # fmt: skip


def assert_one_clear_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr


def test_help_names_every_command_in_both_languages() -> None:
    done = edge_agent("--help")
    assert done.returncode == 0
    for word in ("run", "check", "replay", "detect", "运行代理", "Run the agent"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--config", "missing.yaml"), ("missing.yaml", "cannot be read")),
        (("check",), ("--config", "--camera")),
        (
            ("replay", "x.mp4", "--camera", "missing.yaml", "--reports", "r.jsonl"),
            ("missing.yaml",),
        ),
        (
            ("replay", "x", "--camera", "c", "--reports", "r", "--start", "yesterday"),
            ("--start 'yesterday'",),
        ),
        (("detect", "x.jpg", "--model", "no-model", "--out", "o.json"), ("no-model",)),
    ],
)
def test_a_fault_is_one_line_and_status_1(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_one_clear_line(edge_agent(*arguments, folder=tmp_path), *words)


def test_check_prints_a_table_and_fails_without_showing_a_password(tmp_path: Path) -> None:
    camera = tmp_path / "cam.yaml"
    camera.write_text('camera: {id: cam-01}\nstreams: {detect: {url: "${secret:CAM01}"}}\n')
    done = edge_agent("check", "--camera", str(camera))
    assert done.returncode == 1
    assert "故障 FAULT" in done.stdout
    assert "Connection refused" in done.stdout
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_agent_stops_within_two_seconds(
    tmp_path: Path, card: Any, clip: Callable[..., Path], mosquitto: Any, number: signal.Signals
) -> None:
    clip("street.mp4")
    (tmp_path / "cam-1.yaml").write_text(
        "camera: {id: cam-1}\nstreams: {detect: {url: street.mp4, loop: true}}\n"
    )
    agent = {
        "agent": {"city": "demo", "id": "gw-01"}, "cameras": ["cam-*.yaml"], "model": "none",
        "broker": {"port": mosquitto.port}, "metrics": {"port": 0},
    }  # fmt: skip
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump(agent))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, card.model_dump_json(by_alias=True), "run", "--config",
         str(tmp_path / "agent.yaml")],
        stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "camera cam-1: ok" in line:
            break
    began_s = time.monotonic()
    process.send_signal(number)
    rest = process.communicate(timeout=30)[1]
    assert time.monotonic() - began_s < 2.5
    assert process.returncode == 0, rest
    assert "agent gw-01 stopped" in rest


def test_an_agent_runs_for_the_seconds_it_is_given(
    tmp_path: Path, card: Any, clip: Callable[..., Path]
) -> None:
    clip("street.mp4")
    (tmp_path / "cam-1.yaml").write_text(
        "camera: {id: cam-1}\nstreams: {detect: {url: street.mp4, loop: true}}\n"
    )
    agent = {
        "agent": {"city": "demo", "id": "gw-01"}, "cameras": ["cam-*.yaml"], "model": "none",
        "broker": {"port": 1}, "metrics": {"port": 0},
    }  # fmt: skip
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump(agent))
    done = subprocess.run(
        [sys.executable, "-c", RUN, card.model_dump_json(by_alias=True), "run", "--config",
         str(tmp_path / "agent.yaml"), "--seconds", "1"],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "agent gw-01 stopped" in done.stderr


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-07-01T08:00:00Z", "2026-07-01T08:00:00+00:00"),
        ("2026-07-01T08:00:00+08:00", "2026-07-01T00:00:00+00:00"),
        ("2026-07-01T08:00:00", "2026-07-01T08:00:00+00:00"),
    ],
)
def test_a_start_without_zone_is_utc(text: str, utc: str) -> None:
    assert command_line._utc(text).isoformat() == utc


def test_a_start_that_is_no_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="noon"):
        command_line._utc("noon")


def test_a_reload_starts_the_same_process_with_the_new_files_and_is_answered(
    tmp_path: Path, card: Any, clip: Callable[..., Path], mosquitto: Any, until: Callable[..., None]
) -> None:
    clip("street.mp4")
    camera = "camera: {id: cam-%d}\nstreams: {detect: {url: street.mp4, loop: true}}\n"
    (tmp_path / "cam-1.yaml").write_text(camera % 1)
    agent = {
        "agent": {"city": "demo", "id": "gw-01"}, "cameras": ["cam-*.yaml"], "model": "none",
        "broker": {"port": mosquitto.port}, "metrics": {"port": 0},
    }  # fmt: skip
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump(agent))
    heard: list[dict[str, Any]] = []
    centre = paho.Client(CallbackAPIVersion.VERSION2, "centre", protocol=paho.MQTTv5)
    centre.on_message = lambda _c, _u, message: heard.append(json.loads(message.payload))
    centre.connect("127.0.0.1", mosquitto.port)
    centre.loop_start()
    for leaf in (Leaf.STATUS, Leaf.RESULT):
        centre.subscribe(ADDRESS.topic(leaf), 1)
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, card.model_dump_json(by_alias=True), "run", "--config",
         str(tmp_path / "agent.yaml")],
        stderr=log, cwd=ROOT,
    )  # fmt: skip

    def online(*cameras: str) -> bool:
        return any(
            said.get("state") == "online" and said["cameras"] == list(cameras) for said in heard
        )

    def told(ok: bool) -> bool:  # noqa: FBT001 - what the answer says
        return any(said.get("ok") is ok for said in heard)

    def reload() -> None:
        now = datetime.now(UTC)
        command = Command(
            command_id=uuid4(), kind=CommandKind.RELOAD, issued_at=now,
            expires_at=now + timedelta(minutes=5),
        )  # fmt: skip
        centre.publish(ADDRESS.topic(Leaf.COMMAND), encode(command), qos=1)

    until(lambda: online("cam-1"), "the agent", 60)
    (tmp_path / "cam-2.yaml").write_text("camera: {id: cam-2, speed: 9}\n")
    reload()
    until(lambda: told(ok=False), "a no")
    assert "cam-2.yaml:1" in next(said["detail"] for said in heard if said.get("ok") is False)
    (tmp_path / "cam-2.yaml").write_text(camera % 2)
    reload()
    until(lambda: told(ok=True) and online("cam-1", "cam-2"), "a yes and both cameras", 60)
    assert process.poll() is None
    process.terminate()
    assert process.wait(30) == 0
    centre.disconnect()
    centre.loop_stop()
    log.close()


def test_suppressions_are_listed_beside_a_running_agent(tmp_path: Path) -> None:
    agent = {"agent": {"city": "demo", "id": "gw"}, "cameras": ["*"], "model": "none"}
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump(agent))
    assert_one_clear_line(
        edge_agent("suppressions", "--config", str(tmp_path / "agent.yaml")), "agent.db"
    )
    book = CommandBook(tmp_path / "state")
    now = datetime.now(UTC)
    box = (0.1, 0.2, 0.3, 0.4)
    until = now + timedelta(days=1)
    held = Suppression(UUID(int=5), "cam-01", Category.STREET_VENDOR, box, 2.0, until)
    answer = CommandResult(agent_id="gw", command_id=UUID(int=5), done_at=now, ok=True)
    book.suppress(held, answer)
    done = edge_agent("suppressions", "--config", str(tmp_path / "agent.yaml"))
    assert done.returncode == 0, done.stderr
    assert "cam-01  占道经营 street_vendor  [0.100, 0.200, 0.300, 0.400]  2 m" in done.stdout
    assert str(UUID(int=5)) in done.stdout
    book.close()
