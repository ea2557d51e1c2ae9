"""What stands in a street: trees, lamps, bins, covers, barriers, bags."""

import math
from typing import Any

import numpy as np

from benchmarks.block.blender.shapes import Shape

Random = Any
RUBBISH = (
    "#e9e9ee",
    "#d7dde6",
    "#c23b38",
    "#20201f",
    "#2f5e3a",
    "#e3d9b4",
    "#3c6fb0",
    "#d98aa0",
    "#f2f2f0",
    "#26262a",
)
COVER_FRAME_M = 0.09


def tree(seed: int) -> Shape:
    """A street tree of about 7 m with a crown of single leaves."""
    rng = np.random.default_rng(seed)
    shape = Shape()
    lean = rng.uniform(-0.15, 0.15, 2)
    top = (lean[0] * 3, lean[1] * 3, 3.4)
    shape.tube([(0, 0, 0), (lean[0], lean[1], 1.4), top], [0.16, 0.12, 0.09], "wood:#6e5d4a", 9)
    for _ in range(6):
        angle, reach = rng.uniform(0, 6.28), rng.uniform(1.0, 1.8)
        tip = (
            top[0] + reach * math.cos(angle),
            top[1] + reach * math.sin(angle),
            3.4 + rng.uniform(0.8, 2.2),
        )
        shape.tube([top, tip], [0.06, 0.02], "wood:#6e5d4a", 6)
    _crown(shape, rng, (top[0], top[1], 5.0))
    shape.box((1.1, 1.1, 0.02), (0, 0, 0), "cloth:#4b3c2c")
    return shape


def _crown(shape: Shape, rng: Random, centre: tuple[float, float, float]) -> None:
    clumps = np.array(centre) + rng.normal(size=(16, 3)) * (0.9, 0.9, 0.65)
    green = ("leaf:#4f7a33", "leaf:#5d8a3a", "leaf:#3f6a2e")
    for number in range(6500):
        at = clumps[number % len(clumps)] + rng.normal(size=3) * (0.45, 0.45, 0.38)
        u, v = rng.normal(size=3), rng.normal(size=3)
        u *= 0.075 / np.linalg.norm(u)
        v *= 0.045 / np.linalg.norm(v)
        shape.quad([at - u, at + v, at + u, at - v], green[number % 3])


def lamp(colour: str = "#8a8f94") -> Shape:
    """A lamp post of 7 m whose arm reaches over the road (+y)."""
    shape = Shape()
    shape.tube([(0, 0, 0), (0, 0, 0.6)], [0.14, 0.12], "metal:#70757a", 12)
    shape.tube(
        [(0, 0, 0.6), (0, 0, 6.6), (0, 0.5, 7.0), (0, 1.9, 7.15)],
        [0.08, 0.06, 0.05, 0.04],
        f"metal:{colour}",
        10,
    )
    shape.box((0.26, 0.7, 0.12), (0, 1.95, 7.08), "plastic:#bfc3c6")
    shape.box((0.2, 0.55, 0.02), (0, 1.95, 7.06), "sign:#ffd9a0:9")
    return shape


def bin_wheeled(colour: str, seed: int, *, full: bool) -> Shape:
    """A wheeled bin of 240 litres, front towards -y; overfull: lid back and bags above the rim."""
    shape = Shape()
    rng = np.random.default_rng(seed)
    skin = f"plastic:{colour}"
    shape.loft([_rect(0.44, 0.5, 0.1), _rect(0.58, 0.68, 0.95)], lambda _r, _s: skin, smooth=False)
    shape.loft(
        [_rect(0.63, 0.74, 0.92), _rect(0.63, 0.74, 0.99)], lambda _r, _s: skin, smooth=False
    )
    shape.box((0.46, 0.02, 0.06), (0, 0.38, 0.93), skin)
    for side in (-1, 1):
        shape.tube(
            [(side * 0.24, 0.24, 0.12), (side * 0.3, 0.24, 0.12)],
            [0.12, 0.12],
            "rubber:#1d1d1d",
            16,
        )
        shape.tube([(side * 0.2, 0.4, 0.9), (side * 0.2, 0.46, 0.96)], [0.025, 0.025], skin, 8)
    shape.tube([(-0.24, 0.46, 0.97), (0.24, 0.46, 0.97)], [0.022, 0.022], skin, 8)
    _label(shape)
    if full:
        _open_lid(shape, skin)
        _heap(shape, rng)
    else:
        shape.box((0.66, 0.78, 0.05), (0, 0, 0.99), skin)
        shape.box((0.5, 0.6, 0.05), (0, 0, 1.035), skin, taper=0.85)
    return shape


