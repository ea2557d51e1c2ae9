"""Clips are ordered, waited for, made and handed back; what cannot be made is counted."""

import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import av
import pytest

from edge_agent import clip_desk as clip_desk_module
from edge_agent.clip_desk import ASKED_MAX, ClipAsked, ClipDesk, ClipSource
from edge_agent.clock import Instant, ReplayClock
from edge_agent.config import CameraEvidence
from edge_agent.detections import Detections
from edge_agent.errors import VideoUnreadable
from edge_agent.frames import Picture
from edge_agent.packet_ring import PacketRing
from edge_agent.video import DEFAULT_TIMEOUTS, Video, kept

CLOCK = ReplayClock(datetime(2026, 7, 1, tzinfo=UTC))
ISSUE = UUID("01980000-1111-7000-8000-0000000000aa")
Until = Callable[..., None]


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> Instant:
        return CLOCK.at(self.seconds)


def nobody(_picture: Picture) -> Detections:
    return Detections.empty()


def ring_of(path: Path) -> PacketRing:
    ring = PacketRing(60, 10_000_000)
    with Video(str(path), "clip", "tcp", DEFAULT_TIMEOUTS) as video:
        ring.begin(video.format)
        for packet in video.packets():
            ring.add(kept(packet, CLOCK.at(video.seconds(packet.pts) or 0.0)))
    return ring


def asked(at_s: float) -> ClipAsked:
    return ClipAsked("cam-01", ISSUE, "raised", CLOCK.at(at_s))


def desk(ring: PacketRing, clock: Hand, **settings: float | bool) -> ClipDesk:
    rule = CameraEvidence.model_validate({"before_s": 2, "after_s": 1} | settings)
    return ClipDesk({"cam-01": ClipSource(ring, rule)}, nobody, clock)


def work(desk: ClipDesk, until: Until) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=desk.run, args=(stop,))
    thread.start()
    until(lambda: desk.counts.made + desk.counts.given_up, "the clip is made or given up")
    stop.set()
    thread.join(10)


def test_a_clip_is_made_when_its_last_second_and_that_second_of_masks_have_come(
    clip: Callable[..., Path], until: Until
) -> None:
    hand = Hand()
    tested = desk(ring_of(clip(frames=200)), hand)
    tested.ask(asked(4))
    hand.seconds = 6.4
    tested.collect()
    assert tested._ready.empty()
    hand.seconds = 6.6
    tested.collect()
    work(tested, until)
    (made,) = tested.made()
    assert made.asked == asked(4)
    assert (made.evidence.ref.kind, made.evidence.ref.moment) == ("clip", "raised")
    assert made.evidence.ref.captured_at == CLOCK.at(2).utc
    with av.open(io.BytesIO(made.evidence.data)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert times == pytest.approx([n / 5 for n in range(16)], abs=0.01)
    assert tested.made() == ()


def test_a_camera_without_clips_or_unknown_orders_nothing() -> None:
    tested = desk(PacketRing(10, 1000), Hand(), clips=False)
    tested.ask(asked(4))
    tested.ask(ClipAsked("cam-99", ISSUE, "raised", CLOCK.at(4)))
    assert tested._asked == []


def test_a_clip_of_a_time_without_video_is_given_up_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hand = Hand()
    tested = desk(PacketRing(10, 1000), hand)
    tested.ask(asked(4))
    hand.seconds = 20
    tested.collect()
    assert tested.counts.given_up == 1
    assert "camera cam-01: no clip of issue" in caplog.text


def test_no_more_are_ordered_or_kept_ready_than_memory_allows(
    clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand()
    tested = desk(ring_of(clip(frames=200)), hand)
    for _ in range(ASKED_MAX + 3):
        tested.ask(asked(4))
    assert tested.counts.given_up == 3
    hand.seconds = 8
    tested.collect()
    assert tested._ready.qsize() == clip_desk_module.READY_MAX
    assert tested.counts.given_up == 3 + ASKED_MAX - clip_desk_module.READY_MAX


def test_what_cannot_be_encoded_is_given_up_and_the_desk_goes_on(
    clip: Callable[..., Path], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_frames: object) -> bytes:
        raise VideoUnreadable("no encoder")

    monkeypatch.setattr(clip_desk_module, "encoded", broken)
    hand = Hand()
    tested = desk(ring_of(clip(frames=200)), hand)
    tested.ask(asked(4))
    hand.seconds = 8
    tested.collect()
    work(tested, until)
    assert tested.counts.given_up == 1
    assert "no encoder" in tested.trouble
