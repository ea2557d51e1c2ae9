"""What comes and goes: carts, cars, e-bikes, people."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.block.blender.shapes import Shape, turned

GOODS = (
    ("#e07818", 0.045), ("#c9b22a", 0.05), ("#b3241f", 0.042), ("#5f9a35", 0.055),
    ("#d8a03a", 0.05), ("#7b3f8a", 0.035),
)  # fmt: skip
HAIR = "matt:#17130f"


def cart(seed: int, umbrella: str | None) -> Shape:
    """A flat hand cart with four spoked wheels, heaped with fruit; the long side along x."""
    rng = np.random.default_rng(seed)
    shape = Shape()
    wood = "wood:#8a6238"
    shape.box((1.9, 1.05, 0.06), (0, 0, 0.72), wood)
    for y in (-0.53, 0.53):
        shape.box((1.94, 0.04, 0.16), (0, y, 0.74), ("plastic:#4b3f9a", wood)[seed % 2])
    for x in (-0.96, 0.96):
        shape.box((0.04, 1.05, 0.16), (x, 0, 0.74), wood)
    for x in (-0.62, 0.62):
        shape.box((0.06, 0.9, 0.06), (x, 0, 0.4), wood)
        for y in (-0.46, 0.46):
            _wheel(shape, (x, y, 0.33), 0.33)
            shape.box((0.06, 0.06, 0.4), (x, y * 0.8, 0.36), wood)
    _skirt(shape, rng)
    _fruit(shape, rng)
    for number in range(3):
        crate = ("plastic:#2d6a9a", "plastic:#b3352a", "plastic:#3a7a44")[int(rng.integers(3))]
        shape.box((0.42, 0.3, 0.22), (-0.5 + number * 0.5, 0.05, 0.42), crate)
    shape.box((0.2, 0.2, 0.12), (0.78, 0.38, 0.82), "metal:#c8ccd0")
    if umbrella:
        _umbrella(shape, umbrella, (-0.1, 0.15))
    return shape


def _wheel(shape: Shape, at: tuple[float, float, float], radius: float) -> None:
    x, y, z = at
    rim = [
        (x + radius * math.cos(a), y, z + radius * math.sin(a))
        for a in np.linspace(0, 2 * math.pi, 21)
    ]
    for one, other in pairwise(rim):
        shape.tube([one, other], [0.025, 0.025], "rubber:#1c1c1c", 6)
    for angle in np.linspace(0, math.pi, 5, endpoint=False):
        dx, dz = 0.95 * radius * math.cos(angle), 0.95 * radius * math.sin(angle)
        shape.tube([(x - dx, y, z - dz), (x + dx, y, z + dz)], [0.009, 0.009], "metal:#9a9a9a", 5)


def _skirt(shape: Shape, rng: Any) -> None:
    """A tarpaulin hanging over one long side."""
    colour = ("cloth:#3a66a8", "cloth:#a8324a", "cloth:#2f8a6a")[int(rng.integers(3))]
    xs = np.linspace(-0.9, 0.9, 19)
    for number, (one, other) in enumerate(pairwise(xs)):
        y1, y2 = (-0.56 - 0.025 * math.sin(2.1 * n) for n in (number, number + 1))
        shape.quad(
            [(one, -0.55, 0.76), (other, -0.55, 0.76), (other, y2, 0.5), (one, y1, 0.5)], colour
        )


def _fruit(shape: Shape, rng: Any) -> None:
    """Four heaps, each of one kind, in a tray."""
    kinds = rng.permutation(len(GOODS))[:4]
    for number, kind in enumerate(kinds):
        colour, size = GOODS[int(kind)]
        x0 = -0.69 + number * 0.46
        shape.box((0.43, 0.92, 0.05), (x0, 0, 0.79), "cloth:#d8cfb8")
        for _ in range(130):
            u, v = rng.uniform(-1, 1, 2)
            height = 0.26 * max(0.0, 1 - u * u) * max(0.0, 1 - v * v)
            at = (x0 + 0.18 * u, 0.42 * v, 0.84 + height * rng.uniform(0.75, 1.0))
            shade = colour if rng.uniform() < 0.75 else GOODS[(int(kind) + 1) % len(GOODS)][0]
            shape.ball(
                (size, size, size),
                at,
                f"fruit:{shade if rng.uniform() < 0.3 else colour}",
                detail=5,
            )


def _umbrella(shape: Shape, colours: str, at: tuple[float, float]) -> None:
    """A big sunshade of eight panels in two colours, `#one+#other`."""
    x, y = at
    pair = colours.split("+")
    shape.tube([(x, y, 0.75), (x, y, 2.5)], [0.02, 0.02], "metal:#c0c0c0", 8)
    radius, low, high = 1.25, 2.05, 2.5
    angles = np.linspace(0, 2 * math.pi, 9)
    for number, (one, other) in enumerate(pairwise(angles)):
        middle = (one + other) / 2
        name = f"cloth:{pair[number % len(pair)]}"
        a = (x + radius * math.cos(one), y + radius * math.sin(one), low)
        b = (x + radius * math.cos(other), y + radius * math.sin(other), low)
        m = (x + 0.93 * radius * math.cos(middle), y + 0.93 * radius * math.sin(middle), low + 0.03)
        h1 = (x + 0.5 * radius * math.cos(one), y + 0.5 * radius * math.sin(one), 2.36)
        h2 = (x + 0.5 * radius * math.cos(other), y + 0.5 * radius * math.sin(other), 2.36)
        shape.quad([a, m, b, h2, h1], name)
        shape.quad([h1, h2, (x, y, high)], name)


# Stations of a saloon along x: height of the belt, height of the roof, half width.
SALOON = (
    (-2.25, 0.72, 0.72, 0.66), (-2.18, 0.86, 0.86, 0.78), (-1.75, 0.97, 0.99, 0.84),
    (-1.35, 1.0, 1.06, 0.86), (-0.75, 1.0, 1.38, 0.87), (-0.2, 0.99, 1.46, 0.88),
    (0.35, 0.97, 1.44, 0.88), (0.75, 0.96, 1.3, 0.88), (1.25, 0.94, 0.98, 0.87),
    (1.75, 0.86, 0.88, 0.85), (2.15, 0.74, 0.75, 0.78), (2.28, 0.6, 0.6, 0.68),
)  # fmt: skip
VAN = (
    (-2.2, 0.9, 1.0, 0.74), (-2.15, 1.02, 1.75, 0.8), (-1.9, 1.05, 1.9, 0.83),
    (-0.8, 1.05, 1.95, 0.84), (0.4, 1.05, 1.94, 0.84), (1.1, 1.03, 1.86, 0.84),
    (1.75, 1.0, 1.12, 0.82), (2.1, 0.9, 0.93, 0.78), (2.2, 0.6, 0.62, 0.7),
)  # fmt: skip
BODIES = {"saloon": SALOON, "van": VAN}


def car(body: str, colour: str) -> Shape:
    """A car heading along +x."""
    stations = BODIES[body]
    shape = Shape()
    rings = [_section(*station) for station in stations]
    shape.loft(rings, lambda ring, side: _panel(stations, ring, side, colour))
    for x in (stations[0][0] * 0.62, stations[-1][0] * 0.62):
        for side in (-1, 1):
            y = side * 0.87
            shape.tube(
                [(x, y - side * 0.2, 0.34), (x, y + side * 0.015, 0.34)], [0.4, 0.4], "black", 22
            )
            _tyre(shape, (x, y, 0.32), side)
    _lights(shape, stations)
    return shape


def lorry(colour: str) -> Shape:
    """A light box lorry of 6 m heading along +x, with a cab of this colour."""
    shape = Shape()
    shape.box((4.1, 2.1, 2.05), (-0.92, 0, 0.75), "metal:#d6d8d4")
    for z in (0.78, 2.74):
        shape.box((4.12, 2.12, 0.06), (-0.92, 0, z), "metal:#8f9498")
    for x in (-2.4, -1.4, -0.4, 0.6):
        shape.box((0.04, 2.12, 1.9), (x, 0, 0.82), "metal:#c2c5c2")
    shape.box((5.6, 0.9, 0.22), (-0.1, 0, 0.5), "black")
    rings = [[(x, y, z) for y, z in _CAB] for x in (1.28, 2.55)]
    nose = [(2.92 if z < 1.4 else 2.68, y * 0.97, z) for y, z in _CAB]
    shape.loft([*rings, nose], lambda _ring, _side: f"paint:{colour}", smooth=False)
    shape.box((0.06, 1.75, 0.68), (2.78, 0, 1.42), "glass:#2a3338")
    for side in (-1, 1):
        shape.box((0.75, 0.04, 0.55), (2.1, side * 1.0, 1.42), "glass:#2a3338")
        shape.box((0.08, 0.3, 0.16), (2.93, side * 0.72, 0.75), "emit:#fff6e0:1.5")
        shape.box((0.06, 0.24, 0.14), (-2.98, side * 0.85, 0.62), "emit:#b01410:0.6")
        for x in (2.05, -1.35, -2.05):
            _tyre(shape, (x, side * 0.92, 0.38), side)
    shape.box((0.03, 0.44, 0.14), (2.94, 0, 0.55), "matt:#c8a81e")
    shape.box((0.03, 0.44, 0.14), (-3.0, 0, 0.6), "matt:#c8a81e")
    return shape


_CAB = ((-1.0, 0.45), (1.0, 0.45), (1.0, 1.4), (0.93, 2.15), (-0.93, 2.15), (-1.0, 1.4))


def _tyre(shape: Shape, at: tuple[float, float, float], side: int) -> None:
    """A wheel as thick as it is high above the ground; `side` says which way it looks."""
    x, y, radius = at
    rim = [(x, y - side * 0.2, radius), (x, y + side * 0.03, radius)]
    shape.tube(rim, [radius, radius], "rubber:#1a1a1a", 22)
    hub = [(x, y, radius), (x, y + side * 0.04, radius)]
    shape.tube(hub, [0.625 * radius, 0.594 * radius], "metal:#b8bcc0", 14)


def _section(x: float, belt: float, roof: float, half: float) -> list[tuple[float, float, float]]:
    """One cross-section, from the sill over the roof and down; ten points."""
    top = half * 0.72
    right = [
        (0.2, half * 0.9),
        (0.45, half),
        (belt - 0.06, half),
        (belt, half * 0.96),
        (max(belt, roof - 0.05), top + (half * 0.2 if roof - belt < 0.1 else 0)),
    ]
    crown = roof + 0.02
    left = [(z, -y) for z, y in reversed(right)]
    points = [*right, (crown, top * 0.55), (crown, -top * 0.55), *left]
    return [(x, y, z) for z, y in points]


def _panel(stations: Sequence[Sequence[float]], ring: int, side: int, colour: str) -> str:
    one, other = stations[ring], stations[ring + 1]
    rise = max(one[2] - one[1], other[2] - other[1])
    slope = abs((one[2] - one[1]) - (other[2] - other[1]))
    if side in (3, 7) and rise > 0.2:
        return "glass:#2a3338"
    if side in (4, 5, 6) and slope > 0.2 and rise > 0.2:
        return "glass:#2a3338"
    return "rubber:#242424" if side == 11 else f"paint:{colour}"


def _lights(shape: Shape, stations: Sequence[Sequence[float]]) -> None:
    front, back = stations[-2], stations[1]
    for side in (-1, 1):
        shape.box(
            (0.16, 0.34, 0.12),
            (front[0] + 0.06, side * front[3] * 0.72, front[1] - 0.14),
            "emit:#fff6e0:1.5",
        )
        shape.box(
            (0.1, 0.3, 0.14),
            (back[0] - 0.04, side * back[3] * 0.76, back[1] - 0.2),
            "emit:#b01410:0.6",
        )
    shape.box((0.03, 0.44, 0.13), (front[0] + 0.16, 0, 0.38), "matt:#2358b0")
    shape.box((0.03, 0.44, 0.13), (back[0] - 0.1, 0, 0.52), "matt:#2358b0")
    shape.box((0.06, 1.1, 0.14), (front[0] + 0.1, 0, 0.5), "black")


def person(phase: float, clothes: str, *, stand: bool = False, parasol: str | None = None) -> Shape:
    """A person of 1.72 m walking along +x; `phase` 0..1 is the stride, `clothes` `#top+#legs`."""
    top, legs = (f"cloth:{one}" for one in clothes.split("+"))
    shape = Shape()
    swing = 0.0 if stand else math.sin(2 * math.pi * phase)
    for side, sign in ((0.09, 1), (-0.09, -1)):
        _leg(shape, side, 0.5 * swing * sign, legs)
        _arm(shape, side * 2.35, 0.55 * -swing * sign, top, folded=stand)
    rings = [
        _oval(z, w, d)
        for z, w, d in (
            (0.82, 0.165, 0.115),
            (0.95, 0.165, 0.12),
            (1.1, 0.155, 0.11),
            (1.3, 0.19, 0.12),
            (1.42, 0.17, 0.1),
            (1.47, 0.07, 0.07),
        )
    ]
    shape.loft(rings, lambda ring, _side: legs if ring == 0 else top)
    shape.tube([(0, 0, 1.44), (0.01, 0, 1.54)], [0.055, 0.05], "skin:#c99a78", 10)
    shape.ball((0.095, 0.078, 0.125), (0.015, 0, 1.6), "skin:#c99a78", detail=10)
    shape.ball((0.105, 0.088, 0.1), (-0.012, 0, 1.645), HAIR, detail=10)
    if parasol:
        _parasol(shape, parasol)
    return shape


def _oval(z: float, wide: float, deep: float) -> list[tuple[float, float, float]]:
    angles = np.linspace(0, 2 * math.pi, 14, endpoint=False)
    return [(deep * math.cos(a), wide * math.sin(a), z) for a in angles]


def _leg(shape: Shape, side: float, angle: float, legs: str) -> None:
    hip, bend = np.array((0.0, side, 0.86)), max(0.0, -angle) * 0.9
    knee = hip + 0.42 * np.array((math.sin(angle), 0, -math.cos(angle)))
    lower = angle - bend
    ankle = knee + 0.4 * np.array((math.sin(lower), 0, -math.cos(lower)))
    shape.tube([hip, knee, ankle], [0.088, 0.066, 0.05], legs, 10)
    foot = turned(np.array([(0.06, 0, -0.03)]), 0)[0]
    shape.ball((0.13, 0.05, 0.045), ankle + foot, "rubber:#26221f", detail=7)


def _arm(shape: Shape, side: float, angle: float, top: str, *, folded: bool) -> None:
    shoulder = np.array((0.0, side, 1.39))
    elbow = shoulder + 0.28 * np.array((math.sin(angle), 0.12 * np.sign(side), -math.cos(angle)))
    fore = angle + (1.3 if folded else 0.35)
    hand = elbow + 0.26 * np.array((math.sin(fore), 0, -math.cos(fore)))
    shape.tube([shoulder, elbow], [0.055, 0.045], top, 8)
    shape.tube([elbow, hand], [0.042, 0.035], top, 8)
    shape.ball((0.045, 0.04, 0.05), hand, "skin:#c99a78", detail=6)


def _parasol(shape: Shape, colour: str) -> None:
    shape.tube([(0.2, -0.15, 1.1), (0.16, -0.1, 2.05)], [0.012, 0.012], "metal:#8a8a8a", 6)
    shape.lathe(
        [(0.55, 1.84), (0.5, 1.92), (0.32, 2.02), (0.02, 2.09)],
        (0.14, -0.08, 0),
        f"plastic:{colour}",
        16,
    )


def scooter(colour: str, rider: str | None) -> Shape:
    """An electric scooter heading along +x, with a rider when clothes are given."""
    shape = Shape()
    for x in (-0.58, 0.62):
        shape.tube([(x, -0.05, 0.24), (x, 0.05, 0.24)], [0.24, 0.24], "rubber:#1b1b1b", 18)
        shape.tube([(x, -0.06, 0.24), (x, 0.06, 0.24)], [0.12, 0.12], "metal:#a8a8a8", 12)
    skin = f"paint:{colour}"
    shape.loft(
        [
            _slab(-0.85, 0.62, 0.72, 0.1),
            _slab(-0.6, 0.36, 0.78, 0.16),
            _slab(-0.1, 0.34, 0.74, 0.15),
            _slab(0.1, 0.26, 0.34, 0.14),
            _slab(0.4, 0.26, 0.4, 0.13),
            _slab(0.52, 0.4, 0.95, 0.15),
            _slab(0.6, 0.7, 0.98, 0.08),
        ],
        lambda _r, _s: skin,
    )
    shape.box((0.7, 0.26, 0.08), (-0.42, 0, 0.76), "rubber:#2a2624")
    shape.tube([(0.62, 0, 0.3), (0.5, 0, 1.02)], [0.035, 0.03], "metal:#707070", 8)
    shape.tube([(0.46, -0.3, 1.06), (0.46, 0.3, 1.06)], [0.018, 0.018], "rubber:#222222", 8)
    if rider:
        _rider(shape, rider)
    return shape


def _slab(x: float, low: float, high: float, half: float) -> list[tuple[float, float, float]]:
    return [(x, -half, low), (x, half, low), (x, half, high), (x, -half, high)]


def _rider(shape: Shape, clothes: str) -> None:
    top, legs = (f"cloth:{one}" for one in clothes.split("+"))
    for side in (-0.13, 0.13):
        shape.tube(
            [(-0.35, side, 0.86), (0.1, side * 1.2, 0.82), (0.2, side, 0.4)],
            [0.09, 0.075, 0.05],
            legs,
            9,
        )
        shape.tube(
            [(-0.22, side * 1.5, 1.3), (0.1, side * 1.8, 1.12), (0.42, side * 1.9, 1.08)],
            [0.055, 0.045, 0.035],
            top,
            8,
        )
    body = np.array(
        [
            point
            for z, w, d in (
                (0.8, 0.17, 0.13),
                (1.05, 0.16, 0.12),
                (1.3, 0.2, 0.12),
                (1.42, 0.08, 0.07),
            )
            for point in _oval(z, w, d)
        ]
    )
    body[:, 0] += -0.38 + (body[:, 2] - 0.8) * 0.25
    shape.loft(body.reshape(4, 14, 3).tolist(), lambda _r, _s: top)
    shape.ball((0.14, 0.12, 0.15), (-0.2, 0, 1.6), "plastic:#e8e4da", detail=10)
