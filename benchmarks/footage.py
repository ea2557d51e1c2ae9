"""The videos that are measured with: made once for each size and codec, kept in .cache.

Without a clip of one's own a street is drawn: a textured picture with sensor noise and things that
move, at a camera's bit rate, so that decoding costs what a camera's stream costs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from edge_agent.frames import Rgb
from edge_agent.video import read_clip

CACHE = Path(__file__).parents[1] / ".cache" / "bench"
FPS = 25
SECONDS = 24
KEYFRAME_EVERY_S = 2
BIT_RATES = {1080: 4_000_000, 720: 2_000_000, 360: 600_000}
CODECS = {"h264": "libx264", "h265": "libx265"}


@dataclass(frozen=True, slots=True)
class Footage:
    """One video of a given height (16:9) and codec, 25 frames/s, a key frame every two seconds."""

    height: int
    codec: str = "h264"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.height * 16 // 9, self.height

    def made(self, clip: Path | None = None) -> Path:
        """Return the file; made from `clip`, or drawn, where it is not there yet."""
        source = clip.stem if clip else "drawn"
        path = CACHE / f"{source}-{self.height}p-{self.codec}.mp4"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures = _from_clip(clip, self.size) if clip else drawn(self.size)
            part = path.with_suffix(".part.mp4")
            write_video(part, islice(pictures, FPS * SECONDS), self)
            part.replace(path)
        return path


def write_video(path: Path, pictures: Iterable[Rgb], footage: Footage, fps: int = FPS) -> None:
    """Encode pictures as a camera would: no B frames, steady bit rate, fixed key frame distance."""
    gop = str(KEYFRAME_EVERY_S * fps)
    options = {"preset": "veryfast", "g": gop, "keyint_min": gop, "bf": "0", "sc_threshold": "0"}
    if footage.codec == "h265":
        options = {"preset": "veryfast", "x265-params": f"log-level=none:keyint={gop}:bframes=0"}
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(CODECS[footage.codec], rate=fps)
        stream.width, stream.height = footage.size
        stream.pix_fmt, stream.bit_rate = "yuv420p", BIT_RATES[footage.height]
        stream.options = options
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def drawn(size: tuple[int, int], seed: int = 5) -> Iterator[Rgb]:
    """Draw a street without end: a textured ground, things that cross it, a noisy sensor."""
    width, height = size
    random = np.random.default_rng(seed)
    coarse = random.integers(60, 190, (height // 12 + 1, width // 12 + 1, 3))
    ground = coarse.repeat(12, 0).repeat(12, 1)[:height, :width].astype(np.int16)
    noise = random.normal(0, 2.5, (8, height, width, 1)).astype(np.int16)
    things = random.integers(0, 255, (12, 5))
    index = 0
    while True:
        picture = ground + noise[index % 8]
        for number, (x, y, *colour) in enumerate(things):
            left = int(x / 255 * width + index * (number - 6) * width / 2500) % (width * 7 // 8)
            top = int(y / 255 * height * 3 / 4)
            picture[top : top + height // 6, left : left + width // 12] = colour
        yield np.clip(picture, 0, 255).astype(np.uint8)
        index += 1


def _from_clip(clip: Path | None, size: tuple[int, int]) -> Iterator[Rgb]:
    while clip:
        for _, picture in read_clip(clip):
            yield picture.rgb(*size)


def describe(path: Path) -> dict[str, Any]:
    """Return what a video is."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return {
            "name": path.name,
            "codec": stream.codec_context.name,
            "width": stream.width,
            "height": stream.height,
            "fps": float(stream.average_rate or 0),
            "kbit_s": round((container.bit_rate or 0) / 1000),
        }
