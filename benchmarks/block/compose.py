"""From plates, patches and sprites to a clip: light added to light, then lens, noise and H.264."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.block.actors import Pose, poses, sprites
from benchmarks.block.errors import RenderError
from benchmarks.block.jobs import Border, Scene, Task, patch, plate, scenes, sprite
from benchmarks.block.script import Clip, Day
from benchmarks.block.site import reference_name
from benchmarks.block.things import Placed
from benchmarks.block.truths import FPS
from benchmarks.block.views import camera_at, light_share, presets_of, turning, veil, view_at

Linear = NDArray[np.float32]
Bgr = NDArray[np.uint8]
# Pictures are stored two stops under: full scale is four times white.
FULL_SCALE = 4.0
FEATHER_PX = 5
SMEAR_PX = 15
FADE_PX = 22
REFERENCE_SIZE = (640, 360)


@lru_cache(maxsize=1)
def _to_linear() -> Linear:
    code = np.arange(65536, dtype=np.float32) / 65535
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear * FULL_SCALE, np.float32)


@lru_cache(maxsize=1)
def _to_screen() -> NDArray[np.uint8]:
    """From light (65,536 steps over full scale) to grey levels by the filmic curve of ACES.

    Source of the curve: K. Narkowicz's fit of the ACES reference tone mapping.
    """
    light = np.arange(65536) / 65535 * FULL_SCALE * 0.9
    mapped = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    screen = np.where(
        mapped <= 0.0031308, mapped * 12.92, 1.055 * np.power(mapped, 1 / 2.4) - 0.055
    )
    return np.asarray(np.clip(screen, 0, 1) * 255 + 0.5, np.uint8)


def to_light(coded: NDArray[np.uint16]) -> Linear:
    """Light [H, W, 3] of what Blender stored, as 16-bit steps of sRGB's curve."""
    return np.asarray(_to_linear()[coded[..., :3]], np.float32)


def screen(light: Linear) -> Bgr:
    """What a camera's sensor makes of light [H, W, 3]."""
    steps = np.clip(light * (65535 / FULL_SCALE), 0, 65535).astype(np.uint16)
    return np.asarray(_to_screen()[steps], np.uint8)


