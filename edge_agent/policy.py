"""The rules of one camera, resolved: what each category needs to be raised, kept and cleared."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from contract.catalogue import Category, Family
from edge_agent.config import CameraConfig, Rule
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

    @classmethod
    def of(cls, config: CameraConfig, thresholds: Mapping[str, tuple[float, float]]) -> Self:
        """Resolve a camera's rules with a model card's thresholds: class to (raise, keep).

        A rule's own `score_min` replaces `raise` and scales `keep` with it. Raises ConfigError
        for a zone that is no plain outline.
        """
        terms = {category: _terms(config, category, *thresholds[category]) for category in Category}
        return cls(terms, Zones.of(config.zones, config.camera.timezone))

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

    def reopen_s(self, family: Family) -> float:
        """How long a cleared issue of this family can be continued."""
        return max(terms.reopen_s for key, terms in self.terms.items() if key.family is family)


def _terms(config: CameraConfig, category: Category, card_raise: float, card_keep: float) -> Terms:
    rule = config.rule(category)
    raise_score = card_raise if rule.score_min is None else rule.score_min
    keep_share = min(1.0, card_keep / card_raise) if card_raise > 0 else 1.0
    return Terms(rule, raise_score, raise_score * keep_share, config.look(category).every_s)
