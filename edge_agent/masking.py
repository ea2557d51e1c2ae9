"""Heads, riders and plates made unreadable, before anything is written or sent.

A region is painted over with one grey. Blur and mosaics can be undone where what lies behind is
guessable (a plate has a few characters); what was painted over depends on nothing that was there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from edge_agent.detections import PERSON, VEHICLE, Detections, iou_matrix
from edge_agent.frames import Rgb
from edge_agent.zones import Box

# Masking a lamp post costs little, a face in a case file costs much: far below any threshold of
# a look. From 0.15 down to 0.05 recall of heads gains most and masked area grows little
# (`gridwatch-bench masking`).
MASK_SCORE = 0.05

FILL_RGB = (96, 96, 96)

# The head is in the top third of a person, enlarged by a fifth to each side; of people so small
# that a third is a few pixels the whole box is masked.
HEAD_SHARE = 1 / 3
HEAD_ENLARGE = 0.2
WHOLE_PERSON_PX = 80
# Plates are in the lower half of a vehicle. A vehicle narrower than this many times its height is
# a motorcycle with its rider in one box, whose head is anywhere in the upper half: masked whole.
PLATE_SHARE = 1 / 2
RIDER_ASPECT = 1.3
# Masks of so long before and after a picture are kept on it.
MASK_WINDOW_S = 1.0
# What another class wins by score on a vehicle's spot is no vehicle: a cart stays visible.
SAME_SPOT_IOU = 0.5

_SAMPLES = (np.arange(16) + 0.5) / 16


@dataclass(frozen=True, slots=True)
class MaskRegions:
    """What is masked in a frame and the looks around it, as boxes in fractions of the picture."""

    boxes_xyxyn: tuple[Box, ...]

    @classmethod
    def of(cls, looks: Iterable[Detections], size_px: tuple[int, int]) -> "MaskRegions":
        """The union over several looks of heads, riders and plates.

        `size_px` (width, height) is of the picture that will be masked: it decides what a small
        person is, and which vehicle is a rider's.
        """
        boxes = {box for detections in looks for box in _regions(detections, size_px)}
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

    def share_of(self, box: Box) -> float:
        """How much of a box these regions cover, 0 to 1, sampled at 16 × 16 points."""
        x1, y1, x2, y2 = box
        xs, ys = x1 + (x2 - x1) * _SAMPLES, y1 + (y2 - y1) * _SAMPLES
        covered = np.zeros((len(_SAMPLES), len(_SAMPLES)), np.bool_)
        for mx1, my1, mx2, my2 in self.boxes_xyxyn:
            covered |= ((ys >= my1) & (ys <= my2))[:, None] & ((xs >= mx1) & (xs <= mx2))[None, :]
        return float(covered.mean())


@dataclass(frozen=True, slots=True, eq=False)
class MaskedPicture:
    """A whole picture, RGB [H, W, 3], on which the masker ran: the only kind that is written."""

    array: Rgb

    @classmethod
    def of(cls, picture: Rgb, looks: Iterable[Detections]) -> "MaskedPicture":
        """Mask a picture [H, W, 3] with what was found in it and in the looks around it."""
        height, width = picture.shape[:2]
        return cls(MaskRegions.of(looks, (width, height)).applied(picture))

    @classmethod
    def as_it_is(cls, picture: Rgb) -> "MaskedPicture":
        """Take a picture unmasked: only for cameras whose file says `privacy.mask: false`."""
        return cls(picture)


def _regions(detections: Detections, size_px: tuple[int, int]) -> Iterable[Box]:
    width_px, height_px = size_px
    people = detections.only((detections.classes == PERSON) & (detections.scores >= MASK_SCORE))
    for x1, y1, x2, y2 in people.xyxyn.tolist():
        yield _clipped(_head((x1, y1, x2, y2), height_px))
    for x1, y1, x2, y2 in _vehicles(detections).xyxyn.tolist():
        rider = (x2 - x1) * width_px < RIDER_ASPECT * (y2 - y1) * height_px
        yield _clipped((x1, y1 if rider else y2 - (y2 - y1) * PLATE_SHARE, x2, y2))


def _vehicles(detections: Detections) -> Detections:
    """Vehicles that are at least faintly seen and that no thing of a street beats on its spot."""
    vehicles = detections.only((detections.classes == VEHICLE) & (detections.scores >= MASK_SCORE))
    things = detections.only((detections.classes != VEHICLE) & (detections.classes != PERSON))
    same = iou_matrix(vehicles.xyxyn, things.xyxyn) > SAME_SPOT_IOU
    beaten = same & (things.scores[None, :] > vehicles.scores[:, None])
    return vehicles.only(np.flatnonzero(~beaten.any(axis=1)))


def _head(box: Box, height_px: int) -> Box:
    x1, y1, x2, y2 = box
    if (y2 - y1) * height_px < WHOLE_PERSON_PX:
        return box
    width, height = x2 - x1, (y2 - y1) * HEAD_SHARE
    dx, dy = HEAD_ENLARGE * width, HEAD_ENLARGE * height
    return x1 - dx, y1 - dy, x2 + dx, y1 + height + dy


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
