"""The evidence that gathers at one place: whether something stands there, and since when."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contract.catalogue import Category, Family
from contract.messages import Severity
from edge_agent.clock import Instant
from edge_agent.observations import Finding, iou
from edge_agent.policy import Terms
from edge_agent.zones import Box

# Below this overlap between where a candidate was first seen and where it now is, it has moved:
# its dwell time starts anew there. A thing that rolls on never stands; one that parks does.
STILL_IOU = 0.5
# Seen in fewer than this share of all visible looks, a candidate flickers and is not raised.
MIN_SEEN_SHARE = 0.5
# Votes for a category follow this much slower than score and box: what a thing is changes rarely.
VOTE_SHARE = 1 / 4
# An open issue changes its category when another's votes exceed its own by this factor.
CATEGORY_LEAD = 1.25
# What hides a place from one spot for so long, in so many looks, is parked before it; what passes,
# or happens to stand where another stood before, is not.
PARKED_IOU = 0.7
PARKED_FROM_S = 3.0
PARKED_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a place was seen, of how many visible looks, over how many counted seconds."""

    seen: int = 0
    visible: int = 0
    window_s: float = 0.0

    def plus(self, *, seen: bool, seconds: float) -> "Tally":
        """Count one more visible look; `seconds` below zero take some back."""
        window_s = max(0.0, self.window_s + seconds)
        return Tally(self.seen + seen, self.visible + 1, window_s)


@dataclass(frozen=True, slots=True)
class Issue:
    """What was last reported about a place."""

    issue_id: UUID
    revision: int
    category: Category
    severity: Severity
    reported_at: Instant
    box: Box


@dataclass(frozen=True, slots=True)
class Occlusion:
    """What stands before a place: in how many looks, since when, and when it was last seen."""

    box: Box
    looks: int
    since: Instant
    at: Instant

    @property
    def is_parked(self) -> bool:
        """Whether it stands there, and does not only pass."""
        long = self.at.seconds_since(self.since) >= PARKED_FROM_S
        return long and self.looks >= PARKED_LOOKS


