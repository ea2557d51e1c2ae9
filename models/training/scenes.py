"""Street scenes: cut-outs on the road of a camera's frame, as large as perspective makes them.

The canvas is 1280 x 720 (frames are 640 x 360 and enlarged twice). Each scene yields the whole
picture at 640 x 360, as a full look sees it, and tiles of 640 x 360, as a tiled look does.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from models.training.boxes import covered
from models.training.cameras import FRAME, Street
from models.training.classes import (
    ANY_CLASS,
    BIN_OVERFLOW,
    COVERS,
    EXPOSED_GARBAGE,
    GARBAGE_BIN,
    MANHOLE_DAMAGED,
    MANHOLE_MISSING,
    MANHOLE_OK,
    PERSON,
    STREET_VENDOR,
    VEHICLE,
)
from models.training.cutouts import Cutout
from models.training.detector import Picture
from models.training.pictures import Rows

CANVAS = (1280, 720)
ENLARGED = CANVAS[0] / FRAME[0]
HIDDEN_MAX = 0.5
CHANCES = {
    STREET_VENDOR: 0.55,
    GARBAGE_BIN: 0.35,
    BIN_OVERFLOW: 0.35,
    EXPOSED_GARBAGE: 0.4,
    MANHOLE_OK: 0.6,
    MANHOLE_DAMAGED: 0.45,
    MANHOLE_MISSING: 0.55,
    ANY_CLASS: 0.25,
}
SPREAD_M = {
    STREET_VENDOR: 3.0,
    GARBAGE_BIN: 5.0,
    BIN_OVERFLOW: 5.0,
    EXPOSED_GARBAGE: 5.0,
    ANY_CLASS: 3.0,
}
Generator = np.random.Generator


@dataclass
class Scene:
    """A canvas being built: picture, labels and places where nothing may be learned."""

    picture: Picture  # BGR [720, 1280, 3]
    labels: Rows  # [n, 5] class, xyxy in canvas pixels
    unsure: Rows  # [n, 5]
    placed: list[int] = field(default_factory=list)  # rows of ``labels`` that were pasted


def width_m(cutout: Cutout, rng: Generator) -> float:
    """Return a plausible true width of the object in metres."""
    aspect = cutout.aspect
    if cutout.class_index in COVERS:
        return float(rng.uniform(0.7, 1.0))
    if cutout.class_index == STREET_VENDOR:
        return (
            float(rng.uniform(1.7, 2.6)) if aspect > 0.9 else float(aspect * rng.uniform(1.7, 2.2))
        )
    if cutout.class_index in (GARBAGE_BIN, BIN_OVERFLOW):
        return float(aspect * (rng.uniform(1.0, 1.25) if aspect < 0.95 else rng.uniform(1.2, 1.5)))
    if cutout.class_index == EXPOSED_GARBAGE:
        return float(rng.uniform(0.9, 2.6))
    return float(rng.uniform(1.0, 2.0))


def _resized(cutout: Cutout, box_w: float, box_h: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Scale a cut-out so that its object measures ``box_w`` x ``box_h``; say where that starts."""
    x1, y1, x2, y2 = cutout.box_xyxyn
    w, h = max(round(box_w / max(x2 - x1, 1e-3)), 2), max(round(box_h / max(y2 - y1, 1e-3)), 2)
    shrinking = w < cutout.bgra.shape[1]
    out = cv2.resize(
        cutout.bgra, (w, h), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )
    return out.astype(np.float32), (x1 * w, y1 * h)


def _spot(street: Street, class_index: int, rng: Generator) -> tuple[float, float]:
    """Return a ground point (column, row of a 640 x 360 frame) on or beside the road."""
    rows = street.road_points[:, 1]
    weight = np.clip(rows - street.horizon_row, 5, None)
    column, row = street.road_points[rng.choice(len(rows), p=weight / weight.sum())]
    metre = street.px_per_metre(row)
    spread = SPREAD_M.get(class_index, 2.0)
    row = float(
        np.clip(row + rng.normal() * spread * 0.6 * metre * street.squash(row), 0, FRAME[1] * 0.995)
    )
    return float(column + rng.normal() * spread * street.px_per_metre(row)), row