def _rect(wide: float, deep: float, z: float) -> list[tuple[float, float, float]]:
    """A rectangle with cut corners."""
    x, y, c = wide / 2, deep / 2, 0.05
    corners = [
        (-x + c, -y),
        (x - c, -y),
        (x, -y + c),
        (x, y - c),
        (x - c, y),
        (-x + c, y),
        (-x, y - c),
        (-x, -y + c),
    ]
    return [(a, b, z) for a, b in corners]


def _label(shape: Shape) -> None:
    """A white sign on the sloping front."""
    for z, half, high, ink in (
        (0.48, 0.13, 0.22, "matt:#e8eceb"),
        (0.52, 0.06, 0.12, "matt:#3d6fa8"),
    ):
        y = -0.255 - 0.105 * (z - 0.1) - 0.012 - (0.004 if half < 0.1 else 0)
        y2 = y - 0.105 * high
        shape.quad([(-half, y, z), (half, y, z), (half, y2, z + high), (-half, y2, z + high)], ink)


def _open_lid(shape: Shape, skin: str) -> None:
    shape.quad([(-0.33, 0.4, 0.98), (0.33, 0.4, 0.98), (0.33, 0.58, 1.7), (-0.33, 0.58, 1.7)], skin)
    shape.quad(
        [(-0.33, 0.44, 0.98), (-0.33, 0.62, 1.7), (0.33, 0.62, 1.7), (0.33, 0.44, 0.98)], skin
    )
    shape.box((0.66, 0.06, 0.05), (0, 0.6, 1.68), skin)


def _heap(shape: Shape, rng: Random) -> None:
    """Bags and boxes that bulge out over the rim."""
    spots = [
        (-0.16, -0.2, 1.0),
        (0.17, -0.18, 1.02),
        (0.0, 0.08, 1.1),
        (-0.17, 0.16, 1.05),
        (0.18, 0.17, 1.06),
        (0.02, -0.06, 1.28),
    ]
    for number, spot in enumerate(spots):
        bag(shape, rng, spot, float(rng.uniform(0.19, 0.26)), RUBBISH[number % len(RUBBISH)])
    bag(shape, rng, (-0.3, -0.33, 0.86), 0.15, "#f2f2f0")
    shape.box((0.3, 0.22, 0.2), (0.22, -0.26, 1.12), "cloth:#b08d5e", 0.5)
    for _ in range(14):
        litter(
            shape, rng, (rng.uniform(-0.3, 0.3), rng.uniform(-0.34, 0.3), rng.uniform(1.1, 1.38))
        )


def bag(shape: Shape, rng: Random, at: Any, size: float, colour: str) -> None:
    """A knotted plastic bag lying on `at`."""
    radii = (
        size * rng.uniform(0.85, 1.15),
        size * rng.uniform(0.85, 1.15),
        size * rng.uniform(0.75, 0.95),
    )
    seed = int(rng.integers(1 << 30))
    name = f"bag:{colour}"
    shape.ball(
        radii, (at[0], at[1], at[2] + radii[2] * 0.85), name, crumple=0.2, seed=seed, detail=16
    )
    tip = at[2] + radii[2] * 1.7
    shape.tube(
        [
            (at[0], at[1], tip - 0.03),
            (at[0] + 0.02, at[1], tip + 0.05),
            (at[0] + 0.05, at[1] + 0.02, tip + 0.1),
        ],
        [0.03, 0.02, 0.05],
        name,
        7,
    )