class Stage:
    """The pictures of one scene, read once, and the frames made of them."""

    def __init__(self, scene: Scene) -> None:
        """Read the plate. Raises RenderError when it was not rendered."""
        self._scene = scene
        self._hour = scene.day.hours[scene.clip.hour]
        self._plate = self._read(plate(scene))[..., :3]
        self._sprites: dict[tuple[Placed, ...], tuple[Border, Linear] | None] = {}
        # What passes where it also stands was rendered once.
        self._rendered = sprites(scene.day, self._hour)
        self._patches = [(state, patch(scene, state)) for state in self._hour.covers]

    def empty(self) -> Bgr:
        """The scene without anything that comes and goes, as a picture."""
        return screen(self._plate * np.float32(self._scene.light.gain))

    def light(self, at_s: float) -> Linear:
        """The scene at a moment, as light [H, W, 3]."""
        frame = self._plate.copy()
        for state, task in self._patches:
            if task is not None and state.start_s <= at_s < state.end_s:
                self._paste(frame, task)
        for pose in sorted(poses(self._scene.day, self._hour, at_s), key=self._away, reverse=True):
            self._draw(frame, pose)
        frame *= np.float32(self._scene.light.gain)
        return frame

    def _away(self, pose: Pose) -> float:
        x, y, _ = pose.parts[0].at
        return float(np.hypot(x - self._scene.camera.at[0], y - self._scene.camera.at[1]))

    def _read(self, task: Task) -> Linear:
        path = self._scene.path(task)
        data = np.fromfile(path, np.uint8) if path.exists() else np.zeros(0, np.uint8)
        coded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if coded is None:
            raise RenderError(
                f"{path}: the {task.kind} for {self._scene.clip.name} is not rendered; "
                "run `python -m benchmarks.block render` first"
            )
        light = to_light(np.asarray(coded, np.uint16))
        if coded.shape[2] == 3:
            return light
        alpha = coded[..., 3:].astype(np.float32) / 65535
        return np.asarray(np.concatenate([light * alpha, alpha], axis=2), np.float32)

    def _paste(self, frame: Linear, task: Task) -> None:
        x1, y1, x2, y2 = task.border or (0, 0, 0, 0)
        made = self._read(task)
        mask = np.zeros(made.shape[:2], np.float32)
        mask[FEATHER_PX:-FEATHER_PX, FEATHER_PX:-FEATHER_PX] = 1
        soft = np.asarray(cv2.blur(mask, (FEATHER_PX, FEATHER_PX)), np.float32)[..., None]
        part = frame[y1:y2, x1:x2]
        part[:] = part * (1 - soft) + made * soft

    def _draw(self, frame: Linear, pose: Pose) -> None:
        for parts in pose.shown:
            found = self._sprite(parts, moving=pose.moving)
            if found is None:
                continue
            border, made = found
            matrix = self._shift(parts, pose) @ np.array(
                [[1, 0, border[0]], [0, 1, border[1]], [0, 0, 1.0]]
            )
            if whole(border, matrix, frame.shape[:2]):
                _over(frame, made, matrix)
                return

    def _sprite(self, parts: tuple[Placed, ...], *, moving: bool) -> tuple[Border, Linear] | None:
        if parts not in self._sprites:
            task = sprite(self._scene, parts, moving=self._rendered.get(parts, moving))
            border = task.border if task else None
            made = faded(self._read(task)) if task and border else None
            self._sprites[parts] = None if border is None or made is None else (border, made)
        return self._sprites[parts]

    def _shift(self, shown: tuple[Placed, ...], pose: Pose) -> NDArray[np.float64]:
        """How the picture of the sprite's place moves to the true place: scaled and shifted."""
        camera = self._scene.camera
        ends = [np.array([parts[0].at]) for parts in (shown, pose.parts)]
        (x0, y0), (x1, y1) = (camera.project(end)[0] for end in ends)
        scale = float(camera.depth_m(ends[0])[0] / max(0.5, camera.depth_m(ends[1])[0]))
        return np.array([[scale, 0, x1 - scale * x0], [0, scale, y1 - scale * y0], [0, 0, 1]])


def faded(made: Linear) -> Linear:
    """The sprite with its shadow fading out where the crop ends, so that no edge shows."""
    height, width = made.shape[:2]
    across = np.minimum(np.arange(width), np.arange(width)[::-1]) / FADE_PX
    down = np.minimum(np.arange(height), np.arange(height)[::-1]) / FADE_PX
    share = np.clip(np.minimum(down[:, None], across[None, :]), 0, 1)
    shadow = (made[..., :3].max(axis=2) < 0.02) & (made[..., 3] < 0.95)
    made[..., 3] = np.where(shadow, made[..., 3] * share, made[..., 3])
    return made


def whole(border: Border, matrix: NDArray[np.float64], size: tuple[int, ...]) -> bool:
    """Whether a sprite that the picture's edge cut off stays cut off by it where it is laid."""
    height, width = size[:2]
    scale, left, top = matrix[0, 0], matrix[0, 2], matrix[1, 2]
    x1, y1, x2, y2 = border
    right, bottom = left + scale * (x2 - x1), top + scale * (y2 - y1)
    inside = (x1 == 0 and left > 1, y1 == 0 and top > 1,
              x2 == width and right < width - 1, y2 == height and bottom < height - 1)  # fmt: skip
    return not any(inside)