def _toned(
    object_bgr: np.ndarray, alpha: np.ndarray, ground: np.ndarray, cutout: Cutout, rng: Generator
) -> np.ndarray:
    """Match brightness and colour strength of an object to the ground it lands on."""
    ground_mean = float(ground.mean())
    reference = cutout.ring_mean or float(
        object_bgr[alpha[..., 0] > 0.5].mean() if (alpha > 0.5).any() else 110
    )
    strength = 0.85 if cutout.ring_mean else 0.4
    gain = np.clip((max(ground_mean, 12) / max(reference, 12)) ** strength, 0.3, 1.7) * rng.uniform(
        0.85, 1.15
    )
    grey = object_bgr.mean(axis=2, keepdims=True)
    saturation = rng.uniform(0.3, 0.8) if cutout.class_index in COVERS else rng.uniform(0.7, 1.1)
    out = (grey + (object_bgr - grey) * saturation) * gain
    if cutout.class_index in COVERS and cutout.ring_mean:
        tint = ground.reshape(-1, 3).mean(axis=0) - ground_mean
        out = out + 0.8 * tint
    return np.asarray(out)


def _shadow(picture: Picture, box: np.ndarray, rng: Generator) -> None:
    """Darken the ground under a standing object, in place."""
    x1, _, x2, y2 = box
    h, w = picture.shape[:2]
    rx, ry = 0.55 * (x2 - x1), 0.09 * (x2 - x1)
    left, right = int(max(x1 - rx * 0.4, 0)), int(min(x2 + rx * 0.4, w))
    top, bottom = int(max(y2 - 2.5 * ry, 0)), int(min(y2 + 2.5 * ry, h))
    if right - left < 3 or bottom - top < 3:
        return
    ys, xs = np.mgrid[top:bottom, left:right]
    distance = np.hypot(
        (xs - (x1 + x2) / 2 - rng.uniform(-0.1, 0.1) * rx) / rx, (ys - y2 + 0.4 * ry) / ry
    )
    dark = 1 - rng.uniform(0.2, 0.6) * np.clip(1.3 - distance, 0, 1)[..., None]
    picture[top:bottom, left:right] = (picture[top:bottom, left:right] * dark).astype(np.uint8)


def paste(
    scene: Scene,
    cutout: Cutout,
    corner: tuple[float, float],
    size: tuple[float, float],
    rng: Generator,
) -> bool:
    """Blend the cut-out in, its object's box at ``corner`` with ``size``; label it.

    Returns False, with nothing changed, where too little of it would be inside the canvas.
    """
    sprite, (inner_x, inner_y) = _resized(cutout, *size)
    x, y = round(corner[0] - inner_x), round(corner[1] - inner_y)
    x1, y1, x2, y2 = (
        max(x, 0),
        max(y, 0),
        min(x + sprite.shape[1], CANVAS[0]),
        min(y + sprite.shape[0], CANVAS[1]),
    )
    box = np.array([corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]], np.float32)
    clipped = np.clip(box, 0, [*CANVAS, *CANVAS])
    if (clipped[2] - clipped[0]) * (clipped[3] - clipped[1]) < 0.65 * size[0] * size[1]:
        return False
    sprite = sprite[y1 - y : y2 - y, x1 - x : x2 - x]
    sprite = (
        cv2.GaussianBlur(sprite, (0, 0), rng.uniform(0.4, 1.4)) if rng.random() < 0.75 else sprite
    )
    alpha = sprite[..., 3:] / 255
    if cutout.class_index not in COVERS:
        _shadow(scene.picture, box, rng)
    under = scene.picture[y1:y2, x1:x2].astype(np.float32)
    ground = under[int(0.7 * len(under)) :] if cutout.class_index not in COVERS else under
    toned = _toned(sprite[..., :3], alpha, ground, cutout, rng)
    scene.picture[y1:y2, x1:x2] = np.clip(toned * alpha + under * (1 - alpha), 0, 255).astype(
        np.uint8
    )
    if cutout.class_index != ANY_CLASS:
        scene.placed.append(len(scene.labels))
        row = np.array([[cutout.class_index, *clipped]], np.float32)
        scene.labels = np.concatenate([scene.labels, row])
    return True


def _nearer_over(scene: Scene, box: np.ndarray) -> Rows:
    """Return labelled vehicles and persons that stand nearer than ``box`` and overlap it."""
    known = scene.labels[np.isin(scene.labels[:, 0], (VEHICLE, PERSON))]
    overlap = covered(known[:, 1:], box[None])[:, 0] + covered(box[None], known[:, 1:])[0]
    return np.asarray(known[(overlap > 0.02) & (known[:, 4] > box[3] + 4)], np.float32)


