"""What one look shows: things that are wrong, what speaks against them, what hides a place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from contract.catalogue import Category, Family, categories_of
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
# A vehicle with the outline and the foot of an upright thing stands in its stead, not before it.
SAME_FOOT = 0.1

# What a place looks like when all is well there, and from which score on that is relied on.
INTACT = {Family.COVER: "manhole_ok", Family.BIN: "garbage_bin"}
INTACT_SCORE = 0.3
# How much better the intact thing must explain the place for a look to count as a whole miss.
INTACT_LEAD = 1.25
# Below this share of its `keep` score a thing is not there at all; between, it is doubtful.
FAINT_SHARE = 0.5
# Doubtful looks count for so little, but count: what never comes back is cleared in the end.
MIN_ABSENCE = 0.1
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
    """One box of something that is wrong.

    `score` is its family's: how surely something of the family is there, whatever its category;
    `vote` is this category's own share of it.
    """

    category: Category
    box_xyxyn: Box
    score: float
    vote: float


@dataclass(frozen=True, slots=True)
class Absence:
    """What a look that does not show a thing says about its place.

    `weight` is how much the look counts as a miss: 1 for a bare or intact place in full view, 0
    when it says nothing. `occluder` hides the place; `intact` was seen there.
    """

    weight: float
    occluder: Box | None = None
    intact: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One look, sorted out: findings with the best score first, and what stands before them.

    `faint` holds the beaten and doubtful ones too; `intact` what is well, by family.
    """

    findings: tuple[Finding, ...]
    occluders: tuple[tuple[str, Box], ...]
    faint: tuple[Finding, ...] = ()
    intact: tuple[tuple[Family, Box, float], ...] = ()

    @classmethod
    def of(
        cls, detections: Detections, judged: Iterable[Category], keep: Mapping[Category, float]
    ) -> Self:
        """Sort out the detections: of `judged` what scores at least `keep` and is not beaten."""
        boxes = _by_class(detections)
        faint = [
            Finding(category, box, _family_score(category, box, score, boxes), score)
            for category in sorted(judged)
            for box, score in boxes[category.value]
            if score >= FAINT_SHARE * keep[category]
        ]
        faint.sort(key=lambda found: (-found.score, -found.vote, found.category, found.box_xyxyn))
        findings = [
            found
            for found in faint
            if found.score >= keep[found.category] and not _beaten(found, boxes)
        ]
        occluders = tuple(
            (name, box)
            for name in sorted(OCCLUDERS)
            for box, score in boxes[name]
            if score >= OCCLUDER_SCORE
        )
        intact = tuple(
            (family, box, score) for family, name in INTACT.items() for box, score in boxes[name]
        )
        return cls(tuple(findings), occluders, tuple(faint), intact)

    def of_family(self, family: Family) -> tuple[Finding, ...]:
        """The findings of one family, the best score first."""
        return tuple(found for found in self.findings if found.category.family is family)

    def covered(self, family: Family, box_xyxyn: Box) -> float:
        """How much of a place people and vehicles cover, as a share of it.

        What ends above the middle of an upright thing's box stands behind it and hides nothing,
        and a vehicle of its outline and foot stands in its stead: two things cannot share the
        ground. A cover lies flat, so whatever overlaps it hides it.
        """
        return _covered_share(box_xyxyn, self._before(family, box_xyxyn))

    def hides(self, family: Family, box_xyxyn: Box) -> bool:
        """Say whether so much of a place is covered that nothing follows from it."""
        return self.covered(family, box_xyxyn) > HIDDEN_SHARE

    def absence(self, family: Family, box_xyxyn: Box, keep_score: float) -> Absence:
        """Say what follows from a look in which a place shows no finding.

        An intact thing there is visible, and weighs by how much better it explains the place.
        Else the look weighs the less, the more of the place is covered and the nearer the best
        score there still comes to `keep_score`.
        """
        score = max(
            (
                one.score
                for one in self.faint
                if one.category.family is family and same_place(one.box_xyxyn, box_xyxyn)
            ),
            default=0.0,
        )
        well = self._intact_at(family, box_xyxyn)
        if well >= INTACT_SCORE and well > score:
            lead = (well / score - 1) / (INTACT_LEAD - 1) if score > 0 else 1.0
            return Absence(min(1.0, max(MIN_ABSENCE, lead)), intact=True)
        before = self._before(family, box_xyxyn)
        covered = _covered_share(box_xyxyn, before)
        if covered > HIDDEN_SHARE:
            return Absence(0.0, max(before, key=lambda box: intersection(box, box_xyxyn)))
        sure = 1.0
        if score < keep_score:
            sure = (keep_score - score) / ((1 - FAINT_SHARE) * keep_score)
        return Absence(min(1.0, max(MIN_ABSENCE, sure)) * (1 - covered / HIDDEN_SHARE))

    def _before(self, family: Family, box: Box) -> list[Box]:
        if family is Family.COVER:
            return [occluder for _, occluder in self.occluders]
        middle = (box[1] + box[3]) / 2
        return [
            occluder
            for name, occluder in self.occluders
            if occluder[3] > middle and not (name == "vehicle" and _replaces(occluder, box))
        ]

    def _intact_at(self, family: Family, box: Box) -> float:
        return max(
            (
                score
                for kind, other, score in self.intact
                if kind is family and iou(other, box) > RIVAL_IOU
            ),
            default=0.0,
        )


def _replaces(occluder: Box, box: Box) -> bool:
    """Say whether a vehicle stands where an upright thing stood, so that it is gone."""
    return (
        iou(occluder, box) > RIVAL_IOU
        and abs(occluder[3] - box[3]) <= (box[3] - box[1]) * SAME_FOOT
    )


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


def _family_score(
    category: Category, box: Box, score: float, boxes: dict[str, list[tuple[Box, float]]]
) -> float:
    """How surely something of the family is there: a detector divides its score between states.

    Noisy-or over the best box of each category on the spot.
    """
    doubt = 1 - score
    for other in categories_of(category.family):
        if other is not category:
            near = [s for b, s in boxes[other.value] if iou(b, box) > RIVAL_IOU]
            doubt *= 1 - max(near, default=0.0)
    return round(1 - doubt, 6)


def _beaten(found: Finding, boxes: dict[str, list[tuple[Box, float]]]) -> bool:
    return any(
        score > RIVAL_LEAD.get(name, 1.0) * found.score and _on_the_spot(name, box, found.box_xyxyn)
        for name in _RIVALS[found.category]
        for box, score in boxes[name]
    )


def _on_the_spot(rival: str, box: Box, found: Box) -> bool:
    """Say whether two boxes may be of one thing, which is only one of both.

    Covers lie apart, so that whatever lies on an intact one is that one; bins stand in rows.
    """
    if rival == INTACT[Family.COVER]:
        return same_place(box, found)
    return iou(box, found) > RIVAL_IOU


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
