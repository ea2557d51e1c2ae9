"""What to render: plates, patches and sprites, each named by the hash of what goes into it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.block.actors import sprites
from benchmarks.block.geometry import Array, Camera
from benchmarks.block.script import HOME, Clip, CoverState, Day, Light, View
from benchmarks.block.statics import lid, state_of, statics, surround
from benchmarks.block.things import Placed
from benchmarks.block.views import camera_in, span_of, views_of

# Raised when geometry, materials or lights change what is rendered: cached pictures then expire.
LOOK = 1
# What a light says that is no light in the street.
BESIDE = {"quick", "gain", "noise", "rain"}
MARGIN_PX = 6
# Where there is no sun, things darken the ground around them for about so far.
SOFT_SHADOW_M = 0.5
MIN_CROP_PX = 10
LARGE_PX = 40_000

Border = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Quality:
    """Samples a pixel, by what is rendered."""

    plate: int = 16
    standing: int = 16
    moving: int = 6


@dataclass(frozen=True, slots=True)
class Task:
    """One picture to render: a part of the frame (x1, y1, x2, y2), or all of it."""

    kind: str
    items: tuple[Placed, ...]
    hide: tuple[int, ...]
    border: Border | None
    samples: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind, "items": [item.as_json() for item in self.items],
            "hide": list(self.hide), "border": list(self.border) if self.border else None,
            "samples": self.samples,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the pictures of one clip in one view share, and where they are kept."""

    day: Day
    clip: Clip
    cache: Path
    view: View = HOME
    quality: Quality = Quality()

    @property
    def camera(self) -> Camera:
        """The clip's camera in this view."""
        return camera_in(self.day, self.clip, self.view)

    @property
    def light(self) -> Light:
        """The clip's light."""
        return self.day.lights[self.day.hours[self.clip.hour].light]

    def head(self) -> dict[str, Any]:
        """What every picture of the scene depends on."""
        camera, world = self.camera, self.day.world.model_dump(mode="json")
        world["covers"] = [{"xy": list(cover.at)} for cover in self.day.covers.values()]
        return {
            "look": LOOK,
            "world": world,
            "light": self.light.model_dump(mode="json", exclude=BESIDE),
            "camera": {
                "at": list(camera.at), "heading_deg": camera.heading_deg, "roll_deg": 0.0,
                "down_deg": camera.down_deg, "focal_px": camera.focal_px,
                "width": camera.width, "height": camera.height,
            },
            "statics": [one.as_json() for one in statics(self.day)],
            **({"quick": True} if self.light.quick else {}),
        }  # fmt: skip

    def path(self, task: Task) -> Path:
        """Where a task's picture is kept."""
        text = json.dumps([self.head(), task.as_json()], sort_keys=True)
        return self.cache / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.png"

    def job(self, tasks: Sequence[Task]) -> dict[str, Any]:
        """The job file for Blender's half."""
        return self.head() | {
            "tasks": [task.as_json() | {"out": str(self.path(task).resolve())} for task in tasks]
        }


def scenes(day: Day, clip: Clip, cache: Path) -> tuple[Scene, ...]:
    """A clip's scenes, one a view of its camera, in their order."""
    return tuple(Scene(day, clip, cache, view) for view in views_of(clip))


def tasks(scene: Scene) -> Iterator[Task]:
    """Everything that the clip needs while the view holds, plates first, what moves last."""
    yield plate(scene)
    hour = scene.day.hours[scene.clip.hour]
    span = span_of(scene.clip, scene.view, hour.seconds)
    for state in hour.covers:
        found = patch(scene, state) if state.start_s < span[1] and state.end_s > span[0] else None
        if found is not None:
            yield found
    needed = sprites(scene.day, hour, span)
    for parts, moving in sorted(needed.items(), key=lambda item: item[1]):
        made = sprite(scene, parts, moving=moving)
        if made is not None:
            yield made


def plate(scene: Scene) -> Task:
    """The whole picture without anything that comes and goes."""
    return Task("plate", (), (), None, scene.quality.plate)


def patch(scene: Scene, state: CoverState) -> Task | None:
    """A cover's surroundings in one state; None where the camera does not see it."""
    cover = scene.day.covers[state.cover]
    placed = state_of(scene.day, cover, state.state)
    points = np.vstack([one.everything() for one in (surround(scene.day, cover), *placed)])
    border = crop(scene.camera, points)
    hide = statics(scene.day).index(lid(scene.day, cover))
    return border and Task("patch", placed, (hide,), border, scene.quality.plate)


def sprite(scene: Scene, parts: tuple[Placed, ...], *, moving: bool) -> Task | None:
    """Things with their shadow on nothing; None where the camera does not see them."""
    points = np.vstack([part.everything() for part in parts])
    shaded = np.vstack([points, _shadow(scene.light, points, min(part.at[2] for part in parts))])
    if crop(scene.camera, points) is None:
        return None
    border = crop(scene.camera, shaded)
    return border and Task(
        "sprite", parts, (), border, _samples(scene.quality, border, moving=moving)
    )


def _samples(quality: Quality, border: Border, *, moving: bool) -> int:
    """Fewer samples a pixel for what is large and passes by: the eye has no time there."""
    if not moving:
        return quality.standing
    large = (border[2] - border[0]) * (border[3] - border[1]) > LARGE_PX
    return quality.moving // 2 if large else quality.moving


def crop(camera: Camera, points: Array) -> Border | None:
    """The part of the frame that holds the points, and a margin; None for next to nothing."""
    if (camera.depth_m(points) < 1.0).any():
        return None
    pixels = camera.project(points)
    x1, y1 = np.floor(pixels.min(0)).astype(int) - MARGIN_PX
    x2, y2 = np.ceil(pixels.max(0)).astype(int) + MARGIN_PX
    x1, y1, x2, y2 = max(0, x1), max(0, y1), min(camera.width, x2), min(camera.height, y2)
    if x2 - x1 < MIN_CROP_PX or y2 - y1 < MIN_CROP_PX:
        return None
    return int(x1), int(y1), int(x2), int(y2)


def _shadow(light: Light, points: Array, ground_z: float) -> Array:
    """Where the points' shadows fall on the ground."""
    if not light.sun:
        around = [
            (dx, dy, 0.0)
            for dx in (-SOFT_SHADOW_M, SOFT_SHADOW_M)
            for dy in (-SOFT_SHADOW_M, SOFT_SHADOW_M)
        ]
        flat = points[points[:, 2] < ground_z + 0.6] * (1, 1, 0) + (0, 0, ground_z)
        return np.vstack([flat + shift for shift in around])
    high, turn = radians(light.sun_height_deg), radians(light.sun_turn_deg)
    along = np.array([-sin(turn) * cos(high), cos(turn) * cos(high), -sin(high)])
    fallen: Array = points + along * ((points[:, 2:] - ground_z) / sin(high))
    return fallen