def _restore(scene: Scene, before: Picture, rows: Rows) -> None:
    """Bring nearer objects back to the front through soft rounded boxes, in place."""
    for x1, y1, x2, y2 in rows[:, 1:].astype(int):
        h, w = y2 - y1, x2 - x1
        if h < 4 or w < 4:
            continue
        ys, xs = np.mgrid[:h, :w]
        radius = np.abs((xs - w / 2) / (0.5 * w)) ** 3 + np.abs((ys - h / 2) / (0.52 * h)) ** 3
        soft = np.clip((1.05 - radius) * 6, 0, 1)[..., None]
        view = scene.picture[y1:y2, x1:x2]
        view[:] = (before[y1:y2, x1:x2] * soft + view * (1 - soft)).astype(np.uint8)


def _try_place(scene: Scene, cutout: Cutout, street: Street, rng: Generator) -> bool:
    """Place one object somewhere on the street where it is seen well enough."""
    column, row = _spot(street, cutout.class_index, rng)
    metre = street.px_per_metre(row) * ENLARGED
    w = width_m(cutout, rng) * metre * rng.uniform(0.85, 1.2)
    flat = cutout.class_index in COVERS
    h = w * street.squash(row) * rng.uniform(0.85, 1.2) if flat else w / max(cutout.aspect, 0.2)
    if not 24 <= w <= 520 or not 9 <= h <= 460:
        return False
    corner = (column * ENLARGED - w / 2, row * ENLARGED - h * (0.5 if flat else 1.0))
    box = np.array([corner[0], corner[1], corner[0] + w, corner[1] + h], np.float32)
    others = scene.labels[scene.placed][:, 1:]
    if len(others) and (
        covered(box[None], others).max() > 0.05 or covered(others, box[None]).max() > 0.05
    ):
        return False
    every = scene.labels[:, 1:]
    near = _nearer_over(scene, box)
    hidden = covered(box[None], every if flat else near[:, 1:]).sum() if len(every) else 0.0
    if hidden > (0.12 if flat else HIDDEN_MAX * 0.8):
        return False
    before = scene.picture.copy()
    if not paste(scene, cutout, corner, (w, h), rng):
        return False
    _restore(scene, before, near)
    return True


def _drop_hidden(scene: Scene) -> None:
    """Turn labels that pasted objects cover too much into places where nothing is learned."""
    front = scene.labels[scene.placed]
    front = front[~np.isin(front[:, 0], COVERS)]
    if not len(front):
        return
    rest = np.setdiff1d(np.arange(len(scene.labels)), scene.placed)
    share = covered(scene.labels[rest, 1:], front[:, 1:])
    share[front[:, 4][None] < scene.labels[rest, 4][:, None]] = 0  # farther objects hide nothing
    lost = rest[share.max(axis=1) > HIDDEN_MAX]
    scene.unsure = np.concatenate([scene.unsure, scene.labels[lost]])
    scene.labels = np.delete(scene.labels, lost, axis=0)
    scene.placed = [i - len(lost) for i in scene.placed]  # pasted rows follow all others


def compose(
    frame: Picture,
    given: Rows,
    unsure: Rows,
    street: Street,
    cutouts: dict[int, list[Cutout]],
    rng: Generator,
) -> Scene:
    """Build one scene on a 640 x 360 frame with its labels and unsure places in frame pixels."""
    scale = np.array([1, ENLARGED, ENLARGED, ENLARGED, ENLARGED], np.float32)
    picture = cv2.resize(frame, CANVAS, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    scene = Scene(picture, given * scale, unsure * scale)
    wanted = [
        c
        for c, chance in CHANCES.items()
        for _ in range(2)
        if cutouts.get(c) and rng.random() < chance
    ]
    for class_index in rng.permutation(wanted).astype(int).tolist():
        choice = cutouts[class_index]
        cutout = choice[int(rng.integers(len(choice)))]
        if rng.random() < 0.5:
            x1, y1, x2, y2 = cutout.box_xyxyn
            flipped = np.ascontiguousarray(cutout.bgra[:, ::-1])
            cutout = Cutout(
                class_index, cutout.origin, flipped, (1 - x2, y1, 1 - x1, y2), cutout.ring_mean
            )
        for _ in range(12):
            if _try_place(scene, cutout, street, rng):
                break
    _drop_hidden(scene)
    return scene


def cropped(
    rows: Rows, left: float, top: float, width: float, height: float, visible_min: float
) -> tuple[Rows, Rows]:
    """Return rows inside a window, in its pixels: the visible ones and the mostly cut-off."""
    out = rows.copy()
    out[:, [1, 3]] = (rows[:, [1, 3]] - left).clip(0, width)
    out[:, [2, 4]] = (rows[:, [2, 4]] - top).clip(0, height)
    full = (rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2])
    share = (out[:, 3] - out[:, 1]) * (out[:, 4] - out[:, 2]) / np.maximum(full, 1e-6)
    return out[share >= visible_min], out[(share > 0.02) & (share < visible_min)]
