"""Where the cores go in a fleet."""

import time
from pathlib import Path

from benchmarks.fleet import Row
from benchmarks.footage import Footage, drawn, write_video
from benchmarks.shortfall import Parts, clocked, parts
from edge_agent.model import ModelCard
from edge_agent.video import Video, read_clip
from tests.benchmarks.test_fleet import Sees


def _clip(folder: Path) -> Path:
    path, pictures = folder / "clip.mp4", drawn((640, 360))
    write_video(path, (next(pictures) for _ in range(100)), Footage(360))
    return path


def test_the_clock_counts_what_decoders_take_and_lets_go_of_them(tmp_path: Path) -> None:
    clip, plain = _clip(tmp_path), Video.decode
    began_s = time.thread_time()
    with clocked() as decoders:
        assert len(list(read_clip(clip))) == 100
    assert 0 < decoders.spent_s < time.thread_time() - began_s
    assert Video.decode is plain


def test_parts_of_a_fleet_are_all_told(card: ModelCard, tmp_path: Path) -> None:
    found: Parts = parts(Row(360, 2), 1, _clip(tmp_path), Sees(card), 2.0)
    assert found.decoder_ms > 0
    assert found.around_ms > 0
    assert found.look_ms > 0
    assert 0 < found.idle < 100
