"""Cameras are counted only when they kept their interval."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fleet import Fleet, Row, Window, largest
from benchmarks.footage import Footage, drawn, write_video
from edge_agent.detections import Detections
from edge_agent.detector import WHOLE, Job
from edge_agent.frames import Picture
from edge_agent.model import ModelCard
from edge_agent.runtimes import Choice


@given(capacity=st.integers(0, 200), guess=st.integers(1, 220))
def test_the_search_ends_near_the_capacity(capacity: int, guess: int) -> None:
    found, tried = largest(lambda number: number <= capacity, guess)
    step = max(1, round(guess / 12))
    assert found <= capacity
    assert capacity - found <= (step + 1) // 2 or found == 0
    assert len(tried) < 400


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"kept_share": 0.9}, False),
        ({"worst_kept_share": 0.8}, False),  # one camera starved
        ({"decoded_share": 0.9}, False),  # the decoder fell behind
        ({"p95_ms": 501.0}, False),
    ],
)
def test_a_window_holds_when_every_camera_got_its_looks_in_time(
    change: dict[str, float], *, holds: bool
) -> None:
    good = {
        "cameras": 3, "seconds": 8.0, "kept_share": 1.0, "worst_kept_share": 0.97, "p95_ms": 80.0,
        "median_ms": 30.0, "decoded_share": 1.0, "cameras_s": 4.0, "decoders_s": 0.0,
        "looks_s": 4.0,
    }  # fmt: skip
    assert Window(**(good | change)).holds is holds  # type: ignore[arg-type]


class Sees:
    """A detector that costs nothing."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.choice = Choice(streams=2)

    def detect(self, picture: Picture, tiles: tuple[int, int] = WHOLE) -> Detections:
        return self.detect_many([(picture, tiles)])[0]

    def detect_many(self, jobs: Sequence[Job]) -> list[Detections]:
        return [Detections.empty() for _ in jobs]


def test_a_small_fleet_keeps_its_interval(
    card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.fleet.WARM_S", 0.5)
    clip = tmp_path / "clip.mp4"
    pictures = drawn((640, 360))
    write_video(clip, (next(pictures) for _ in range(200)), Footage(360))
    window = Fleet(Row(360, 2), clip, Sees(card), 2).run(3.0)
    assert window.cameras == 2
    assert window.kept_share > 0.6
    assert window.p95_ms < 500
    assert 0 < window.cameras_s < 2 * 3.0
    assert window.looks_s > 0
