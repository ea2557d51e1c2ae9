"""Masked clips and single pictures out of a packet ring: decoded, masked, encoded, in memory.

Only a `MaskedPicture` goes into a clip. Beside `video.py` this is the home of FFmpeg.
"""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame

from edge_agent.clock import Instant
from edge_agent.detections import Detections
from edge_agent.errors import VideoUnreadable
from edge_agent.frames import Picture
from edge_agent.masking import MASK_WINDOW_S, MaskedPicture
from edge_agent.packet_ring import Footage
from edge_agent.video import VideoPicture

Closely = Callable[[Picture], Detections]

# DESIGN's limit, and what a masker can afford: each frame of a clip is looked at closely.
CLIP_FPS = 5.0
# Packets arrive a little early or late; 25 frames/s shall still give every fifth.
JITTER_S = 0.02
# Like a still, a clip must let a person judge a cover at 40 px; 28 does at 1 Mbit/s for 1080p.
CLIP_CRF = "28"
# The index goes before the pictures, into space left for it, so that a page plays what has come.
# 60 pictures need 2 kB.
INDEX_BYTES = "16384"
_MILLISECONDS = Fraction(1, 1000)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One decoded picture, and when its packet arrived."""

    at: Instant
    picture: Picture


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a clip shows, both included."""

    start: Instant
    end: Instant

    def holds(self, at: Instant) -> bool:
        """Say whether a moment lies in it."""
        return self.start.monotonic_s <= at.monotonic_s <= self.end.monotonic_s

    def widened(self, seconds: float) -> "Span":
        """So much longer at both ends."""
        return Span(self.start.plus(-seconds), self.end.plus(seconds))


def moments(footage: Footage) -> Iterator[Moment]:
    """Decode footage; what cannot be decoded is left out."""
    decoder: Any = av.CodecContext.create(footage.format.codec, "r")
    decoder.extradata = footage.format.extradata
    decoder.thread_type, decoder.thread_count = "NONE", 1
    arrivals = {one.pts: one.at for one in footage.packets if one.pts is not None}
    latest = footage.packets[0].at if footage.packets else None
    for one in footage.packets:
        packet = av.Packet(one.data)
        packet.pts, packet.dts, packet.time_base = one.pts, one.dts, footage.format.tick
        latest = one.at
        with suppress(av.error.FFmpegError):
            for frame in decoder.decode(packet):
                if not frame.is_corrupt:
                    yield Moment(arrivals.get(frame.pts, one.at), VideoPicture(frame))
    with suppress(av.error.FFmpegError):
        for frame in decoder.decode(None):
            if latest is not None and not frame.is_corrupt:
                yield Moment(arrivals.get(frame.pts, latest), VideoPicture(frame))


def nearest(footage: Footage, at: Instant) -> Moment | None:
    """Decode up to a moment and return the picture nearest to it; None where none decodes."""
    return min(
        moments(footage),
        key=lambda one: abs(one.at.monotonic_s - at.monotonic_s),
        default=None,
    )


def thinned(decoded: Iterable[Moment], fps: float = CLIP_FPS) -> Iterator[Moment]:
    """Leave out moments that come sooner than 1/fps after the last one kept."""
    last: Instant | None = None
    for one in decoded:
        if last is None or one.at.monotonic_s - last.monotonic_s >= 1 / fps - JITTER_S:
            last = one.at
            yield one


def masked_frames(
    decoded: Iterable[Moment], closely: Closely, span: Span, *, mask: bool = True
) -> Iterator[tuple[Instant, MaskedPicture]]:
    """Mask each moment in `span` with the union of what was found within a second of it.

    Moments beyond the span are looked at and not shown. `mask` is false only for test images.
    No more than two seconds of pictures are held at a time.
    """
    waiting: deque[Moment] = deque()
    found: deque[tuple[Instant, Detections]] = deque()
    for one in decoded:
        found.append((one.at, closely(one.picture) if mask else Detections.empty()))
        if span.holds(one.at):
            waiting.append(one)
        while waiting and one.at.seconds_since(waiting[0].at) > MASK_WINDOW_S:
            yield _masked(waiting.popleft(), found, mask=mask)
        while found and one.at.seconds_since(found[0][0]) > 2 * MASK_WINDOW_S:
            found.popleft()
    while waiting:
        yield _masked(waiting.popleft(), found, mask=mask)


def _masked(
    one: Moment, found: Iterable[tuple[Instant, Detections]], *, mask: bool
) -> tuple[Instant, MaskedPicture]:
    whole = one.picture.rgb(one.picture.width, one.picture.height)
    if not mask:
        return one.at, MaskedPicture.as_it_is(whole)
    near = [
        looked
        for at, looked in found
        if abs(at.monotonic_s - one.at.monotonic_s) <= MASK_WINDOW_S + JITTER_S
    ]
    return one.at, MaskedPicture.of(whole, near)


def encoded(frames: Iterable[tuple[Instant, MaskedPicture]]) -> bytes | None:
    """Write masked pictures as H.264 in MP4 that plays while it loads; None for fewer than two.

    Raises VideoUnreadable when this machine's FFmpeg cannot encode H.264.
    """
    file, count = io.BytesIO(), 0
    try:
        with av.open(file, "w", format="mp4", options={"moov_size": INDEX_BYTES}) as container:
            stream: Any = None
            for at, masked in frames:
                if stream is None:
                    began, stream = at, _stream(container, masked)
                frame = _frame(masked, stream)
                frame.pts = round((at.monotonic_s - began.monotonic_s) * 1000)
                container.mux(stream.encode(frame))
                count += 1
            if stream is not None:
                container.mux(stream.encode(None))
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoUnreadable(
            f"a clip could not be encoded as H.264 ({error}); PyAV's own wheels can: install av "
            "from PyPI, or set evidence.clips: false in the camera file"
        ) from None
    return file.getvalue() if count > 1 else None


def _stream(container: Any, first: MaskedPicture) -> Any:
    """Open the encoder for pictures of the first one's size; sides must be even."""
    height, width = first.array.shape[:2]
    stream = container.add_stream("libx264", rate=int(CLIP_FPS))
    stream.width, stream.height = width - width % 2, height - height % 2
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "veryfast", "crf": CLIP_CRF, "bf": "0", "threads": "1"}
    stream.codec_context.time_base = _MILLISECONDS
    return stream


def _frame(masked: MaskedPicture, stream: Any) -> VideoFrame:
    rgb = masked.array[: stream.height, : stream.width]
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame.time_base = _MILLISECONDS
    return frame
