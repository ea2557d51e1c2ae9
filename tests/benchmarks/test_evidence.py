"""The cost of evidence is measured on real packets, stills and clips."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks import evidence as evidence_module
from benchmarks.evidence import measure, summary
from benchmarks.footage import Footage, write_video
from edge_agent.detections import Detections
from edge_agent.frames import Picture
from edge_agent.model import default_folder


class Nobody:
    """A detector that finds nothing, at once."""

    def __init__(self, _model: Path, *, threads: int) -> None:
        self.card = type("Card", (), {"name": f"none-{threads}"})

    def detect(self, _picture: Picture, _tiles: tuple[int, int]) -> Detections:
        return Detections.empty()


def test_every_part_is_measured_and_what_was_made_is_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, "Detector", Nobody)
    street = (np.full((360, 640, 3), 60 + n % 60, np.uint8) for n in range(300))
    write_video(tmp_path / "a.mp4", street, Footage(360))
    made: list[bytes] = []
    clip = evidence_module._clip
    monkeypatch.setattr(evidence_module, "_clip", lambda *how: made.append(clip(*how)) or made[-1])
    figures = summary(measure(tmp_path / "a.mp4", default_folder(), 1))
    assert (
        0 <= figures["kept_packets"]["core_share"] < figures["kept_packets"]["decoding_core_share"]
    )
    assert figures["kept_packets"]["ring_bytes"] > 1000
    assert len(figures["still"]["bytes"]) == 2
    with av.open(io.BytesIO(made[0])) as container:
        assert 38 <= sum(1 for _ in container.decode(video=0)) <= 42
