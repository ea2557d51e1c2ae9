"""The rules of one camera, resolved: what each category needs to be raised, kept and cleared."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from contract.catalogue import Category, Family
from edge_agent.config import CameraConfig, Rule
from edge_agent.looks import Look
from edge_agent.observations import intersection, iou, same_place
from edge_agent.place import CameraPlace
from edge_agent.sun import is_night
from edge_agent.suppressions import Suppression
from edge_agent.zones import Box, Zones

# A place whose issue was cleared is the same issue again within this time, or within twice what
# raising and clearing take where that is longer.
REOPEN_S = 600.0

# Time between two looks counts up to this many intervals, or this share of the time to fill: an
# outage or a long occlusion is no evidence that something stood there, or that it was gone.
COUNTED_INTERVALS = 3.0
COUNTED_SHARE = 1 / 8

# A candidate may be missing for this share of its dwell time, and never longer than LAPSE_MAX_S.
LAPSE_SHARE = 1 / 4
LAPSE_MAX_S = 30.0

# The m-of-n window starts anew after so long without a visible look; a candidate that nobody
# could see for so long is forgotten.
STALE_S = 30.0
STALE_INTERVALS = 10.0

# Two boxes that overlap are still two things when they stand farther apart than this, and two that
# hardly overlap are one when they stand nearer than half of it; the centre's caps, metres.
APART_M = {Family.COVER: 1.5, Family.BIN: 3.0, Family.VENDOR: 4.0, Family.GARBAGE: 5.0}
# Above the first overlap (IoU) they are one in any case, below the second never.
ONE_IOU = 0.6
TOUCHING_IOU = 0.1
# A box whose top and sides agree so well with another's, as a share of its size, may be the same
# thing cut short by something before it: its foot is not seen, so the ground says nothing.
CUT_SHARE = 0.2

# A picture with a mean brightness of at least this, of 255, shows a street that is lit.
LIT_LUMA = 40.0


@dataclass(frozen=True, slots=True)
class Terms:
    """One category's rule with its scores, and the times that follow from rule and look interval.

    Scores of at least `raise_score` found a candidate, and their mean must reach it for an issue;
    scores of at least `keep_score` count as seen where a candidate or an issue already is.
    """

    rule: Rule
    raise_score: float
    keep_score: float
    every_s: float

    @property
    def dwell_s(self) -> float:
        """The dwell time to the nearest look: looks fall a little early or late."""
        return max(0.0, self.rule.dwell_s - self.every_s / 2)

    @property
    def clear_after_s(self) -> float:
        """The clearing time to the nearest look."""
        return max(0.0, self.rule.clear_after_s - self.every_s / 2)

    @property
    def standing_step_s(self) -> float:
        """The most that one look adds to the time a thing stands."""
        return max(COUNTED_INTERVALS * self.every_s, COUNTED_SHARE * self.rule.dwell_s)

    @property
    def missing_step_s(self) -> float:
        """The most that one look adds to the time a thing is missing."""
        return max(COUNTED_INTERVALS * self.every_s, COUNTED_SHARE * self.rule.clear_after_s)

    @property
    def lapse_s(self) -> float:
        """How long a candidate may be missing before it is dropped."""
        return max(2 * self.every_s, min(LAPSE_MAX_S, LAPSE_SHARE * self.rule.dwell_s))

    @property
    def parked_s(self) -> float:
        """For how long a parked occluder that is not seen is taken to be still there."""
        return max(COUNTED_INTERVALS * self.every_s, self.rule.clear_after_s)

    @property
    def stale_s(self) -> float:
        """After how long without a visible look the m-of-n window starts anew."""
        return max(STALE_S, STALE_INTERVALS * self.every_s)

    @property
    def forget_s(self) -> float:
        """After how long a candidate is dropped that was not seen, whether visible or not."""
        return max(self.stale_s, self.rule.dwell_s)

    @property
    def reopen_s(self) -> float:
        """How long after clearing the same place continues the same issue."""
        return max(REOPEN_S, 2 * (self.rule.dwell_s + self.rule.clear_after_s))


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """All categories' terms, and the zones and hours in which they are judged."""

    terms: Mapping[Category, Terms]
    zones: Zones
    ground: CameraPlace
    lonlat: tuple[float, float] | None = None
    suppressions: tuple[Suppression, ...] = ()

    @classmethod
    def of(cls, config: CameraConfig, thresholds: Mapping[str, tuple[float, float]]) -> Self:
        """Resolve a camera's rules with a model card's thresholds: class to (raise, keep).

        A rule's own `score_min` replaces `raise` and scales `keep` with it. Raises ConfigError
        for a zone that is no plain outline, PlaceError for ground points that make no plane.
        """
        terms = {category: _terms(config, category, *thresholds[category]) for category in Category}
        zones = Zones.of(config.zones, config.camera.timezone)
        ground = CameraPlace.of(config.place, config.camera.location)
        return cls(terms, zones, ground, config.lonlat)

    @property
    def keep_scores(self) -> dict[Category, float]:
        """From which score on each category counts as seen."""
        return {category: terms.keep_score for category, terms in self.terms.items()}

    def judges(self, category: Category, box_xyxyn: Box, at_utc: datetime) -> bool:
        """Say whether the category is judged at this box at this moment."""
        return self.zones.judge(category, box_xyxyn, at_utc)

    def concerns(self, category: Category, box_xyxyn: Box) -> bool:
        """Say whether the category is judged at this box at any hour; if not, it is withdrawn."""
        return self.zones.concern(category, box_xyxyn)

    def fits(self, category: Category, box_xyxyn: Box) -> bool:
        """Say whether a box is small enough to be one thing of this category."""
        x1, y1, x2, y2 = box_xyxyn
        return max(x2 - x1, y2 - y1) <= self.terms[category].rule.side_max

    def enabled(self, category: Category) -> bool:
        """Say whether the category is judged at all; if not, it is withdrawn."""
        return self.terms[category].rule.enabled

    def asks_for_luma(self, at_utc: datetime) -> bool:
        """Say whether a night policy depends on the picture's brightness now."""
        return self._is_night(at_utc) and any(
            terms.rule.night == "if_lit" for terms in self.terms.values()
        )

    def judged(self, look: Look) -> frozenset[Category]:
        """What a look may be concluded from: by night, only what the night policies allow."""
        asleep = {
            category for category in look.judged if self.terms[category].rule.night != "judge"
        }
        if not asleep or not self._is_night(look.at.utc):
            return look.judged
        if look.luma is not None and look.luma >= LIT_LUMA:
            asleep = {one for one in asleep if self.terms[one].rule.night == "suspend"}
        return look.judged - asleep

    def same_place(self, family: Family, a: Box, b: Box) -> bool:
        """Say whether two boxes show one thing, by overlap and by their distance on the ground.

        Without ground points the overlap alone decides.
        """
        shared, overlap = iou(a, b), same_place(a, b)
        if shared >= ONE_IOU or shared < TOUCHING_IOU or _cut_short(a, b):
            return overlap
        apart = self.ground.apart_m(family, a, b)
        if apart is None:
            return overlap
        distance_m, error_m = apart
        limit_m = APART_M[family]
        if overlap:
            return distance_m <= limit_m + 2 * error_m
        return distance_m <= limit_m / 2 and error_m <= limit_m / 2

    def suppression(
        self, category: Category, box_xyxyn: Box, at_utc: datetime
    ) -> Suppression | None:
        """The suppression that keeps the category from being raised at this box, if any."""
        for one in self.suppressions:
            if one.holds(at_utc) and category is one.category:
                apart = self.ground.apart_m(category.family, one.box_xyxyn, box_xyxyn)
                near = apart is not None and apart[0] <= one.radius_m
                if near or self.same_place(category.family, one.box_xyxyn, box_xyxyn):
                    return one
        return None

    def reopen_s(self, family: Family) -> float:
        """How long a cleared issue of this family can be continued."""
        return max(terms.reopen_s for key, terms in self.terms.items() if key.family is family)

    def _is_night(self, at_utc: datetime) -> bool:
        return self.lonlat is not None and is_night(*self.lonlat, at_utc)


def _terms(config: CameraConfig, category: Category, card_raise: float, card_keep: float) -> Terms:
    rule = config.rule(category)
    raise_score = card_raise if rule.score_min is None else rule.score_min
    keep_share = min(1.0, card_keep / card_raise) if card_raise > 0 else 1.0
    return Terms(rule, raise_score, raise_score * keep_share, config.look(category).longest_s)


def _cut_short(a: Box, b: Box) -> bool:
    """Say whether one box may be the other with its foot hidden, or a part of it."""
    smaller, larger = sorted((a, b), key=lambda box: (box[3] - box[1]) * (box[2] - box[0]))
    width, height = larger[2] - larger[0], larger[3] - larger[1]
    area = (smaller[2] - smaller[0]) * (smaller[3] - smaller[1])
    inside = area > 0 and intersection(a, b) >= (1 - CUT_SHARE) * area
    return inside and (
        abs(smaller[1] - larger[1]) <= CUT_SHARE * height
        and abs(smaller[0] - larger[0]) <= CUT_SHARE * width
        and abs(smaller[2] - larger[2]) <= CUT_SHARE * width
    )
