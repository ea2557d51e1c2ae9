"""What never moves: ground, kerbs, markings, shops along both sides."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.block.blender.shapes import Shape

Random = Any
World = dict[str, Any]

SIGNS = ("#b3201c", "#1f4e9a", "#d9a520", "#2d7a3e", "#e6e2d8", "#7a2048", "#d8641e", "#14727a")
WALLS = ("#c8b79a", "#b9b4aa", "#a8856a", "#d6cdb8", "#9aa0a0", "#c2a08a", "#8d7f74", "#d9d4c6")
PAVING = "paving:#a39a8c:1"
TACTILE = "paving:#c69a2c:0.5"
KERB = "concrete:#9b9890"


def ground(world: World) -> tuple[Shape, Shape]:
    """Carriageway and pavements, with a square left out at every cover."""
    half, wide, length = world["road_half"], world["pavement"], world["length"] / 2 + 40
    road, paving = Shape(), Shape()
    holes = [(x, y, world["patch"]) for x, y in (cover["xy"] for cover in world["covers"])]
    _sheet(
        road, (-length, length, -half, half), 0.0, "asphalt", [h for h in holes if abs(h[1]) < half]
    )
    for side in (-1, 1):
        low, high = sorted((side * (half + 0.15), side * (half + wide)))
        own = [h for h in holes if low < h[1] < high]
        _sheet(paving, (-length, length, low, high), world["kerb"], PAVING, own)
        _kerb(paving, world, side, length)
        middle = side * (half + wide * 0.62)
        if not any(abs(h[1] - middle) < 0.9 for h in own):
            _strip(
                paving,
                (-length, length, middle - 0.2, middle + 0.2),
                world["kerb"] + 0.004,
                TACTILE,
            )
    _markings(road, world)
    return road, paving


def _kerb(shape: Shape, world: World, side: int, length: float) -> None:
    y = side * (world["road_half"] + 0.075)
    for x in np.arange(-length, length, 1.0):
        shape.box((0.985, 0.15, world["kerb"] + 0.004), (x + 0.5, y, 0.0), KERB)


def _strip(shape: Shape, bounds: Sequence[float], z: float, name: str) -> None:
    x1, x2, y1, y2 = bounds
    shape.quad([(x1, y1, z), (x2, y1, z), (x2, y2, z), (x1, y2, z)], name)


def _sheet(
    shape: Shape, bounds: Sequence[float], z: float, name: str, holes: Sequence[Sequence[float]]
) -> None:
    """A rectangle as strips, without the holes (x, y, side)."""
    x1, x2, y1, y2 = bounds
    xs = sorted({x1, x2, *(h[0] + s * h[2] / 2 for h in holes for s in (-1, 1))})
    ys = sorted({y1, y2, *(h[1] + s * h[2] / 2 for h in holes for s in (-1, 1))})
    for left, right in pairwise(xs):
        for low, high in pairwise(ys):
            cx, cy = (left + right) / 2, (low + high) / 2
            if not any(abs(cx - h[0]) < h[2] / 2 and abs(cy - h[1]) < h[2] / 2 for h in holes):
                _strip(shape, (left, right, low, high), z, name)


def _markings(road: Shape, world: World) -> None:
    half, length = world["road_half"], world["length"] / 2 + 40
    for x in np.arange(-length, length, 6.0):
        _strip(road, (x, x + 2.4, -0.07, 0.07), 0.004, "marking:#d8c36a")
    for side in (-1, 1):
        y = side * (half - 0.28)
        _strip(road, (-length, length, y - 0.06, y + 0.06), 0.004, "marking:#d6d6d2")
    for x0 in world["crossings"]:
        for y in np.arange(-half + 0.5, half - 0.5, 0.9):
            _strip(road, (x0 - 1.6, x0 + 1.6, y, y + 0.45), 0.005, "marking:#dcdcd8")


def buildings(world: World) -> Iterator[Shape]:
    """Yield one shape a house, along both pavements and across both ends."""
    rng = np.random.default_rng(world["seed"])
    front, length = world["road_half"] + world["pavement"], world["length"] / 2 + 25
    for side in (-1, 1):
        x = -length
        while x < length:
            width = float(rng.uniform(7, 15))
            yield _house(rng, (x, side * (front + rng.uniform(0, 0.25))), width, side)
            x += width + (float(rng.uniform(1.2, 2.4)) if rng.uniform() < 0.12 else 0.0)
    for end in (-1, 1):
        far = Shape()
        far.box((12, 46, 17), (end * (length + 22), 0, 0), f"wall:{WALLS[2 + end]}")
        for y in np.arange(-20, 20, 3.0):
            for z in np.arange(2, 15, 3.0):
                far.box((0.2, 1.5, 1.6), (end * (length + 15.95), y, z), "glass:#5a6a78")
        yield far


def _house(rng: Random, corner: tuple[float, float], width: float, side: int) -> Shape:
    """A house in its own axes (front towards -y), then turned to its side of the street."""
    house = Shape()
    floors = int(rng.integers(1, 4) if side < 0 else rng.integers(2, 5))
    wall = f"wall:{WALLS[int(rng.integers(len(WALLS)))]}"
    ground_m, floor_m, deep = 3.6, 3.0, 10.0
    house.box((width, deep, ground_m + floors * floor_m), (width / 2, deep / 2 + 0.35, 0), wall)
    house.box(
        (width + 0.2, deep, 0.5), (width / 2, deep / 2 + 0.3, ground_m + floors * floor_m), wall
    )
    shops = max(1, round(width / 4.6))
    for number in range(shops):
        _shop(house, rng, (number * width / shops, width / shops), ground_m)
    for floor in range(floors):
        _windows(house, rng, width, ground_m + floor * floor_m + 0.85)
    placed = Shape()
    x, y = corner
    placed.merge(house, (x, y, 0) if side > 0 else (x + width, y, 0), 0 if side > 0 else math.pi)
    return placed


def _windows(house: Shape, rng: Random, width: float, z: float) -> None:
    count = max(2, int(width / 2.6))
    step = width / count
    lit = rng.uniform(size=count) < 0.4
    for number in range(count):
        x = (number + 0.5) * step
        glass = "window:#d9b77a:0.5" if lit[number] else "glass:#5a6a78"
        house.box((1.5, 0.05, 1.45), (x, 0.34, z), "plastic:#d8d6d0")
        for part in (-0.36, 0.36):
            house.box((0.66, 0.05, 1.3), (x + part, 0.31, z + 0.08), glass)
        house.box((1.6, 0.28, 0.07), (x, 0.24, z - 0.08), "concrete:#a9a59b")
        if rng.uniform() < 0.45:
            _air_conditioner(house, (x + 1.0, 0.1, z - 0.25))
        if rng.uniform() < 0.3:
            _cage(house, x, z)


def _air_conditioner(house: Shape, at: tuple[float, float, float]) -> None:
    house.box((0.8, 0.3, 0.55), at, "plastic:#d5d3cc")
    x, y, z = at
    house.tube(
        [(x - 0.1, y - 0.16, z + 0.28), (x - 0.1, y - 0.15, z + 0.28)], [0.22, 0.22], "black", 14
    )


def _cage(house: Shape, x: float, z: float) -> None:
    """A burglar grille before a window."""
    for offset in np.linspace(-0.75, 0.75, 9):
        house.box((0.02, 0.02, 1.5), (x + offset, 0.0, z), "metal:#b9bcc0")
    for height in (0.0, 0.75, 1.48):
        house.box((1.52, 0.02, 0.03), (x, 0.0, z + height), "metal:#b9bcc0")


def _shop(house: Shape, rng: Random, span: tuple[float, float], height: float) -> None:
    x0, width = span
    middle = x0 + width / 2
    opening = width - 0.5
    kind = rng.uniform()
    if kind < 0.22:
        _shutter(house, middle, opening)
    else:
        _front(house, rng, middle, opening)
    colour = SIGNS[int(rng.integers(len(SIGNS)))]
    house.box((width - 0.2, 0.22, 0.85), (middle, 0.2, height - 0.95), f"sign:{colour}:0.8")
    _glyphs(house, rng, (middle, height - 0.95), width - 0.9, colour)
    if rng.uniform() < 0.35:
        _awning(house, middle, opening, (height - 1.05, SIGNS[int(rng.integers(len(SIGNS)))]))
    house.box((opening, 0.5, 0.14), (middle, 0.1, 0.0), "concrete:#9b968c")


def _shutter(house: Shape, middle: float, opening: float) -> None:
    for number in range(22):
        shade = "metal:#9aa0a4" if number % 2 else "metal:#83898d"
        house.box((opening, 0.04, 0.12), (middle, 0.33, 0.12 + number * 0.12), shade)


def _front(house: Shape, rng: Random, middle: float, opening: float) -> None:
    tint = ("#e8d3a0", "#cfe0ea", "#f0e6d0", "#d9c8a8")[int(rng.integers(4))]
    panes = max(2, round(opening / 1.1))
    wide = opening / panes
    for number in range(panes):
        x = middle - opening / 2 + (number + 0.5) * wide
        house.box((wide - 0.07, 0.04, 2.35), (x, 0.31, 0.14), f"window:{tint}:1.6")
    for number in range(panes + 1):
        x = middle - opening / 2 + number * wide
        house.box((0.07, 0.08, 2.5), (x, 0.28, 0.12), "metal:#6d7276")
    house.box((opening, 0.08, 0.08), (middle, 0.28, 2.5), "metal:#6d7276")
    if rng.uniform() < 0.5:
        poster = f"matt:{SIGNS[int(rng.integers(len(SIGNS)))]}"
        house.box((wide * 0.7, 0.02, 0.9), (middle + wide / 2, 0.27, 0.9), poster)


def _glyphs(
    house: Shape, rng: Random, at: tuple[float, float], width: float, ground_colour: str
) -> None:
    """Strokes that read as large characters from across the street, and mean nothing."""
    ink = "#f4efe2" if ground_colour not in {"#e6e2d8", "#d9a520"} else "#a01818"
    count = max(2, min(6, int(width / 0.75)))
    x0, z0 = at
    for number in range(count):
        x = x0 + (number - (count - 1) / 2) * min(0.78, width / count)
        for _ in range(int(rng.integers(4, 7))):
            level = float(rng.choice([-0.2, -0.08, 0.06, 0.2]))
            house.box(
                (float(rng.uniform(0.2, 0.46)), 0.03, 0.055), (x, 0.075, z0 + 0.42 + level),
                f"sign:{ink}:1.6",
            )  # fmt: skip
        for _ in range(int(rng.integers(2, 4))):
            house.box(
                (0.06, 0.03, float(rng.uniform(0.25, 0.5))),
                (x + float(rng.uniform(-0.2, 0.2)), 0.075, z0 + 0.17), f"sign:{ink}:1.6",
            )  # fmt: skip


def _awning(house: Shape, middle: float, width: float, look: tuple[float, str]) -> None:
    height, colour = look
    stripes = max(4, int(width / 0.4))
    wide = width / stripes
    for number in range(stripes):
        x = middle - width / 2 + number * wide
        name = f"cloth:{colour}" if number % 2 else "cloth:#e9e4d6"
        house.quad(
            [
                (x, 0.2, height),
                (x, -0.9, height - 0.45),
                (x + wide, -0.9, height - 0.45),
                (x + wide, 0.2, height),
            ],
            name,
        )
        house.quad(
            [
                (x, -0.9, height - 0.45),
                (x, -0.92, height - 0.65),
                (x + wide, -0.92, height - 0.65),
                (x + wide, -0.9, height - 0.45),
            ],
            name,
        )
