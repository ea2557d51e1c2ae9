"""Decoders in hardware, through FFmpeg: which of them this machine has, and why one cannot be used.

Nothing here is taken on trust: a device is opened once before any stream is given to it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import av.error
from av.codec import Codec
from av.codec.context import CodecContext
from av.codec.hwaccel import HWAccel, hwdevices_available

from edge_agent.config import Decoder

# Device files without which trying is of no use; the first that works is what `auto` takes.
_DEVICE_FILES: dict[str, str] = {
    "cuda": "nvidia[0-9]*",
    "vaapi": "dri/renderD*",
    "qsv": "dri/renderD*",
    "v4l2m2m": "video1[0-9]",
}
_FAILURES = (av.error.FFmpegError, OSError, ValueError, NotImplementedError)


@cache
def why_not(name: str) -> str:
    """Say why a hardware decoder cannot be used here; empty when it can."""
    if not list(Path("/dev").glob(_DEVICE_FILES[name])):
        return f"there is no /dev/{_DEVICE_FILES[name]}"
    if name == "v4l2m2m":
        return ""
    if name not in hwdevices_available():
        return "this build of PyAV has no support for it"
    try:
        HWAccel(name).create(Codec("h264", "r"))
    except _FAILURES as error:
        return str(error) or type(error).__name__
    return ""


def usable() -> tuple[str, ...]:
    """Name the hardware decoders that work here, the preferred one first."""
    return tuple(name for name in _DEVICE_FILES if not why_not(name))


def resolve(wish: Decoder) -> tuple[str, str]:
    """Return which decoder to use and, where that is not what was wished for, why."""
    if wish == "auto":
        return next(iter(usable()), "software"), ""
    if wish == "software" or not (fault := why_not(wish)):
        return wish, ""
    return "software", f"{wish} cannot be used: {fault}"


def acceleration(name: str) -> HWAccel | None:
    """Return what FFmpeg needs to open a stream with a hardware decoder; None for the others.

    A stream that the hardware cannot decode is decoded in software.
    """
    if name in {"software", "v4l2m2m"}:
        return None
    return HWAccel(name, allow_software_fallback=True)


def memory_to_memory(stream_decoder: Any) -> Any | None:
    """Return the V4L2 decoder for a stream's codec; None where the kernel offers none."""
    try:
        decoder: Any = CodecContext.create(f"{stream_decoder.name}_v4l2m2m", "r")
        decoder.extradata = stream_decoder.extradata
        decoder.width, decoder.height = stream_decoder.width, stream_decoder.height
        decoder.open()
    except (*_FAILURES, LookupError):
        return None
    return decoder
