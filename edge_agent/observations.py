"""What one look shows: things that are wrong, what speaks against them, what hides a place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from contract.catalogue import Category, Family
from edge_agent.detections import CLASSES, Detections
from edge_agent.zones import Box

# Boxes that share so much are one thing: IoU for boxes of like size, containment for a box of a
# part (the heap on a bin's rim, half a cart behind a passer-by) inside the box of the whole.
SAME_IOU = 0.3
SAME_CONTAINMENT = 0.7
SAME_AREA_RATIO = 0.1

# Two classes on one spot compete from this overlap on. What another class explains better is not
# seen: a bin that is more a bin than an overflow, a cover more intact than broken, a parked van.
RIVAL_IOU = 0.5
# People and vehicles may belong to a stall (its seller, its tricycle), so they must win clearly.
RIVAL_LEAD = {"person": 1.3, "vehicle": 1.3}
# Of one heap on one spot only one of these families makes an issue. Single looks waver between
# them, so they compete by evidence over time, in issues.py, and not here.
CONTESTED = frozenset({Family.VENDOR, Family.BIN, Family.GARBAGE})

# What may stand before a place, from which score on, and how much of it must be covered.
OCCLUDERS = frozenset({"person", "vehicle"})
OCCLUDER_SCORE = 0.3
HIDDEN_SHARE = 0.35
_SAMPLES = (np.arange(16) + 0.5) / 16


def box_area(box: Box) -> float:
    """Area of a box; 0 for an inverted one."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def intersection(a: Box, b: Box) -> float:
    """Area shared by two boxes."""
    return box_area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    """Intersection over union; 0 where both are empty."""
    shared = intersection(a, b)
    union = box_area(a) + box_area(b) - shared
    return shared / union if union > 0 else 0.0


def containment(a: Box, b: Box) -> float:
    """How much of the smaller box lies in the other."""
    smaller = min(box_area(a), box_area(b))
    return intersection(a, b) / smaller if smaller > 0 else 0.0


def same_place(a: Box, b: Box) -> bool:
    """Say whether two boxes show one thing; symmetric, not transitive."""
    shared = intersection(a, b)
    if shared == 0:
        return False
    smaller, larger = sorted((box_area(a), box_area(b)))
    if shared >= SAME_IOU * (smaller + larger - shared):
        return True
    return smaller >= SAME_AREA_RATIO * larger and shared >= SAME_CONTAINMENT * smaller


@dataclass(frozen=True, slots=True)
class Finding:
    """One box of something that is wrong, unbeaten by anything on its spot."""

    category: Category
    box_xyxyn: Box
    score: float


@dataclass(frozen=True, slots=True)
class Scene:
    """One look, sorted out: findings with the best score first, and what stands before them."""

    findings: tuple[Finding, ...]
    occluders: tuple[Box, ...]

    @classmethod
    def of(
        cls, detections: Detections, judged: Iterable[Category], keep: Mapping[Category, float]
    ) -> Self:
        """Sort out the detections: of `judged` what scores at least `keep` and is not beaten."""
        boxes = _by_class(detections)
        findings = [
            Finding(category, box, score)
            for category in sorted(judged)
            for box, score in boxes[category.value]
            if score >= keep[category] and not _beaten(box, score, _RIVALS[category], boxes)
        ]
        findings.sort(key=lambda found: (-found.score, found.category, found.box_xyxyn))
        occluders = tuple(
            box
            for name in sorted(OCCLUDERS)
            for box, score in boxes[name]
            if score >= OCCLUDER_SCORE
        )
        return cls(tuple(findings), occluders)

    def of_family(self, family: Family) -> tuple[Finding, ...]:
        """The findings of one family, the best score first."""
        return tuple(found for found in self.findings if found.category.family is family)

    def hides(self, family: Family, box_xyxyn: Box) -> bool:
        """Say whether people and vehicles cover so much of a place that nothing follows from it.

        What ends above the middle of an upright thing's box stands behind it and hides nothing;
        a cover lies flat, so whatever overlaps it hides it.
        """
        x1, y1, x2, y2 = box_xyxyn
        middle = (y1 + y2) / 2
        before = [box for box in self.occluders if family is Family.COVER or box[3] > middle]
        return _covered_share((x1, y1, x2, y2), before) > HIDDEN_SHARE


def _rivals(category: Category) -> tuple[str, ...]:
    own = CONTESTED if category.family in CONTESTED else {category.family}
    allies = {other.value for other in Category if other.family in own}
    return tuple(name for name in CLASSES if name not in allies)


_RIVALS = {category: _rivals(category) for category in Category}


def _by_class(detections: Detections) -> dict[str, list[tuple[Box, float]]]:
    found: dict[str, list[tuple[Box, float]]] = {name: [] for name in CLASSES}
    rows = zip(
        detections.xyxyn.tolist(),
        detections.scores.tolist(),
        detections.classes.tolist(),
        strict=True,
    )
    for (x1, y1, x2, y2), score, index in rows:
        box = (_fraction(x1), _fraction(y1), _fraction(x2), _fraction(y2))
        if box_area(box) > 0:
            found[CLASSES[index]].append((box, min(1.0, score)))
    return found


def _fraction(value: float) -> float:
    # Six digits are a thousandth of a pixel; they keep reports and state short and equal.
    return round(min(1.0, max(0.0, value)), 6)


def _beaten(
    box: Box, score: float, rivals: tuple[str, ...], boxes: dict[str, list[tuple[Box, float]]]
) -> bool:
    return any(
        other_score > RIVAL_LEAD.get(name, 1.0) * score and iou(box, other) > RIVAL_IOU
        for name in rivals
        for other, other_score in boxes[name]
    )


def _covered_share(box: Box, covers: list[Box]) -> float:
    if not covers:
        return 0.0
    x1, y1, x2, y2 = box
    xs = x1 + (x2 - x1) * _SAMPLES
    ys = y1 + (y2 - y1) * _SAMPLES
    covered: NDArray[np.bool_] = np.zeros((len(_SAMPLES), len(_SAMPLES)), np.bool_)
    for cx1, cy1, cx2, cy2 in covers:
        covered |= ((ys >= cy1) & (ys <= cy2))[:, None] & ((xs >= cx1) & (xs <= cx2))[None, :]
    return float(covered.mean())
