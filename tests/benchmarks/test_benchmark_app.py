"""What OpenVINO's benchmark_app says is read, and what it does not say is told."""

from pathlib import Path

import pytest

from benchmarks.benchmark_app import frames_per_s
from benchmarks.peers import PeerError
from edge_agent.model import load_card
from edge_agent.runtimes import Choice

MODEL = Path(__file__).parents[2] / "models" / "gridwatch-n"
WAY = Choice("openvino", "cpu", "f32", 2, 1)


def stand_in(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "benchmark_app"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return path


def test_its_throughput_is_read_and_it_is_asked_for_our_way(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    app = stand_in(tmp_path, f'echo "$@" > {asked}; echo "[ INFO ] Throughput:   91.71 FPS"')
    file = load_card(MODEL).files[0]
    assert frames_per_s(app, MODEL / file.path, file, WAY, 2.0) == 91.71
    said = asked.read_text("utf-8")
    assert f"-shape [1,{file.height},{file.width},3]" in said
    assert "-nstreams 2 -nthreads 2 -infer_precision f32 -t 2" in said


def test_what_it_says_instead_is_told(tmp_path: Path) -> None:
    app = stand_in(tmp_path, "echo 'no such device' >&2; exit 3")
    file = load_card(MODEL).files[0]
    with pytest.raises(PeerError, match="ended with 3 and said: no such device"):
        frames_per_s(app, MODEL / file.path, file, WAY, 1.0)
