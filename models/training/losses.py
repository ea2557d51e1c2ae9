"""Ultralytics' detection loss, told where a missing label means nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.training.classes import BIN_OVERFLOW, CLASSES, COVERS, GARBAGE_BIN
from models.training.pictures import Rows
from models.training.toolkit import detection_losses

Weights = npt.NDArray[np.float32]
BINS = (GARBAGE_BIN, BIN_OVERFLOW)
RELATIVES: dict[int, tuple[int, ...]] = dict.fromkeys(COVERS, COVERS) | dict.fromkeys(BINS, BINS)
STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Region:
    """A part of a training picture and how much unmarked places in it count, per class [9]."""

    xyxy: tuple[float, float, float, float]
    weights: Weights


def anchor_points(height: int, width: int) -> npt.NDArray[np.float32]:
    """Return [a, 2] anchor centres in pixels in the head's order: strides 8, 16, 32, by row."""
    points = []
    for stride in STRIDES:
        xs = (np.arange(width // stride) + 0.5) * stride
        ys = (np.arange(height // stride) + 0.5) * stride
        grid = np.meshgrid(xs, ys)
        points.append(np.stack([g.ravel() for g in grid], axis=1))
    return np.concatenate(points).astype(np.float32)


def _inside(
    points: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Return [a, n]: which points lie in which boxes."""
    x, y = points[:, :1], points[:, 1:]
    within = (x > boxes[:, 0]) & (x < boxes[:, 2]) & (y > boxes[:, 1]) & (y < boxes[:, 3])
    return np.asarray(within, np.bool_)


def class_weight_map(
    points: npt.NDArray[np.float32], regions: Sequence[Region], labels: Rows, unsure: Rows
) -> npt.NDArray[np.float32]:
    """Return [a, 9]: what each anchor's class error counts.

    The region's weight; 0 inside unsure boxes of the class; 1 inside labelled boxes of the class or
    of its other states, so that states are always told apart.
    """
    out = np.ones((len(points), len(CLASSES)), np.float32)
    for region in regions:
        out[_inside(points, np.asarray([region.xyxy], np.float32))[:, 0]] = region.weights
    for rows, value in ((unsure, 0.0), (labels, 1.0)):
        inside = _inside(points, rows[:, 1:])
        for c in np.unique(rows[:, 0]).astype(int):
            hit = inside[:, rows[:, 0] == c].any(axis=1)
            related = RELATIVES.get(c, (c,)) if value else (c,)
            out[np.ix_(hit, np.array(related))] = value
    return out


class MaskedLoss:
    """YOLO26's pair of losses (one-to-many, one-to-one) or YOLO11's one, with class weights."""

    def __init__(self, model: nn.Module) -> None:
        losses = detection_losses()
        head: Any = model.model[-1]  # type: ignore[index]
        self._paired = getattr(head, "one2one_cv2", None) is not None
        self._loss: Any = losses.E2ELoss(model) if self._paired else losses.v8DetectionLoss(model)

    def set_progress(self, share: float) -> None:
        """Move weight from one-to-many (0.8 at first) to one-to-one (0.9 at last)."""
        if self._paired:
            loss = self._loss
            loss.o2m = (1 - share) * (loss.o2m_copy - loss.final_o2m) + loss.final_o2m
            loss.o2o = loss.total - loss.o2m

    def __call__(
        self, predictions: Any, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return the loss to descend and its parts; ``batch['class_weights']`` is [b, a, 9]."""
        parts = (self._loss.one2many, self._loss.one2one) if self._paired else (self._loss,)
        for part in parts:
            part.class_weights = batch["class_weights"]
        total, items = self._loss(_in_float32(predictions), batch)
        return total.sum(), {k: float(v) for k, v in items.items()}


def _in_float32(value: Any) -> Any:
    """Cast every floating tensor of a nested output to float32."""
    if isinstance(value, dict):
        return {k: _in_float32(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_in_float32(v) for v in value]
    return value.float() if torch.is_floating_point(value) else value
