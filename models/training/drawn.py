"""Small street pictures drawn by ourselves: what can be committed and detected anywhere.

They are no measure of quality in real streets; they show that a detector gives on one machine what
its card says it gave on another.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.training.classes import (
    BIN_OVERFLOW,
    EXPOSED_GARBAGE,
    GARBAGE_BIN,
    MANHOLE_DAMAGED,
    MANHOLE_MISSING,
    MANHOLE_OK,
)
from models.training.detector import Picture
from models.training.pictures import LabelledPicture, read_labels
from models.training.recipe import REPOSITORY

WIDTH, HEIGHT = 640, 360
DRAWN_AT = 2  # drawn so many times larger, then shrunk: soft edges
COUNT = 12
SOURCE = "drawn"
DRAWN = REPOSITORY / "models" / "drawn"
WEBP_QUALITY = 55
Generator = np.random.Generator
Box = tuple[float, float, float, float]
Colour = tuple[float, float, float]


def _ground(rng: Generator) -> Picture:
    """Return asphalt with a kerb, a pavement and a line, lit unevenly."""
    h, w = HEIGHT * DRAWN_AT, WIDTH * DRAWN_AT
    grain: npt.NDArray[np.float32] = np.zeros((h, w), np.float32)
    for step in (2, 6, 40):
        coarse = rng.normal(0, 9, (h // step, w // step)).astype(np.float32)
        grain += cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
    out = np.repeat((rng.uniform(95, 130) + grain)[:, :, None], 3, axis=2)
    edge = int(rng.uniform(0.25, 0.4) * h)
    out[:edge] = out[:edge] * 1.15 + (18, 22, 28)
    out[edge : edge + 10] = 175
    for x in range(int(rng.uniform(0, 200)), w, 360):
        out[int(0.8 * h) : int(0.8 * h) + 14, x : x + 170] = 205
    for x in range(0, w, 90):
        out[:edge, x : x + 2] *= 0.8
    light = np.linspace(rng.uniform(0.8, 1.0), rng.uniform(0.9, 1.1), w)[None, :, None]
    return np.asarray((out * light).clip(0, 255), np.uint8)


def _shadow(picture: Picture, centre: tuple[int, int], axes: tuple[int, int]) -> None:
    mask = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 0.55, -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(mask, (0, 0), 5)[:, :, None]
    picture[:] = (picture * (1 - soft)).astype(np.uint8)


def _cover(picture: Picture, box: Box, rng: Generator) -> None:
    """Draw an intact cover: a cast plate with a rim and a pattern of ribs."""
    x1, y1, x2, y2 = box
    centre, axes = (
        (int((x1 + x2) / 2), int((y1 + y2) / 2)),
        (int((x2 - x1) / 2), int((y2 - y1) / 2)),
    )
    tone = rng.uniform(62, 80)
    cv2.ellipse(picture, centre, axes, 0, 0, 360, (tone * 0.55,) * 3, -1, cv2.LINE_AA)
    inner = (int(axes[0] * 0.9), int(axes[1] * 0.9))
    cv2.ellipse(
        picture, centre, inner, 0, 0, 360, (tone, tone * 1.02, tone * 1.06), -1, cv2.LINE_AA
    )
    for share in (0.72, 0.5, 0.28):
        ring = (int(axes[0] * share), int(axes[1] * share))
        cv2.ellipse(picture, centre, ring, 0, 0, 360, (tone * 0.68,) * 3, 3, cv2.LINE_AA)
    for angle in np.arange(0, np.pi, np.pi / 6):
        dx, dy = inner[0] * np.cos(angle), inner[1] * np.sin(angle)
        start, end = ((int(centre[0] + s * dx), int(centre[1] + s * dy)) for s in (-1, 1))
        cv2.line(picture, start, end, (tone * 0.75,) * 3, 2, cv2.LINE_AA)


def _broken(picture: Picture, box: Box, rng: Generator) -> None:
    """Draw a cover with a piece broken out and cracks."""
    _cover(picture, box, rng)
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    hole = [(0.5, 0.45), (0.72, 0.2), (0.95, 0.4), (0.9, 0.72), (0.62, 0.86), (0.55, 0.62)]
    points = np.array([[x1 + u * w, y1 + v * h] for u, v in hole], np.int32)
    cv2.fillPoly(picture, [points], (8, 9, 10), cv2.LINE_AA)
    for u, v in ((0.12, 0.5), (0.35, 0.85), (0.4, 0.12)):
        end = (int(x1 + u * w), int(y1 + v * h))
        cv2.line(
            picture, (int(x1 + 0.55 * w), int(y1 + 0.5 * h)), end, (15, 15, 15), 4, cv2.LINE_AA
        )


def _hole(picture: Picture, box: Box, rng: Generator) -> None:
    """Draw an open shaft: a rim, a lit far wall, darkness."""
    x1, y1, x2, y2 = box
    centre, axes = (
        (int((x1 + x2) / 2), int((y1 + y2) / 2)),
        (int((x2 - x1) / 2), int((y2 - y1) / 2)),
    )
    rim = rng.uniform(120, 150)
    cv2.ellipse(picture, centre, axes, 0, 0, 360, (rim, rim, rim), -1, cv2.LINE_AA)
    inner = (int(axes[0] * 0.86), int(axes[1] * 0.86))
    cv2.ellipse(picture, centre, inner, 0, 0, 360, (70, 74, 80), -1, cv2.LINE_AA)
    deep = (centre[0], int(centre[1] + 0.2 * inner[1]))
    cv2.ellipse(
        picture, deep, (inner[0], int(inner[1] * 0.85)), 0, 0, 360, (6, 6, 7), -1, cv2.LINE_AA
    )


def _bin(picture: Picture, box: Box, rng: Generator) -> None:
    """Draw a wheeled bin with its lid down."""
    x1, y1, x2, y2 = (int(v) for v in box)
    w, h = x2 - x1, y2 - y1
    _shadow(picture, ((x1 + x2) // 2, y2 - 4), (int(0.6 * w), int(0.08 * h)))
    body: Colour = [(60, 115, 35), (150, 85, 30), (70, 70, 75)][int(rng.integers(3))]
    shape = [(x1 + 0.04 * w, y1 + 0.14 * h), (x2 - 0.04 * w, y1 + 0.14 * h)]
    shape += [(x2 - 0.14 * w, y2 - 0.04 * h), (x1 + 0.14 * w, y2 - 0.04 * h)]
    cv2.fillPoly(picture, [np.array(shape, np.int32)], body, cv2.LINE_AA)
    side = np.array(
        [shape[1], shape[2], (x2 - 0.3 * w, y2 - 0.04 * h), (x2 - 0.3 * w, y1 + 0.14 * h)]
    )
    cv2.fillPoly(picture, [side.astype(np.int32)], tuple(0.75 * v for v in body), cv2.LINE_AA)
    lid = tuple(min(1.25 * v + 12, 255) for v in body)
    cv2.rectangle(picture, (x1, y1 + int(0.05 * h)), (x2, y1 + int(0.16 * h)), lid, -1)
    cv2.rectangle(picture, (x1, y1 + int(0.15 * h)), (x2, y1 + int(0.17 * h)), (25, 25, 25), -1)
    for x in (x1 + 0.2 * w, x2 - 0.2 * w):
        cv2.circle(
            picture, (int(x), y2 - int(0.05 * h)), int(0.06 * h), (20, 20, 20), -1, cv2.LINE_AA
        )


def _bags(picture: Picture, box: Box, rng: Generator) -> None:
    """Draw a heap of tied bags with litter."""
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    _shadow(picture, (int((x1 + x2) / 2), int(y2 - 0.06 * h)), (int(0.5 * w), int(0.1 * h)))
    tones: list[Colour] = [
        (38, 36, 34),
        (200, 205, 208),
        (60, 58, 150),
        (150, 120, 60),
        (52, 50, 48),
    ]
    places = [(0.25, 0.68, 0.24), (0.72, 0.7, 0.25), (0.5, 0.38, 0.26), (0.48, 0.76, 0.22)]
    for u, v, r in places:
        tone = tones[int(rng.integers(len(tones)))]
        centre, axes = (int(x1 + u * w), int(y1 + v * h)), (int(r * w), int(r * h))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, tone, -1, cv2.LINE_AA)
        light = tuple(min(1.5 * c + 25, 255) for c in tone)
        shine = (int(axes[0] * 0.55), int(axes[1] * 0.5))
        cv2.ellipse(picture, centre, shine, 20, 190, 280, light, 4, cv2.LINE_AA)
        tip = (centre[0] + int(0.05 * w), centre[1] - axes[1] - int(0.04 * h))
        cv2.line(picture, (centre[0], centre[1] - axes[1] + 4), tip, tone, 6, cv2.LINE_AA)


def _overflowing(picture: Picture, box: Box, rng: Generator) -> None:
    """Draw a bin whose bags stand above its rim."""
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    _bin(picture, (x1, y1 + 0.22 * h, x2, y2), rng)
    _bags(picture, (x1 + 0.04 * w, y1, x2 - 0.04 * w, y1 + 0.46 * h), rng)


Draw = Callable[[Picture, Box, Generator], None]
OBJECTS: dict[int, tuple[Draw, float, float]] = {  # class → how, width and height in pixels
    GARBAGE_BIN: (_bin, 74, 110),
    BIN_OVERFLOW: (_overflowing, 78, 130),
    EXPOSED_GARBAGE: (_bags, 130, 90),
    MANHOLE_OK: (_cover, 100, 52),
    MANHOLE_DAMAGED: (_broken, 104, 54),
    MANHOLE_MISSING: (_hole, 104, 54),
}


def draw(number: int) -> tuple[Picture, list[tuple[int, Box]]]:
    """Return one picture, BGR, with class and box (xyxy in pixels) of its three objects."""
    rng = np.random.default_rng([2026, number])
    picture = _ground(rng)
    kinds = list(OBJECTS)
    labels: list[tuple[int, Box]] = []
    for slot in range(3):
        kind = kinds[(number + 2 * slot + slot * number // 6) % len(kinds)]
        how, w, h = OBJECTS[kind]
        size = rng.uniform(0.8, 1.3)
        x = 30 + 205 * slot + rng.uniform(0, 50)
        y = rng.uniform(110, 335 - h * size)
        box = (x, y, x + w * size, y + h * size)
        how(picture, _scaled(box), rng)
        labels.append((kind, box))
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    noisy = small + rng.normal(0, 3, small.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8), labels


def _scaled(box: Box) -> Box:
    x1, y1, x2, y2 = (DRAWN_AT * v for v in box)
    return x1, y1, x2, y2


def draw_all(folder: Path) -> None:
    """Write all pictures as WebP, each with its YOLO labels beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        picture, labels = draw(number)
        path = folder / f"drawn-{number:02}.webp"
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
        lines = [f"{kind} {_as_yolo(box)}" for kind, box in labels]
        path.with_suffix(".txt").write_text("\n".join(lines) + "\n", "utf-8")


def drawn_pictures(folder: Path) -> list[LabelledPicture]:
    """Return the pictures of a folder that ``draw_all`` wrote."""
    return [
        LabelledPicture(path, SOURCE, "", SOURCE, read_labels(path.with_suffix(".txt")))
        for path in sorted(folder.glob("*.webp"))
    ]


def _as_yolo(box: Box) -> str:
    x1, y1, x2, y2 = box
    values = ((x1 + x2) / 2 / WIDTH, (y1 + y2) / 2 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT)
    return " ".join(f"{v:.5f}" for v in values)