def litter(shape: Shape, rng: Random, at: Any) -> None:
    """A crumpled piece of paper, a cup or a carton."""
    colour = RUBBISH[int(rng.integers(len(RUBBISH)))]
    kind = rng.uniform()
    if kind < 0.45:
        points = np.asarray(at) + rng.normal(size=(4, 3)) * (0.08, 0.08, 0.03)
        shape.quad([tuple(point) for point in points], f"matt:{colour}")
    elif kind < 0.75:
        shape.ball(
            (0.07, 0.06, 0.045),
            (at[0], at[1], at[2] + 0.03),
            f"bag:{colour}",
            crumple=0.4,
            seed=int(rng.integers(1 << 30)),
            detail=7,
        )
    else:
        shape.box(
            (rng.uniform(0.08, 0.2), rng.uniform(0.06, 0.14), rng.uniform(0.05, 0.1)),
            at,
            f"matt:{colour}",
            float(rng.uniform(0, 6)),
        )


def garbage(seed: int, reach: float) -> Shape:
    """A pile of bags and litter within `reach` metres."""
    rng = np.random.default_rng(seed)
    shape = Shape()
    count = int(14 * reach * reach) + 6
    for number in range(count):
        distance, angle = reach * math.sqrt(rng.uniform()) * 0.82, rng.uniform(0, 6.28)
        lift = max(0.0, 0.3 * (1 - distance / reach)) * rng.uniform(0.2, 1.0)
        at = (distance * math.cos(angle), 0.75 * distance * math.sin(angle), lift)
        bag(shape, rng, at, float(rng.uniform(0.13, 0.24)), RUBBISH[number % len(RUBBISH)])
    for _ in range(int(60 * reach * reach)):
        distance, angle = reach * math.sqrt(rng.uniform()), rng.uniform(0, 6.28)
        litter(shape, rng, (distance * math.cos(angle), 0.75 * distance * math.sin(angle), 0.0))
    for _ in range(3):
        angle = rng.uniform(0, 6.28)
        shape.box(
            (rng.uniform(0.3, 0.5), rng.uniform(0.25, 0.4), rng.uniform(0.2, 0.32)),
            (0.5 * reach * math.cos(angle), 0.4 * reach * math.sin(angle), 0),
            "cloth:#b08d5e",
            float(rng.uniform(0, 3)),
        )
    return shape


def cover_patch(side: float, radius: float, colour: str) -> Shape:
    """The concrete surround and the shaft below it, level with the ground."""
    shape = Shape()
    angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    outer = [
        (
            side / 2 * _square(math.cos(a), math.sin(a)),
            side / 2 * _square(math.sin(a), math.cos(a)),
            0.0,
        )
        for a in angles
    ]
    frame = radius + COVER_FRAME_M
    inner = [(frame * math.cos(a), frame * math.sin(a), 0.004) for a in angles]
    rim = [(radius * math.cos(a), radius * math.sin(a), 0.004) for a in angles]
    down = [(radius * math.cos(a), radius * math.sin(a), -0.18) for a in angles]
    deep = [(radius * 1.04 * math.cos(a), radius * 1.04 * math.sin(a), -1.6) for a in angles]
    for one, other, name in (
        (outer, inner, f"concrete:{colour}"),
        (inner, rim, "iron:#6f6a63"),
        (rim, down, "iron:#5a544c"),
        (down, deep, "concrete:#4a4742"),
    ):
        points, count = one + other, len(one)
        faces = [(i, (i + 1) % count, count + (i + 1) % count, count + i) for i in range(count)]
        shape.add(points, faces, name)
    shape.quad(deep[::-1], "black")
    return shape


def _square(along: float, other: float) -> float:
    return along / max(abs(along), abs(other))


