"""Broken covers made from intact ones: real broken covers are too few to learn from alone."""

import cv2
import numpy as np
import numpy.typing as npt

from models.training.classes import MANHOLE_DAMAGED
from models.training.cutouts import Cutout

WORK_PX = 160
Generator = np.random.Generator
Points = npt.NDArray[np.int32]


def _shard(rng: Generator) -> Points:
    """Return the corners [n, 2] of a ragged hole somewhere in the unit disc, scaled to WORK_PX."""
    turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.75)
    centre = np.array([np.cos(turn), np.sin(turn)]) * far
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 10))))
    radii = rng.uniform(0.15, 0.6) * rng.uniform(0.6, 1.3, len(angles))
    corners = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    return np.asarray((corners + 1) * WORK_PX / 2, np.int32)


def _crack(corners: Points, rng: Generator) -> Points:
    """Return a jagged line [n, 2] that runs outwards from a corner of the hole."""
    start = corners[int(rng.integers(len(corners)))].astype(float)
    heading = rng.uniform(0, 2 * np.pi)
    steps = [start]
    for _ in range(int(rng.integers(3, 7))):
        heading += rng.normal() * 0.5
        steps.append(steps[-1] + np.array([np.cos(heading), np.sin(heading)]) * WORK_PX * 0.1)
    return np.asarray(steps, np.int32)


def broken(cover: Cutout, hole: Cutout, rng: Generator) -> Cutout:
    """Return the intact cover with ragged holes, the depth of ``hole`` below, and cracks."""
    h, w = cover.bgra.shape[:2]
    x1, y1, x2, y2 = (int(v * s) for v, s in zip(cover.box_xyxyn, (w, h, w, h), strict=True))
    width, height = max(x2 - x1, 2), max(y2 - y1, 2)
    open_part = np.zeros((WORK_PX, WORK_PX), np.uint8)
    lines = np.zeros_like(open_part)
    for _ in range(int(rng.integers(1, 3))):
        corners = _shard(rng)
        cv2.fillPoly(open_part, [corners], 255)
        for _ in range(int(rng.integers(1, 4))):
            cv2.polylines(lines, [_crack(corners, rng)], isClosed=False, color=255, thickness=2)
    disc = np.zeros_like(open_part)
    cv2.circle(disc, (WORK_PX // 2, WORK_PX // 2), int(0.46 * WORK_PX), 255, -1)
    size = (width, height)
    gap = cv2.resize(cv2.min(open_part, disc), size).astype(np.float32)[..., None] / 255
    crack = cv2.resize(cv2.min(lines, disc), size).astype(np.float32)[..., None] / 255
    depth = cv2.resize(_inside(hole), size).astype(np.float32) * rng.uniform(0.3, 0.8)
    bgra = cover.bgra.copy()
    top = bgra[y1 : y1 + height, x1 : x1 + width, :3].astype(np.float32)
    cracked = top * (1 - 0.75 * crack)
    bgra[y1 : y1 + height, x1 : x1 + width, :3] = (cracked * (1 - gap) + depth * gap).astype(
        np.uint8
    )
    return Cutout(MANHOLE_DAMAGED, cover.origin, bgra, cover.box_xyxyn, cover.ring_mean)


def _inside(hole: Cutout) -> npt.NDArray[np.uint8]:
    """Return the middle of an open hole, BGR: what one sees through a broken cover."""
    h, w = hole.bgra.shape[:2]
    return hole.bgra[
        int(0.3 * h) : max(int(0.75 * h), 2), int(0.25 * w) : max(int(0.75 * w), 2), :3
    ]
