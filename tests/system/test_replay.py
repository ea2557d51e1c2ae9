"""`edge-agent replay` and `detect` as a user runs them, with the shipped model."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.events import evaluate
from benchmarks.report_lines import DEFAULT_CAMERA, read_reports
from benchmarks.truth import load_truth

pytestmark = pytest.mark.system


def edge_agent(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip


def replay(clip: Path, out: Path) -> bytes:
    done = edge_agent("replay", clip, "--camera", DEFAULT_CAMERA, "--reports", out)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


def test_a_clip_replayed_twice_gives_the_same_bytes(
    shared: Path, model: Path, tmp_path: Path
) -> None:
    clip = shared / "clips" / "dev" / "dev1_cam81_vendor.mp4"
    first = replay(clip, tmp_path / "1.jsonl")
    assert first
    assert first == replay(clip, tmp_path / "2.jsonl")
    result = evaluate(load_truth(clip.with_suffix(".json")), read_reports(tmp_path / "1.jsonl"))
    assert result.events[0].raised_s is not None
    assert not result.false_issues


def test_nothing_is_raised_on_the_quiet_clip(shared: Path, model: Path, tmp_path: Path) -> None:
    clip = shared / "clips" / "dev" / "dev5_cam81_quiet.mp4"
    assert replay(clip, tmp_path / "out.jsonl") == b""


def test_detect_writes_coco_results(shared: Path, model: Path, tmp_path: Path) -> None:
    pictures = sorted((shared / "data" / "images" / "val").glob("*.webp"))[:3]
    out = tmp_path / "predictions.json"
    done = edge_agent("detect", *pictures, "--out", out)
    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())
    assert {result["image_id"] for result in results} <= {path.name for path in pictures}
    assert all(result["score"] >= 0.01 for result in results)


@pytest.mark.parametrize("content", [b"noise" * 1000, b"", None], ids=["noise", "empty", "missing"])
def test_a_clip_that_cannot_be_read_is_one_clear_line(
    tmp_path: Path, model: Path, content: bytes | None
) -> None:
    clip = tmp_path / "clip.mp4"
    if content is not None:
        clip.write_bytes(content)
    done = edge_agent("replay", clip, "--camera", DEFAULT_CAMERA, "--reports", tmp_path / "o")
    assert_one_clear_line(done, "clip.mp4")


def test_a_model_whose_bytes_were_changed_is_one_clear_line(tmp_path: Path, model: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    for path in copy.glob("*.onnx"):
        path.write_bytes(path.read_bytes() + b" ")
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.zeros((64, 64, 3), np.uint8))
    done = edge_agent("detect", picture, "--model", copy, "--out", tmp_path / "out.json")
    assert_one_clear_line(done, "its sha256 is")


def assert_one_clear_line(done: subprocess.CompletedProcess[str], complaint: str) -> None:
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
