"""Heads and plates made unreadable, before anything is written or sent.

A region is painted over with one grey. Blur and mosaics can be undone where what lies behind is
guessable (a plate has a few characters); what was painted over depends on nothing that was there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from edge_agent.detections import PERSON, VEHICLE, Detections
from edge_agent.frames import Rgb
from edge_agent.zones import Box

# Masking a lamp post costs little, a face in a case file costs much: far below any threshold of
# a look.
MASK_SCORE = 0.15

FILL_RGB = (96, 96, 96)

# The head is in the top third of a person or rider, enlarged by a fifth to each side; of people
# so small that a third is a few pixels the whole box is masked.
HEAD_SHARE = 1 / 3
HEAD_ENLARGE = 0.2
WHOLE_PERSON_PX = 80
PLATE_SHARE = 1 / 2


@dataclass(frozen=True, slots=True)
class MaskRegions:
    """What is masked in a frame and the looks around it, as boxes in fractions of the picture."""

    boxes_xyxyn: tuple[Box, ...]

    @classmethod
    def of(cls, looks: Iterable[Detections], height_px: int) -> "MaskRegions":
        """The union over several looks of heads and plates.

        `height_px` is of the picture that will be masked: it decides what a small person is.
        """
        boxes = {box for detections in looks for box in _regions(detections, height_px)}
        return cls(tuple(sorted(boxes)))

    def applied(self, picture: Rgb) -> Rgb:
        """A copy of a picture [H, W, 3] with each region painted over, the rest untouched."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(
                f"picture is {picture.dtype} {picture.shape}; uint8 [H, W, 3] was expected"
            )
        masked = picture.copy()
        for box in self.boxes_xyxyn:
            rows, columns = _pixels(box, picture.shape[1], picture.shape[0])
            masked[rows, columns] = FILL_RGB
        return masked


def _regions(detections: Detections, height_px: int) -> Iterable[Box]:
    rows = zip(
        detections.xyxyn.tolist(),
        detections.scores.tolist(),
        detections.classes.tolist(),
        strict=True,
    )
    for (x1, y1, x2, y2), score, index in rows:
        if score < MASK_SCORE or index not in (PERSON, VEHICLE):
            continue
        box = (x1, y1, x2, y2)
        yield _clipped(_head(box, height_px) if index == PERSON else _plates(box))


def _head(box: Box, height_px: int) -> Box:
    x1, y1, x2, y2 = box
    if (y2 - y1) * height_px < WHOLE_PERSON_PX:
        return box
    width, height = x2 - x1, (y2 - y1) * HEAD_SHARE
    dx, dy = HEAD_ENLARGE * width, HEAD_ENLARGE * height
    return x1 - dx, y1 - dy, x2 + dx, y1 + height + dy


def _plates(box: Box) -> Box:
    x1, y1, x2, y2 = box
    return x1, y2 - (y2 - y1) * PLATE_SHARE, x2, y2


def _clipped(box: Box) -> Box:
    x1, y1, x2, y2 = (min(1.0, max(0.0, value)) for value in box)
    return x1, y1, x2, y2


def _pixels(box: Box, width: int, height: int) -> tuple[slice, slice]:
    """Every pixel that the box touches: rows and columns."""
    x1, y1, x2, y2 = box
    return (
        slice(floor(y1 * height), ceil(y2 * height)),
        slice(floor(x1 * width), ceil(x2 * width)),
    )
