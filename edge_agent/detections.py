"""What a detector says about one look: boxes, scores and classes as checked arrays."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

# The class space of every model, in this order (a set of two models still has this one).
CLASSES = (
    "street_vendor",
    "garbage_bin",
    "bin_overflow",
    "exposed_garbage",
    "manhole_ok",
    "manhole_damaged",
    "manhole_missing",
    "person",
    "vehicle",
)
CLASS_INDEX = {name: index for index, name in enumerate(CLASSES)}
PERSON = CLASS_INDEX["person"]
VEHICLE = CLASS_INDEX["vehicle"]

Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes `xyxyn` float32 [N, 4] as fractions of the frame, scores float32 [N], classes [N]."""

    xyxyn: Boxes
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.scores)
        for label, array, expected in (
            ("xyxyn", self.xyxyn, (n, 4)),
            ("scores", self.scores, (n,)),
            ("classes", self.classes, (n,)),
        ):
            if array.shape != expected:
                raise ValueError(f"{label} has shape {array.shape}; {expected} was expected")

    @classmethod
    def empty(cls) -> Self:
        """No detections."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.scores)

    def only(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Detections":
        """Return those that `keep` names: a mask bool [N], or indices in the order wanted."""
        return Detections(self.xyxyn[keep], self.scores[keep], self.classes[keep])

    def joined(self, other: "Detections") -> "Detections":
        """Return these and the other's, in this order."""
        return Detections(
            np.concatenate([self.xyxyn, other.xyxyn]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.classes, other.classes]),
        )


def iou_matrix(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Intersection over union of boxes [N, 4] and [M, 4], as [N, M]; 0 where both are empty."""
    overlap = intersection_matrix(a, b)
    union = area(a)[:, None] + area(b)[None, :] - overlap
    safe = np.where(union > 0, union, np.float32(1))
    ratio: NDArray[np.float32] = (overlap / safe).astype(np.float32)
    return ratio


def intersection_matrix(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Areas shared by boxes [N, 4] and [M, 4], as [N, M]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides: NDArray[np.float32] = np.clip(high - low, 0, None)
    shared: NDArray[np.float32] = sides[..., 0] * sides[..., 1]
    return shared


def area(boxes: Boxes) -> NDArray[np.float32]:
    """Areas of boxes [N, 4], as [N]; 0 for an inverted box."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    result: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return result
