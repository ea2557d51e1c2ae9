"""Quiet street frames in four lights, and what the detector finds in them, remembered on disk."""

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.broker import CACHE
from benchmarks.truth import TruthError
from edge_agent.detect import read_picture
from edge_agent.detections import Detections
from edge_agent.detector import WHOLE, Detector
from edge_agent.frames import ArrayPicture, Rgb
from edge_agent.video import read_clip

SOURCE = "vn_cctv_traffic"
# Cameras with fewer frames show nothing long enough to stand.
FRAMES_MIN = 10
CLIP_STEP_S = 1.0
CLOSE = (2, 2)

Light = Callable[[Rgb, np.random.Generator], Rgb]


@dataclass(frozen=True, slots=True)
class QuietFrame:
    """One frame; `second` is of a clip, None for a picture's file."""

    path: Path
    second: float | None = None

    @property
    def name(self) -> str:
        """How lists name it."""
        return self.path.name if self.second is None else f"{self.path.name} at {self.second:g} s"


@dataclass(frozen=True, slots=True)
class QuietCamera:
    """One fixed camera's frames in their order; `trained`: its pictures trained the detector.

    `light` is the light that the frames were rendered in, which they keep; None: they are shown in
    all of LIGHTS.
    """

    name: str
    frames: tuple[QuietFrame, ...]
    trained: bool
    light: str | None = None

    def treatment(self, light: str) -> str:
        """How its frames are changed to be shown in a light."""
        return light if self.light is None else "day"


def day(picture: Rgb, _rng: np.random.Generator) -> Rgb:
    """As the camera gave it."""
    return picture


def dusk(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Half the light, warmer."""
    return _shot(picture * np.array([0.62, 0.52, 0.46]), rng, 3.0)


def night(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Little light, deep shadows, a lamp's cast, a noisy sensor."""
    bright = 255 * 0.55 * (picture / 255) ** 1.8
    return _shot(bright * np.array([1.1, 1.0, 0.8]), rng, 7.0)


def rain(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Thin slanted streaks and less contrast."""
    height, width = picture.shape[:2]
    drops = np.zeros((height, width), np.float32)
    drops[rng.integers(0, height, 400), rng.integers(0, width, 400)] = 255
    kernel = np.zeros((15, 15), np.float32)
    cv2.line(kernel, (4, 0), (8, 14), 1.0)
    streaks = cv2.filter2D(drops, -1, kernel / kernel.sum() * 4)[..., None]
    mean = float(picture.mean())
    return _shot((picture - mean) * 0.8 + mean * 0.9 + 0.6 * streaks, rng, 3.0)


LIGHTS: dict[str, Light] = {"day": day, "dusk": dusk, "night": night, "rain": rain}


def _shot(light: np.ndarray, rng: np.random.Generator, noise: float) -> Rgb:
    grain = rng.standard_normal((*light.shape[:2], 1), np.float32) * noise
    return np.asarray(np.clip(light + grain, 0, 255), np.uint8)


def cameras_of(shared: Path, frames_max: int) -> list[QuietCamera]:
    """The quiet cameras of the shared pictures, and the quiet clip, with at most so many frames.

    Frames are neighbours in time, taken from the middle. Raises TruthError when they are not there.
    """
    manifest = shared / "data" / "manifest.csv"
    if not manifest.exists():
        raise TruthError(f"{manifest}: is not there; --shared names the folder with the pictures")
    groups: dict[tuple[str, str], list[QuietFrame]] = {}
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["source"] == SOURCE:
                path = shared / "data" / "images" / row["split"] / row["file"]
                groups.setdefault((row["split"], row["camera"]), []).append(QuietFrame(path))
    found = [
        QuietCamera(
            f"cctv-{camera}", _middle(sorted(frames, key=_name), frames_max), split == "train"
        )
        for (split, camera), frames in sorted(groups.items())
        if len(frames) >= FRAMES_MIN
    ]
    clip = shared / "clips" / "dev" / "dev5_cam81_quiet.mp4"
    seconds = [QuietFrame(clip, n * CLIP_STEP_S) for n in range(80)] if clip.exists() else []
    return (
        [*found, QuietCamera("dev5", _middle(seconds, frames_max), trained=True)]
        if seconds
        else found
    )


def _name(frame: QuietFrame) -> str:
    return frame.path.name


def _middle(frames: Sequence[QuietFrame], count: int) -> tuple[QuietFrame, ...]:
    start = max(0, (len(frames) - count) // 2)
    return tuple(frames[start : start + count])


def pictures(camera: QuietCamera) -> Iterator[tuple[QuietFrame, Rgb]]:
    """Yield each frame's pixels, in order."""
    clips: dict[Path, dict[float, Rgb]] = {}
    for frame in camera.frames:
        if frame.second is None:
            picture = read_picture(frame.path)
            yield frame, picture.rgb(picture.width, picture.height)
            continue
        if frame.path not in clips:
            clips[frame.path] = _seconds_of(frame.path, {one.second for one in camera.frames})
        yield frame, clips[frame.path][frame.second]


def _seconds_of(clip: Path, wanted: "set[float | None]") -> dict[float, Rgb]:
    left = sorted(second for second in wanted if second is not None)
    found: dict[float, Rgb] = {}
    for clip_s, picture in read_clip(clip):
        while left and clip_s >= left[0] - 0.01:
            found[left.pop(0)] = picture.rgb(picture.width, picture.height)
        if not left:
            break
    return found


def in_light(picture: Rgb, light: str, name: str) -> Rgb:
    """A picture in one of LIGHTS, always the same for the same name."""
    seed = int.from_bytes(hashlib.sha256(f"{name} {light}".encode()).digest()[:8], "big")
    return LIGHTS[light](picture, np.random.default_rng(seed))


class Found:
    """What a detector finds in frames, whole and in tiles; a second run reads it from disk."""

    def __init__(self, model: Path, folder: Path = CACHE / "quiet") -> None:
        self._detector = Detector(model, threads=1)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def detector(self) -> Detector:
        """The detector itself, with its card."""
        return self._detector

    def of(self, name: str, light: str, picture: Rgb) -> dict[tuple[int, int], Detections]:
        """Detections of a frame in one light, by tiling."""
        card = self._detector.card
        pixels = hashlib.sha256(picture.tobytes()).hexdigest()
        model = card.file_for(picture.shape[1], picture.shape[0]).sha256
        key = f"{name} {light} {pixels} {model}"
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
        if not path.exists():
            shown = ArrayPicture(in_light(picture, light, name))
            looked = {tiles: self._detector.detect(shown, tiles) for tiles in (WHOLE, CLOSE)}
            np.savez(path, **{f"{part}{tiles[0]}": getattr(found, part)
                              for tiles, found in looked.items()
                              for part in ("xyxyn", "scores", "classes")})  # fmt: skip
        with np.load(path) as kept:
            return {
                tiles: Detections(
                    *(kept[f"{part}{tiles[0]}"] for part in ("xyxyn", "scores", "classes"))
                )
                for tiles in (WHOLE, CLOSE)
            }
