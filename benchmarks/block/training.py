"""Labelled pictures for training: other streets, cameras, lights and assets than the demo's.

Every number comes from the seed; worlds, trees, carts and cameras are drawn from ranges that the
demo's script does not touch (a test checks), so that the demo stays unseen by what it trains.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from shapely import union_all
from shapely.geometry.base import BaseGeometry

from benchmarks.block.geometry import Camera
from benchmarks.block.jobs import BESIDE, LOOK
from benchmarks.block.script import Day, Light, World
from benchmarks.block.things import Placed
from benchmarks.block.truths import in_picture, silhouette

CLASSES = (
    "street_vendor", "garbage_bin", "bin_overflow", "exposed_garbage", "manhole_ok",
    "manhole_damaged", "manhole_missing", "person", "vehicle",
)  # fmt: skip
WIDTH, HEIGHT = 640, 360
# Worlds, trees, carts, bins and heaps of training have seeds from here on; the demo's lie below.
FIRST_SEED = 1000
PER_STREET = 3
MIN_BOX_PX = 7.0
COVERED_SHARE = 0.6
SAMPLES = 2
COLOURS = {
    "bin": ("#3a8a50", "#1f4f8a", "#4a4f55", "#8a7a2a"),
    "umbrella": ("#1f7a4a+#f0ead8", "#d8b030+#2a4a9a", "#7a2a6a+#efe8da", "#e0e0da+#3a8aa0"),
    "paint": ("#b0b4b8", "#1c1e22", "#7a8fa8", "#c8b890", "#2f5a3a"),
    "top": ("#6a8a3a", "#e0dcd0", "#8a5a2a", "#4a2a6a", "#2a7a8a"),
    "legs": ("#1e1e26", "#5a5248", "#2c3a5a"),
    "lid": ("#5a5650", "#77706a", "#9a958a"),
    "lamp": ("#4a5a52", "#2e3338", "#a8a498"),
}
COVER_RADIUS_M = 0.4


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to render: the head of its job, and labels `class x y w h` (fractions)."""

    name: str
    head: dict[str, Any]
    items: tuple[Placed, ...]
    labels: tuple[str, ...]


def pictures(day: Day, count: int, seed: int) -> Iterator[Picture]:
    """Draw `count` pictures; every third moves to another street, light and camera."""
    for number in range(count):
        street, look = divmod(number, PER_STREET)
        rng = np.random.default_rng([seed, street])
        world, light, camera = _street(day, rng, FIRST_SEED + seed * 1000 + street)
        covers, statics = _standing(rng, world, camera)
        items, named = _things(np.random.default_rng([seed, street, look]), camera, world)
        name = f"block-{seed}-{number:04d}"
        yield Picture(
            name, _head(world, light, camera, covers, statics), items,
            tuple(labels(camera, [*covers, *named], items)),
        )  # fmt: skip


def write_labels(found: list[Picture], folder: Path) -> None:
    """Write the labels of pictures in YOLO's layout below `folder`."""
    target = folder / "labels" / "train"
    target.mkdir(parents=True, exist_ok=True)
    for picture in found:
        (target / f"{picture.name}.txt").write_text("".join(f"{x}\n" for x in picture.labels))
    names = "\n".join(f"  {number}: {name}" for number, name in enumerate(CLASSES))
    (folder / "data.yaml").write_text(f"path: .\ntrain: images/train\nnames:\n{names}\n")


def _street(day: Day, rng: Generator, seed: int) -> tuple[World, Light, Camera]:
    world = day.world.model_copy(
        update={"seed": seed, "road_half": float(rng.uniform(3.4, 5.2)), "crossings": ()}
    )
    light = day.lights[str(rng.choice(["sun", "sun", "rain", "dusk", "night"]))]
    light = light.model_copy(
        update={
            "sun_height_deg": float(rng.uniform(32, 65)),
            "sun_turn_deg": float(rng.choice([-1, 1]) * rng.uniform(50, 80)),
        }
    )
    camera = Camera(
        at=(0.0, -world.road_half - float(rng.uniform(0.4, 1.6)), float(rng.uniform(4.0, 7.0))),
        heading_deg=float(rng.uniform(20, 60)), down_deg=float(rng.uniform(16, 30)),
        focal_px=float(rng.uniform(430, 640)), width=WIDTH, height=HEIGHT,
    )  # fmt: skip
    return world, light, camera