@dataclass(frozen=True, slots=True)
class Place:
    """One place with something on it: a candidate while `issue` is None, else an open issue.

    `anchor` is where it stands and never follows slowly; `box` is the smoothed box of late.
    `history` holds the last visible looks, the newest last; `standing` counts since it stands
    there, `missing` since it was last found. `votes` are mean scores by category. `withheld` is
    true once raising it was held back by a suppression.
    """

    family: Family
    category: Category
    anchor: Box
    box: Box
    score: float
    votes: tuple[tuple[Category, float], ...]
    history: tuple[bool, ...]
    standing: Tally
    missing: Tally
    first_seen_at: datetime
    seen_at: Instant
    observed_at: Instant
    issue: Issue | None = None
    behind: Occlusion | None = None
    withheld: bool = False

    @classmethod
    def founded(cls, finding: Finding, at: Instant) -> "Place":
        """Start a candidate where something was seen for the first time."""
        return cls(
            family=finding.category.family,
            category=finding.category,
            anchor=finding.box_xyxyn,
            box=finding.box_xyxyn,
            score=finding.score,
            votes=((finding.category, finding.vote),),
            history=(True,),
            standing=Tally(1, 1),
            missing=Tally(),
            first_seen_at=at.utc,
            seen_at=at,
            observed_at=at,
        )

    @property
    def is_open(self) -> bool:
        """Whether an issue is open here."""
        return self.issue is not None

    @property
    def strength(self) -> float:
        """The mean score, weighed with how often it was seen of late: who wins a contested spot."""
        return self.score * sum(self.history) / len(self.history) if self.history else 0.0

    def shows(self, box: Box, same: Callable[[Box, Box], bool]) -> bool:
        """Say whether a box belongs here; an open issue never follows what moves away."""
        return same(box, self.anchor) or (not self.is_open and same(box, self.box))

    def seen(self, findings: Iterable[Finding], at: Instant, terms: Terms) -> "Place":
        """Count a look that showed it; `findings` are those that belong here, at least one."""
        found = tuple(findings)
        pace = 2 / (terms.rule.of_n + 1)
        best = max(found, key=lambda one: one.score * (0.1 + iou(one.box_xyxyn, self.box)))
        top = max(one.score for one in found)
        votes = _voted(self.votes, found, max(VOTE_SHARE * pace, 1 / (self.standing.seen + 1)))
        place = replace(
            self._counted(seen=True, at=at, terms=terms),
            behind=None,
            box=_blend(self.box, best.box_xyxyn, pace),
            score=self.score + pace * (top - self.score),
            votes=votes,
            category=_elected(votes, self.category, CATEGORY_LEAD if self.is_open else 1.0),
            seen_at=later(self.seen_at, at),
        )
        return place.settled(at)

    def unseen(self, at: Instant, terms: Terms, weight: float = 1.0) -> "Place":
        """Count a look in which the place was visible and empty.

        `weight` says how surely; it slows the clearing of an open issue and excuses no candidate.
        """
        return self._counted(seen=False, at=at, terms=terms, weight=weight if self.is_open else 1.0)

    def hidden(self, by: Box, at: Instant) -> "Place":
        """Remember what stands before the place."""
        behind = self.behind
        if behind is None or iou(behind.box, by) < PARKED_IOU:
            return replace(self, behind=Occlusion(by, 1, at, at))
        return replace(self, behind=Occlusion(by, behind.looks + 1, behind.since, at))

    def is_behind_parked(self, at: Instant, terms: Terms) -> bool:
        """Say whether something parked before the place is probably still there.

        A detector loses a parked lorry for some looks; a place is not visible because of that.
        """
        return (
            self.behind is not None
            and self.behind.is_parked
            and at.seconds_since(self.behind.at) <= terms.parked_s
        )

    def stands(self, terms: Terms) -> bool:
        """Say whether m of the last n looks showed it, for its dwell time, clearly enough."""
        rule = terms.rule
        return (
            sum(self.history) >= rule.seen_m
            and self.standing.window_s >= terms.dwell_s
            and self.standing.seen >= MIN_SEEN_SHARE * self.standing.visible
            and self.score >= terms.raise_score
        )

    def is_gone(self, terms: Terms) -> bool:
        """Say whether m of the last n visible looks missed it, for the clearing time."""
        missed_long = self.missing.window_s >= terms.clear_after_s
        return missed_long and _is_mostly_missed(self.history, terms)

    def has_lapsed(self, terms: Terms) -> bool:
        """Say whether a candidate was missed for so long that it is none."""
        missed_long = self.missing.window_s > terms.lapse_s
        return missed_long and _is_mostly_missed(self.history, terms)

    def is_forgotten(self, at: Instant, terms: Terms) -> bool:
        """Say whether a candidate was not seen, visible or not, for so long that it starts anew."""
        return at.seconds_since(self.seen_at) > terms.forget_s

    def settled(self, at: Instant) -> "Place":
        """Start a candidate's dwell time anew when it has moved away from its anchor."""
        if self.is_open or iou(self.box, self.anchor) >= STILL_IOU:
            return self
        return replace(
            self, anchor=self.box, standing=Tally(1, 1), missing=Tally(), first_seen_at=at.utc
        )

    def _counted(self, *, seen: bool, at: Instant, terms: Terms, weight: float = 1.0) -> "Place":
        elapsed_s = at.seconds_since(self.observed_at)
        fresh = self.history if elapsed_s <= terms.stale_s else ()
        history = (*fresh, seen)[-terms.rule.of_n :]
        gone = _is_mostly_missed(history, terms)
        missing_s = (-1.0 if seen else weight) * min(elapsed_s, terms.missing_step_s)
        standing_s = 0.0 if gone else min(elapsed_s, terms.standing_step_s)
        found_again = seen and not gone
        return replace(
            self,
            history=history,
            missing=Tally() if found_again else self.missing.plus(seen=seen, seconds=missing_s),
            standing=self.standing.plus(seen=seen, seconds=standing_s),
            observed_at=later(self.observed_at, at),
        )


def later(known: Instant, at: Instant) -> Instant:
    """The later of two moments; a moment of another boot is later, whatever the wall clock says."""
    if known.boot_id == at.boot_id and known.monotonic_s > at.monotonic_s:
        return known
    return at


def _is_mostly_missed(history: tuple[bool, ...], terms: Terms) -> bool:
    return history.count(False) >= terms.rule.seen_m


def _blend(box: Box, towards: Box, pace: float) -> Box:
    x1, y1, x2, y2 = (
        round(old + pace * (new - old), 6) for old, new in zip(box, towards, strict=True)
    )
    return x1, y1, x2, y2


def _voted(
    votes: tuple[tuple[Category, float], ...], found: tuple[Finding, ...], pace: float
) -> tuple[tuple[Category, float], ...]:
    scores = dict(votes)
    for category in {*scores, *(one.category for one in found)}:
        score = max((one.vote for one in found if one.category is category), default=0.0)
        old = scores.get(category, 0.0)
        scores[category] = old + pace * (score - old)
    return tuple(sorted(scores.items()))


def _elected(votes: tuple[tuple[Category, float], ...], current: Category, lead: float) -> Category:
    best, score = max(votes, key=lambda vote: vote[1])
    return best if score > lead * dict(votes)[current] else current
