"""The still shows the object in full size, at the moment when least of it is masked."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from contract.catalogue import Category, Family
from contract.messages import Phase, Severity
from edge_agent.clock import Instant, ReplayClock
from edge_agent.config import CameraConfig
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.frames import ArrayPicture, Frame, Picture
from edge_agent.issues import Tally, Transition
from edge_agent.looks import Look
from edge_agent.masking import FILL_RGB
from edge_agent.packet_ring import PacketRing
from edge_agent.video import DEFAULT_TIMEOUTS, Video, kept
from edge_agent.witness import Witness, clip_source

CLOCK = ReplayClock(datetime(2026, 7, 1, tzinfo=UTC))
CART = (0.4, 0.4, 0.6, 0.8)
RIDER = (0.4, 0.1, 0.5, 0.8)
RAISED = Transition(
    phase=Phase.RAISED, reason=None, reopened=False, issue_id=UUID(int=7), revision=1,
    family=Family.VENDOR, category=Category.STREET_VENDOR, severity=Severity.NORMAL,
    first_seen_at=CLOCK.at(0).utc, last_seen_at=CLOCK.at(6).utc, captured_at=CLOCK.at(6).utc,
    box_xyxyn=CART, score=0.9, support=Tally(10, 10, 6.0),
)  # fmt: skip


def at(seconds: float) -> Instant:
    return CLOCK.at(seconds)


def found(*seen: tuple[str, tuple[float, float, float, float]]) -> Detections:
    return Detections(
        np.array([box for _, box in seen], np.float32).reshape(-1, 4),
        np.full(len(seen), 0.9, np.float32),
        np.array([CLASS_INDEX[name] for name, _ in seen], np.int64),
    )


def look(seconds: float, *seen: tuple[str, tuple[float, float, float, float]]) -> Look:
    small = ArrayPicture(np.full((90, 160, 3), (40, 160, 60), np.uint8))
    return Look(Frame("cam-01", at(seconds), small), frozenset(Category), found(*seen))


def nobody(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    return Detections.empty()


def full_size_ring(clip: Any) -> PacketRing:
    """Seven seconds of a larger stream, brighter from frame to frame."""
    ring = PacketRing(60, 10_000_000)
    path: Path = clip(frames=175, size=(640, 360), keyframe_every=25)
    with Video(str(path), "clip", "tcp", DEFAULT_TIMEOUTS) as video:
        ring.begin(video.format)
        for packet in video.packets():
            ring.add(kept(packet, at(video.seconds(packet.pts) or 0.0)))
    return ring


def watched(witness: Witness, *, rider_at: set[int]) -> Look:
    for tick in range(7):
        rider = [("vehicle", RIDER)] if tick in rider_at else []
        newest = look(tick, ("street_vendor", CART), *rider)
        witness.remember(newest)
    return newest


def test_the_still_is_of_the_clearest_moment_in_full_size(clip: Any) -> None:
    witness = Witness(nobody, full_size_ring(clip))
    newest = watched(witness, rider_at={0, 4, 6})
    then, still = witness.shot(newest).still(RAISED)
    assert then.monotonic_s == 2
    assert still.array.shape == (360, 640, 3)


def test_moments_next_to_a_rider_are_not_taken(clip: Any) -> None:
    witness = Witness(nobody, full_size_ring(clip))
    newest = watched(witness, rider_at={0, 4, 5, 6})
    then, still = witness.shot(newest).still(RAISED)
    assert then.monotonic_s == 2
    assert not (still.array == FILL_RGB).all(axis=2).any()


def test_people_around_the_moment_stay_masked_and_a_closer_look_adds_to_them(clip: Any) -> None:
    def closely(picture: Picture, tiles: tuple[int, int]) -> Detections:
        assert (picture.width, tiles) == (640, (2, 2))
        return found(("person", (0.8, 0.1, 0.9, 0.9)))

    witness = Witness(closely, full_size_ring(clip))
    for tick in range(7):
        passing = [("person", (0.05, 0.1, 0.15, 0.9))] if tick == 4 else []
        newest = look(tick, ("street_vendor", CART), *passing)
        witness.remember(newest)
    then, still = witness.shot(newest).still(RAISED)
    assert then.monotonic_s == 5
    assert (still.array[60, 64] == FILL_RGB).all()
    assert (still.array[60, 544] == FILL_RGB).all()


def test_a_cleared_place_is_shown_after_it_was_last_seen(clip: Any) -> None:
    witness = Witness(nobody, full_size_ring(clip))
    for tick in range(7):
        newest = look(tick, *([("street_vendor", CART)] if tick < 3 else []))
        witness.remember(newest)
    cleared = replace(RAISED, phase=Phase.CLEARED, last_seen_at=at(2.5).utc)
    assert witness.shot(newest).still(cleared)[0].monotonic_s == 5


@pytest.mark.parametrize("ring", [None, PacketRing(10, 1_000)])
def test_without_packets_the_looks_own_picture_is_masked(ring: PacketRing | None) -> None:
    witness = Witness(nobody, ring)
    newest = look(6, ("street_vendor", CART), ("person", (0.1, 0.1, 0.2, 0.9)))
    witness.remember(newest)
    then, still = witness.shot(newest).still(RAISED)
    assert then == newest.at
    assert still.array.shape == (90, 160, 3)
    assert (still.array[20, 22] == FILL_RGB).all()


def test_two_reports_of_one_look_share_one_picture() -> None:
    looks = []

    def closely(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
        looks.append(1)
        return Detections.empty()

    witness = Witness(closely)
    newest = look(6)
    witness.remember(newest)
    shot = witness.shot(newest)
    assert shot.still(RAISED)[1] is shot.still(RAISED)[1]
    assert len(looks) == 1


def test_a_camera_whose_file_says_so_is_not_masked_and_not_looked_at() -> None:
    def never(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
        raise AssertionError("the masker was asked")

    witness = Witness(never, mask=False)
    newest = look(6, ("person", (0.1, 0.1, 0.2, 0.9)))
    witness.remember(newest)
    assert (witness.shot(newest).still(RAISED)[1].array == (40, 160, 60)).all()


def test_a_cameras_ring_holds_its_clip_and_the_masks_around_it() -> None:
    config = CameraConfig.model_validate(
        {
            "camera": {"id": "a"},
            "evidence": {"before_s": 20, "after_s": 10},
            "privacy": {"mask": False},
        }
    )
    source = clip_source(config)
    assert source.ring._seconds >= 32
    assert not source.mask
