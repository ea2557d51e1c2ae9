"""Packets out of the ring become pictures and masked clips."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from edge_agent.clips import Moment, Span, encoded, masked_frames, moments, nearest, thinned
from edge_agent.clock import Instant, ReplayClock
from edge_agent.detections import PERSON, Detections
from edge_agent.frames import ArrayPicture, Picture
from edge_agent.masking import FILL_RGB, MaskedPicture
from edge_agent.packet_ring import Footage
from edge_agent.video import DEFAULT_TIMEOUTS, Video, kept

MakeClip = Callable[..., Path]
CLOCK = ReplayClock(datetime(2026, 7, 1, tzinfo=UTC))
HEAD = (0.1, 0.2, 0.3, 0.9)


def at(seconds: float) -> Instant:
    return CLOCK.at(seconds)


def footage_of(path: Path) -> Footage:
    """A file's packets as if each had arrived at its presentation time."""
    with Video(str(path), "clip", "tcp", DEFAULT_TIMEOUTS) as video:
        packets = [
            kept(packet, at(video.seconds(packet.pts) or 0.0))
            for packet in video.packets()
            if packet.size
        ]
        return Footage(video.format, tuple(packets))


def brightness(picture: Picture) -> float:
    return float(picture.rgb(picture.width, picture.height)[-10:, -10:].mean())


def street(seconds: float, *, width: int = 321, height: int = 181) -> Moment:
    return Moment(at(seconds), ArrayPicture(np.full((height, width, 3), (40, 160, 60), np.uint8)))


def nobody(_picture: Picture) -> Detections:
    return Detections.empty()


def someone() -> Detections:
    return Detections(np.array([HEAD], np.float32), np.array([0.9], np.float32), np.array([PERSON]))


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_every_packet_becomes_its_picture_with_its_time(clip: MakeClip, codec: str) -> None:
    found = list(moments(footage_of(clip(codec=codec, frames=30))))
    assert [round(one.at.monotonic_s, 2) for one in found] == [n / 25 for n in range(30)]
    assert brightness(found[29].picture) > brightness(found[0].picture) + 50


def test_the_picture_nearest_to_a_moment_is_decoded(clip: MakeClip) -> None:
    footage = footage_of(clip(frames=30))
    moment = nearest(footage, at(0.81))
    assert moment is not None
    assert moment.at.monotonic_s == pytest.approx(0.8)


def test_broken_packets_are_left_out(clip: MakeClip) -> None:
    footage = footage_of(clip(frames=20))
    broken = [
        packet
        if index not in {3, 4}
        else type(packet)(packet.at, packet.pts, packet.dts, False, b"\0" * 40)
        for index, packet in enumerate(footage.packets)
    ]
    assert len(list(moments(Footage(footage.format, tuple(broken))))) >= 10
    assert nearest(Footage(footage.format, ()), at(0)) is None


def test_at_most_five_frames_a_second_are_kept() -> None:
    every = [street(tick / 25) for tick in range(50)]
    kept_at = [one.at.monotonic_s for one in thinned(every)]
    assert kept_at == pytest.approx([0.2 * n for n in range(10)])


def test_masks_of_a_second_before_and_after_lie_on_a_frame() -> None:
    decoded = [street(tick / 5) for tick in range(25)]
    looked: Iterator[int] = iter(range(25))

    def only_at_the_tenth(_picture: Picture) -> Detections:
        return someone() if next(looked) == 10 else Detections.empty()  # at 2.0 s

    frames = list(masked_frames(decoded, only_at_the_tenth, Span(at(0.6), at(4))))
    covered = [
        round(then.monotonic_s, 1) for then, one in frames if (one.array[50, 60] == FILL_RGB).all()
    ]
    assert [round(then.monotonic_s, 1) for then, _ in frames] == [n / 5 for n in range(3, 21)]
    assert covered == [n / 5 for n in range(5, 16)]


def test_moments_beyond_the_span_are_looked_at_and_not_shown() -> None:
    seen = []

    def note(picture: Picture) -> Detections:
        seen.append(picture)
        return Detections.empty()

    frames = list(masked_frames([street(n / 5) for n in range(10)], note, Span(at(1), at(1.4))))
    assert (len(seen), len(frames)) == (10, 3)


def test_a_camera_whose_file_says_so_is_not_masked() -> None:
    def never(_picture: Picture) -> Detections:
        raise AssertionError("the masker was asked")

    frames = list(masked_frames([street(0)], never, Span(at(0), at(1)), mask=False))
    assert (frames[0][1].array == (40, 160, 60)).all()


def test_a_clip_is_h264_in_mp4_whose_index_comes_first() -> None:
    frames = masked_frames([street(n / 5) for n in range(10)], nobody, Span(at(0), at(9)))
    data = encoded(frames)
    assert data is not None
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (320, 180)
        pictures = list(container.decode(stream))
    assert len(pictures) == 10
    assert float(pictures[9].time or 0) == pytest.approx(1.8, abs=0.01)


def test_one_picture_makes_no_clip() -> None:
    one = (at(0), MaskedPicture.as_it_is(np.zeros((90, 160, 3), np.uint8)))
    assert encoded([one]) is None
    assert encoded([]) is None