def cover_lid(radius: float, colour: str) -> Shape:
    """A round lid with a chequer pattern, its top level with the ground."""
    shape = Shape()
    r = radius - 0.008
    shape.lathe(
        [
            (r, -0.05),
            (r, 0.0),
            (r - 0.035, 0.006),
            (r - 0.05, -0.004),
            (r * 0.35, -0.004),
            (r * 0.32, 0.006),
            (0.01, 0.006),
        ],
        (0, 0, 0),
        f"iron:{colour}",
        48,
    )
    for side in (-1, 1):
        shape.box((0.07, 0.03, 0.004), (side * r * 0.62, 0, 0.003), "black")
    return shape


def cover_broken(radius: float, colour: str, seed: int) -> Shape:
    """A lid of which more than a third has fallen in, with its bars laid bare."""
    rng = np.random.default_rng(seed)
    shape = Shape()
    rows, sides = 9, 40
    r = radius - 0.008
    jitter = rng.normal(size=(rows + 1, sides)) * 0.012
    bite = float(rng.uniform(-0.5, 0.5)) - math.pi / 2

    def point(row: int, side: int, z: float) -> tuple[float, float, float]:
        angle = 2 * math.pi * side / sides
        reach = r * row / rows + (jitter[row, side % sides] if 0 < row < rows else 0)
        return reach * math.cos(angle), reach * math.sin(angle), z

    for row in range(rows):
        for side in range(sides):
            angle = (2 * math.pi * (side + 0.5) / sides - bite + math.pi) % (2 * math.pi) - math.pi
            open_at = 1.25 - 0.5 * ((row + 0.5) / rows - 0.55) ** 2 + 0.12 * rng.normal()
            if row >= 1 and abs(angle) < open_at:
                continue
            corners = [
                point(row, side, 0.002),
                point(row + 1, side, 0.002),
                point(row + 1, side + 1, 0.002),
                point(row, side + 1, 0.002),
            ]
            shape.quad(corners, f"iron:{colour}")
    for offset in (-0.14, 0.0, 0.14):
        shape.tube(
            [(offset, -r * 0.95, -0.04), (offset, r * 0.3, -0.04)],
            [0.009, 0.009],
            "metal:#6a4a36",
            6,
        )
        shape.tube(
            [(-r * 0.8, -0.25 + offset, -0.05), (r * 0.8, -0.25 + offset, -0.05)],
            [0.009, 0.009],
            "metal:#6a4a36",
            6,
        )
    for _ in range(9):
        at = (rng.uniform(-0.45, 0.45), rng.uniform(-0.62, -0.4), 0.0)
        shape.box(
            (rng.uniform(0.04, 0.1), rng.uniform(0.03, 0.08), 0.03),
            at,
            f"concrete:{colour}",
            float(rng.uniform(0, 3)),
        )
    return shape


def barrier() -> Shape:
    """A red and white barrier on feet, 1.2 m wide, with a lamp."""
    shape = Shape()
    for side in (-0.5, 0.5):
        shape.box((0.06, 0.5, 0.05), (side, 0, 0), "metal:#c8c8c8")
        shape.box((0.05, 0.05, 1.0), (side, 0, 0), "metal:#c8c8c8")
    for height in (0.45, 0.75):
        for number in range(6):
            name = "plastic:#c8201c" if number % 2 else "plastic:#eceae6"
            shape.box((0.2, 0.04, 0.2), (-0.5 + number * 0.2, 0, height), name)
    return shape


def cone() -> Shape:
    """A traffic cone."""
    shape = Shape()
    shape.box((0.36, 0.36, 0.03), (0, 0, 0), "rubber:#2a2a2a")
    for low, high, name in (
        (0.03, 0.25, "plastic:#d8481e"),
        (0.25, 0.4, "plastic:#eeeeea"),
        (0.4, 0.7, "plastic:#d8481e"),
    ):
        shape.lathe([(0.15 - 0.17 * low, low), (0.15 - 0.17 * high, high)], (0, 0, 0), name, 16)
    return shape
