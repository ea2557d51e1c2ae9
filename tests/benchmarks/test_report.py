"""One page tells all results, with what was missed and what disturbed them."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import ReportError, write

MACHINE = {
    "processor": "a <fast> processor", "cores": 2, "system": "Linux", "commit": "abc1234",
    "measured_at": "2026-01-01", "flags": ["avx2"],
}  # fmt: skip


def figure(value: float) -> dict[str, Any]:
    return {"median": value, "low": value - 1, "high": value + 1, "rounds": [value]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    detector = {
        "benchmark": "detector", "question": "how fast?", "machine": MACHINE,
        "figures": {"lean a": figure(90), "ultralytics onnx 640": figure(30)}, "ratios": {},
        "floors": [
            {"name": "lean / ultralytics", "bound": "at least 4", "reached": 3.0, "held": False},
            {"name": "amx", "bound": "at least 9", "reached": None, "held": None},
        ],
        "other_load": {"worst": 0.4, "disturbed": True},
    }  # fmt: skip
    soak = {
        "benchmark": "soak", "question": "flat?", "machine": MACHINE, "ratios": {},
        "figures": {"memory growth, %": {"median": 0.3}},
        "samples": {"at_s": [5, 10], "memory_mb": [200.0, 201.0], "threads": [30, 30]},
    }  # fmt: skip
    for body in (detector, soak):
        (tmp_path / f"{body['benchmark']}.json").write_text(json.dumps(body))
    (tmp_path / "other.json").write_text('{"summary": 1}')
    return tmp_path


def test_the_page_has_every_result_what_was_missed_and_what_disturbed_it(folder: Path) -> None:
    text = write(folder).read_text()
    assert text.index("<h2>detector") < text.index("<h2>soak")
    assert "未达到 missed" in text
    assert "不适用 n/a" in text
    assert "others used up to 40 % meanwhile" in text
    assert "a &lt;fast&gt; processor" in text


def test_plots_lie_beside_the_page(folder: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the training extra")
    text = write(folder).read_text()
    for name in ("detector.png", "soak.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
        assert f"src='{name}'" in text


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no result in it"):
        write(tmp_path)