def _over(frame: Linear, made: Linear, matrix: NDArray[np.float64]) -> None:
    """Lay premultiplied light over the frame where `matrix` puts it."""
    height, width = made.shape[:2]
    scale, left, top = matrix[0, 0], matrix[0, 2], matrix[1, 2]
    x1, y1 = max(0, int(left)), max(0, int(top))
    x2 = min(frame.shape[1], int(np.ceil(left + scale * width)))
    y2 = min(frame.shape[0], int(np.ceil(top + scale * height)))
    if x2 <= x1 or y2 <= y1:
        return
    local = matrix[:2] - np.array([[0, 0, x1], [0, 0, y1]])
    still = abs(scale - 1) < 1e-9 and float(left).is_integer() and float(top).is_integer()
    how = cv2.INTER_NEAREST if still else cv2.INTER_LINEAR
    laid = cv2.warpAffine(made, local, (x2 - x1, y2 - y1), flags=how)
    part = frame[y1:y2, x1:x2]
    part *= 1 - laid[..., 3:]
    part += laid[..., :3]


def frames(day: Day, clip: Clip, cache: Path) -> Iterator[Bgr]:
    """Yield a clip's frames, the same for the same pictures."""
    light = day.lights[day.hours[clip.hour].light]
    stages = {scene.view: Stage(scene) for scene in scenes(day, clip, cache)}
    count = round(day.hours[clip.hour].seconds * FPS)
    rng = np.random.default_rng(count)
    camera = camera_at(day, clip, 0.0)
    noise = [_noise(rng, (camera.height, camera.width), light.noise) for _ in range(6)]
    for number in range(count):
        at_s = number / FPS
        found = stages[view_at(clip, at_s)].light(at_s) * np.float32(light_share(clip, at_s))
        found += np.float32(veil(clip, at_s))
        if turning(clip, at_s):
            found = _turned(day, clip, found, at_s)
        if light.rain:
            _rain(found, rng, light.rain)
        noisy = screen(found).astype(np.int16) + noise[number % len(noise)][..., None]
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def _turned(day: Day, clip: Clip, frame: Linear, at_s: float) -> Linear:
    """What the camera sees on its way: the last view turned about its lens, and smeared."""
    before = camera_at(day, clip, view_at(clip, at_s).start_s)
    way = before.seen_from(camera_at(day, clip, at_s))
    size = (frame.shape[1], frame.shape[0])
    turned = cv2.warpPerspective(frame, way, size, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cv2.blur(turned, (SMEAR_PX, 1)), np.float32)


def _noise(rng: np.random.Generator, size: tuple[int, int], sigma: float) -> NDArray[np.int16]:
    return np.asarray(np.rint(rng.normal(0, sigma, size)), np.int16)


def _rain(frame: Linear, rng: np.random.Generator, streaks: int) -> None:
    height, width = frame.shape[:2]
    layer = np.zeros((height, width), np.float32)
    low, high = (0, -20, 14), (width, height, 40)
    for x, y, length in rng.integers(low, high, (streaks, 3)).tolist():
        end = (int(x - length * 0.12), y + length)
        cv2.line(layer, (x, y), end, 1.0, 1, cv2.LINE_AA)
    frame += layer[..., None] * 0.05


def write_references(day: Day, clip: Clip, cache: Path, folder: Path) -> None:
    """Write the still of each preset of a turning camera. Raises RenderError."""
    for view in presets_of(clip):
        picture = Stage(Scene(day, clip, cache, view)).empty()
        small = cv2.resize(picture, REFERENCE_SIZE, interpolation=cv2.INTER_AREA)
        path = folder / reference_name(clip, view)
        cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, 85])


def encode(day: Day, clip: Clip, cache: Path, out: Path) -> None:
    """Write a clip as H.264. Raises RenderError for a picture that is not rendered."""
    camera = camera_at(day, clip, 0.0)
    with av.open(str(out), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = camera.width, camera.height
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.options = {"crf": str(day.crf), "preset": "slow", "g": str(5 * FPS), "threads": "2"}
        for picture in frames(day, clip, cache):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