def _spot(rng: Generator, camera: Camera, ys: tuple[float, float]) -> tuple[float, float]:
    """A place in the picture's lower three quarters whose y lies between two lines."""
    for _ in range(200):
        pixel = np.array([[rng.uniform(0.06, 0.94) * WIDTH, rng.uniform(0.25, 0.92) * HEIGHT]])
        x, y = camera.ground(pixel)[0].tolist()
        if ys[0] <= y <= ys[1]:
            return x, y
    return 12.0, sum(ys) / 2


def _standing(
    rng: Generator, world: World, camera: Camera
) -> tuple[list[tuple[Placed, str]], list[Placed]]:
    """Covers in all states, rows of trees and lamps; covers with the class of each."""
    covers: list[tuple[Placed, str]] = []
    statics: list[Placed] = []
    for state in ("manhole_ok", "manhole_damaged", "manhole_missing"):
        x, y = _spot(rng, camera, (-world.road_half + 0.9, world.road_half - 0.9))
        if any(np.hypot(x - one.at[0], y - one.at[1]) < 1.6 for one, _ in covers):
            continue
        colour, at = str(rng.choice(COLOURS["lid"])), (x, y, 0.0)
        patch = Placed(f"patch:{world.patch}:{COVER_RADIUS_M}:#b0a99c", at, 0.0)
        statics.append(patch)
        covers.append((patch, state))
        if state == "manhole_ok":
            turn = float(rng.uniform(0, 360))
            statics.append(Placed(f"lid:{COVER_RADIUS_M}:{colour}", at, turn))
        elif state == "manhole_damaged":
            broken = f"broken:{COVER_RADIUS_M}:{colour}:{FIRST_SEED + int(rng.integers(99))}"
            statics.append(Placed(broken, at, float(rng.uniform(0, 360))))
    for x in np.arange(-20.0, 60.0, float(rng.uniform(7, 11))):
        asset = f"tree:{FIRST_SEED + int(rng.integers(4))}"
        statics.append(Placed(asset, (float(x), world.road_half + 0.95, world.kerb), 0.0))
    return covers, [*statics, *_lamps(rng, world)]


def _lamps(rng: Generator, world: World) -> Iterator[Placed]:
    """A row of lamps on the camera's side, none of them right before it."""
    asset, first = f"lamp:{rng.choice(COLOURS['lamp'])}", float(rng.uniform(-25, -15))
    for x in np.arange(first, 60.0, float(rng.uniform(14, 22))):
        if not -2 < x < 6:
            yield Placed(asset, (float(x), -world.road_half - 0.5, world.kerb), 0.0)


def _things(
    rng: Generator, camera: Camera, world: World
) -> tuple[tuple[Placed, ...], list[tuple[Placed, str]]]:
    """What comes and goes, with classes; one of each kind or more, never one in another."""
    half = world.road_half
    near, far = half + 1.2, half + world.pavement - 0.8
    kinds = [
        ("street_vendor", (half - 1.8, half - 0.7)), ("garbage_bin", (near, far)),
        ("bin_overflow", (near, far)), ("exposed_garbage", (near, far)), ("person", (near, far)),
        ("person", (near, far)), ("vehicle", (1 - half, half - 2.6)),
        ("bin_overflow", (near, far)), ("street_vendor", (0.7 - half, half - 3)),
    ]  # fmt: skip
    named: list[tuple[Placed, str]] = []
    for kind, ys in kinds:
        x, y = _spot(rng, camera, ys)
        clear = all(np.hypot(x - one.at[0], y - one.at[1]) > 2.3 for one, _ in named)
        if rng.uniform() < 0.8 and clear:
            asset, heading = _asset(rng, kind)
            named.append((Placed(asset, (x, y, world.ground_z(y)), heading), kind))
    return tuple(one for one, _ in named), named


