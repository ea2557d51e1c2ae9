"""A stream or file as packets and decoded pictures; the only home of FFmpeg's exceptions.

Each is translated here into the CameraError that fits, and no message holds more of an address
than `addresses.redacted` leaves.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import av
import av.error
import cv2
import numpy as np
from av.packet import Packet as AnyPacket
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from edge_agent.clock import Instant
from edge_agent.config import Decoder
from edge_agent.errors import (
    CameraError,
    CameraSilent,
    CameraUnauthorised,
    CameraUnreachable,
    VideoUnreadable,
)
from edge_agent.frames import Luma, Picture, Rgb
from edge_agent.hardware import acceleration, memory_to_memory, resolve
from edge_agent.packet_ring import RingPacket, StreamFormat

# Formats whose first plane is the brightness, a byte a pixel.
EIGHT_BIT_PLANAR = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "nv12", "gray"})

_scalers = threading.local()

if TYPE_CHECKING:
    Packet = AnyPacket[Any]
else:  # generic in PyAV's stubs only
    Packet = AnyPacket


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a camera may be silent while it is opened and while it plays."""

    open_s: float = 5.0
    read_s: float = 10.0


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, eq=False)
class VideoPicture:
    """A decoded frame that stays YUV until somebody asks for RGB at a size."""

    frame: VideoFrame

    @property
    def pts(self) -> int | None:
        """Presentation timestamp in ticks of the stream."""
        return self.frame.pts

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.frame.width)

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.frame.height)

    def rgb(self, width: int, height: int) -> Rgb:
        """Scale in YUV and convert what is left, by area when the picture shrinks.

        Area averaging keeps bins and covers from aliasing at a third of the size, where bilinear
        samples only two of three lines; FAST_BILINEAR is faster and aliases
        (`models.training scaling` measures both).
        """
        how = Interpolation.AREA if width < self.width else Interpolation.BILINEAR
        # OpenCV converts I420 of limited range; libswscale converts everything else.
        plain = self.frame.color_range != ColorRange.JPEG and width % 2 == 0 and height % 2 == 0
        target = "yuv420p" if plain else "rgb24"
        scaled = _scaler().reformat(self.frame, width, height, target, interpolation=how, threads=1)
        array = scaled.to_ndarray()
        rgb = cv2.cvtColor(array, cv2.COLOR_YUV2RGB_I420) if plain else array
        return np.asarray(rgb, np.uint8)

    def luma(self, width: int, height: int) -> Luma:
        """Return its brightness, see `Picture.luma`; taken from the decoder's own plane."""
        if self.frame.format.name not in EIGHT_BIT_PLANAR:
            how = Interpolation.FAST_BILINEAR
            scaled = _scaler().reformat(self.frame, width, height, "gray", interpolation=how)
            return np.asarray(scaled.to_ndarray(), np.uint8)
        plane = self.frame.planes[0]
        whole = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        seen = whole[: self.height, : self.width]
        return np.asarray(cv2.resize(seen, (width, height)), np.uint8)


def _scaler() -> VideoReformatter:
    """Return this thread's scaler: it keeps its tables between frames and is not shared."""
    if not hasattr(_scalers, "own"):
        _scalers.own = VideoReformatter()
    own: VideoReformatter = _scalers.own
    return own


