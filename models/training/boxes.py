"""Small box arithmetic on arrays of xyxy."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def areas(xyxy: Array) -> Array:
    """Return [n] areas of [n, 4]."""
    return np.asarray(
        np.clip(xyxy[:, 2] - xyxy[:, 0], 0, None) * np.clip(xyxy[:, 3] - xyxy[:, 1], 0, None),
        np.float32,
    )


def intersections(a: Array, b: Array) -> Array:
    """Return [n, m] areas shared by [n, 4] and [m, 4]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2), np.float32)


def iou(a: Array, b: Array) -> Array:
    """Return [n, m] intersection over union."""
    shared = intersections(a, b)
    return np.asarray(
        shared / np.maximum(areas(a)[:, None] + areas(b)[None] - shared, 1e-6), np.float32
    )


def covered(a: Array, b: Array) -> Array:
    """Return [n, m]: the share of each ``a`` that lies inside each ``b``."""
    return np.asarray(intersections(a, b) / np.maximum(areas(a)[:, None], 1e-6), np.float32)


def greedy_nms(rows: Array, iou_max: float) -> Array:
    """Keep the best-scored of overlapping rows [n, >=5] (xyxy, score); best first."""
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    kept: list[int] = []
    overlap = iou(rows[:, :4], rows[:, :4])
    for i in range(len(rows)):
        if all(overlap[i, j] <= iou_max for j in kept):
            kept.append(i)
    return rows[kept]