def _asset(rng: Generator, kind: str) -> tuple[str, float]:
    def colour(of: str) -> str:
        return str(rng.choice(COLOURS[of]))

    seed, turn = FIRST_SEED + int(rng.integers(1000)), float(rng.uniform(-15, 15))
    if kind == "street_vendor":
        shade = f":{colour('umbrella')}" if rng.uniform() < 0.6 else ""
        return f"cart:{seed}{shade}", turn + float(rng.choice([0, 180]))
    if kind in {"garbage_bin", "bin_overflow"}:
        return f"bin:{colour('bin')}:{seed}:{'full' if kind == 'bin_overflow' else 'ok'}", turn
    if kind == "exposed_garbage":
        return f"garbage:{seed}:{rng.uniform(0.5, 1.1):.2f}", turn
    if kind == "person":
        clothes = f"{colour('top')}+{colour('legs')}"
        return f"person:{rng.uniform():.2f}:{clothes}", float(rng.uniform(0, 360))
    body = str(rng.choice(["saloon", "van"]))
    return f"car:{body}:{colour('paint')}", float(rng.choice([0, 180]))


def _before(camera: Camera, one: Placed, other: Placed) -> bool:
    """Whether one thing would hide another; whatever stands anywhere would hide the ground."""
    near, far = (camera.depth_m(np.array([it.at]))[0] for it in (one, other))
    return bool(near < far - 0.3) or other.asset.startswith("patch")


def _hiding(camera: Camera, one: Placed) -> Iterator[BaseGeometry]:
    """What a thing hides: its body, and its sunshade where it has one; not the air between them."""
    yield silhouette(camera, one.body())
    if one.asset.startswith("cart:") and one.asset.count(":") > 1:
        yield silhouette(camera, one.overhang())


def labels(
    camera: Camera, named: list[tuple[Placed, str]], others: tuple[Placed, ...]
) -> Iterator[str]:
    """Labels of what can be seen; what is mostly covered by something nearer has none."""
    for placed, kind in named:
        box = in_picture(camera, placed.body())
        if box is None or min(box[2] - box[0], box[3] - box[1]) < MIN_BOX_PX:
            continue
        own = silhouette(camera, placed.body())
        nearer = [one for one in others if _before(camera, one, placed)]
        before = union_all([part for one in nearer for part in _hiding(camera, one)])
        if own.intersection(before).area < COVERED_SHARE * own.area:
            x1, y1, x2, y2 = (v / s for v, s in zip(box, (WIDTH, HEIGHT) * 2, strict=True))
            centre = f"{(x1 + x2) / 2:.5f} {(y1 + y2) / 2:.5f}"
            yield f"{CLASSES.index(kind)} {centre} {x2 - x1:.5f} {y2 - y1:.5f}"


def _head(
    world: World, light: Light, camera: Camera, covers: list[tuple[Placed, str]],
    statics: list[Placed],
) -> dict[str, Any]:  # fmt: skip
    return {
        "look": LOOK,
        "world": world.model_dump(mode="json") | {"covers": [{"xy": p.at[:2]} for p, _ in covers]},
        "light": light.model_dump(mode="json", exclude=BESIDE),
        "camera": {
            "at": list(camera.at), "heading_deg": camera.heading_deg, "roll_deg": 0.0,
            "down_deg": camera.down_deg, "focal_px": camera.focal_px, "width": WIDTH,
            "height": HEIGHT,
        },
        "statics": [one.as_json() for one in statics],
    }  # fmt: skip