class Video:
    """An open stream or file: packets come out, and each can be decoded. Use as a context."""

    def __init__(
        self,
        url: str,
        shown: str,
        transport: str,
        timeouts: Timeouts,
        decoder: Decoder = "software",
    ) -> None:
        """Open it. Raises the CameraError that fits; none of them shows `url`.

        A hardware decoder that cannot be used is replaced by software; `fallback` says why.
        """
        self._shown = shown
        self.corrupt = 0
        name, self.fallback = resolve(decoder)
        began_s = time.monotonic()
        try:
            self._container = av.open(
                url,
                options=_options(url, transport, timeouts),
                timeout=(timeouts.open_s, timeouts.read_s),
                hwaccel=acceleration(name),
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            late = time.monotonic() - began_s > 0.9 * timeouts.open_s
            raise _opening_error(error, shown, timeouts if late else None) from None
        if not self._container.streams.video:
            self._container.close()
            raise VideoUnreadable(f"{shown}: no video in it, only other streams or none")
        self._stream = self._container.streams.video[0]
        self._tick = self._stream.time_base or Fraction(1, 90_000)
        # Many cameras on few cores: frame threads of one decoder would only add latency.
        self._decoder: Any = self._stream.codec_context
        self._decoder.thread_type = "NONE"
        self._decoder.thread_count = 1
        if name == "v4l2m2m":
            in_kernel = memory_to_memory(self._decoder)
            self.fallback = "" if in_kernel else f"v4l2m2m does not decode {self._decoder.name}"
            self._decoder = in_kernel or self._decoder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    @property
    def start_s(self) -> float:
        """Presentation time of the first picture."""
        return float((self._stream.start_time or 0) * self._tick)

    @property
    def codec(self) -> str:
        """The codec's name, such as h264 or hevc."""
        return str(self._stream.codec_context.name)

    @property
    def format(self) -> StreamFormat:
        """What another decoder must know to decode this stream's packets."""
        return StreamFormat(self.codec, self._decoder.extradata, self._tick)

    def seconds(self, stamp: int | None) -> float | None:
        """Turn a timestamp of this stream into seconds."""
        # As exact as the fraction's product and cheaper: asked for every packet.
        return None if stamp is None else stamp * self._tick.numerator / self._tick.denominator

    def captured_s(self, stamp: int | None) -> float | None:
        """When the camera's own clock had this moment, Unix seconds; None where it does not tell.

        RTSP cameras tell with their RTCP sender reports, some seconds after the start.
        """
        zero_us = self._container.start_time_realtime
        seconds = self.seconds(stamp)
        if seconds is None or zero_us is None or zero_us <= 0:
            return None
        return float(zero_us) / 1e6 + seconds

    def packets(self) -> Iterator[Packet]:
        """Yield the video packets, at the end an empty one. Raises CameraError."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError, ValueError) as error:
                raise _reading_error(error, self._shown) from None
            if packet is None:
                return
            yield packet

    def decode(self, packet: Packet, *, alone: bool = False) -> list[VideoPicture]:
        """Decode one packet; `alone` gets a key frame out at once, without what follows it.

        A packet that cannot be decoded is counted and skipped: the next key frame mends it.
        """
        try:
            frames = list(self._decoder.decode(packet))
            if alone and packet.size:
                frames += self._decoder.decode(None)
                self._decoder.flush_buffers()
        except av.error.EOFError:
            frames = []
        except (av.error.FFmpegError, OSError, ValueError):
            self.corrupt += 1
            return []
        whole = [frame for frame in frames if not frame.is_corrupt]
        self.corrupt += len(frames) - len(whole)
        return [VideoPicture(frame) for frame in whole]


def kept(packet: Packet, at: Instant) -> RingPacket:
    """Copy a packet out of FFmpeg's buffers, for a ring that outlives the connection."""
    return RingPacket(at, packet.pts, packet.dts, packet.is_keyframe, bytes(packet))


def _options(url: str, transport: str, timeouts: Timeouts) -> dict[str, str]:
    if not url.startswith(("rtsp://", "rtsps://")):
        return {}
    return {
        "rtsp_transport": transport,
        # Socket I/O, microseconds: catches a peer that stays connected and says nothing.
        "timeout": str(int(timeouts.read_s * 1e6)),
        "allowed_media_types": "video",
    }


def _opening_error(error: Exception, shown: str, timed_out: Timeouts | None) -> CameraError:
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return CameraUnauthorised(f"{shown}: refused the user name or password; check its secret")
    if isinstance(error, av.error.HTTPClientError | av.error.HTTPServerError):
        return CameraUnreachable(f"{shown}: {error.strerror}; check the path of the stream")
    if timed_out is not None or isinstance(error, av.error.TimeoutError | av.error.ExitError):
        return CameraSilent(f"{shown}: connected, but no video came within the time limit")
    if isinstance(error, OSError):
        remedy = "check address, network and power" if "://" in shown else "check its path"
        return CameraUnreachable(f"{shown}: {error.strerror or 'cannot be opened'}; {remedy}")
    return VideoUnreadable(f"{shown}: what came is not video that can be read here")


def _reading_error(error: Exception, shown: str) -> CameraError:
    if isinstance(error, av.error.TimeoutError | av.error.ExitError):
        return CameraSilent(f"{shown}: the stream stopped; nothing came within the time limit")
    if isinstance(error, OSError):
        return CameraUnreachable(f"{shown}: the stream broke off ({error.strerror})")
    return VideoUnreadable(f"{shown}: the stream cannot be read any further")


def first_picture(
    url: str, shown: str, transport: str, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> tuple[str, Picture]:
    """Open a source, return its codec and first picture, and close it. Raises CameraError."""
    with Video(url, shown, transport, timeouts) as video:
        deadline_s = time.monotonic() + timeouts.read_s
        for packet in video.packets():
            for picture in video.decode(packet):
                return video.codec, picture
            if time.monotonic() > deadline_s:
                raise CameraSilent(
                    f"{shown}: packets come, but no picture within {timeouts.read_s:.0f} s"
                )
    raise VideoUnreadable(f"{shown}: not one picture in it could be decoded")


def read_clip(path: Path) -> Iterator[tuple[float, Picture]]:
    """Yield every picture of a clip with its presentation time from the start, in seconds.

    The same file always gives the same pairs. Raises CameraError on a clip without a picture.
    """
    found = False
    with Video(str(path), f"clip {path}", "tcp", DEFAULT_TIMEOUTS) as video:
        for packet in video.packets():
            for picture in video.decode(packet):
                stamp_s = video.seconds(picture.pts)
                if stamp_s is not None:
                    found = True
                    yield max(0.0, stamp_s - video.start_s), picture
    if not found:
        raise VideoUnreadable(f"clip {path}: not one picture in it could be decoded")
