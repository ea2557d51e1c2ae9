"""Whether an issue is a case that is open already: the same, perhaps, or a new one. Pure.

The rules are those of DESIGN.md, "Duplicates":

1. Two issues visible at the same time in one camera are never the same.
2. Same family, overlapping in time, and within 2·√(e₁² + e₂²) metres and the family's cap, or the
   same component: the same case.
3. An error above the cap, or two cases that qualify: proposed to a person, not merged.
4. A pair that a person split is never joined again.

Distances are metres on a local plane around the issue (equirectangular; under 0.1 % off within a
kilometre). Positions are WGS-84/CGCS2000 degrees.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from msgspec import Struct

from contract.catalogue import Family
from contract.messages import Phase

EARTH_RADIUS_M = 6_371_008.8
_CAPS_M = {Family.COVER: 1.5, Family.BIN: 3.0, Family.VENDOR: 4.0, Family.GARBAGE: 5.0}


@dataclass(frozen=True, slots=True)
class DuplicateRules:
    """How far apart, in metres and seconds, two issues may lie and still be one.

    `gap_s` widens each issue's time, because cameras confirm and clear at different speeds.
    `reach_s` is how long a sighting without news still counts as going on.
    `propose_within_m` bounds what is proposed where positions are too coarse to merge.
    `recurs_within_h` is how long after its closing a case is named by a new one at its place.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    caps_m: dict[Family, float] = field(default_factory=lambda: dict(_CAPS_M))
    gap_s: float = 60.0
    reach_s: float = 43_200.0
    propose_within_m: float = 60.0
    proposals_max: int = 3
    recurs_within_h: float = 168.0

    def __post_init__(self) -> None:
        wrong = {name: cap for name, cap in self.caps_m.items() if not 0 < cap <= 50}
        if wrong:
            raise ValueError(f"caps_m {wrong}: above 0 and at most 50 m were expected")

    def cap_m(self, family: Family) -> float:
        """The farthest that two issues of this family may lie apart."""
        return self.caps_m.get(family, _CAPS_M[family])


class Place(Struct, frozen=True, gc=False, array_like=True):
    """A point in degrees and the radius of its error in metres."""

    lon: float
    lat: float
    error_m: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """One camera's issue, as far as duplicates care."""

    issue_id: UUID
    agent_id: str
    camera_id: str
    family: Family
    phase: Phase
    first_seen_at: datetime
    last_seen_at: datetime
    place: Place | None = None
    component: tuple[str, str] | None = None

    @property
    def live(self) -> bool:
        """Whether its camera still sees it, as far as it told."""
        return self.phase in {Phase.RAISED, Phase.UPDATED}


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case nearby, with the sightings that it holds."""

    case_id: int
    number: str
    sightings: tuple[Sighting, ...]


class Verdict(StrEnum):
    """What becomes of an issue."""

    SAME = "same"
    PROPOSE = "propose"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Match:
    """One case that an issue is, or may be, part of; `because` says it with its numbers."""

    case_id: int
    because: str


@dataclass(frozen=True, slots=True)
class Decision:
    """SAME names one case; PROPOSE opens a new case and names those it may belong to."""

    verdict: Verdict
    matches: tuple[Match, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Why two sightings may be one, in numbers; `firm` where nothing speaks against it.

    `component` is the one that both are of; what follows it counts only where that is None.
    """

    firm: bool
    gap_s: float
    distance_m: float = 0.0
    component: tuple[str, str] | None = None
    limit_m: float = 0.0
    cap_m: float = 0.0
    errors_m: tuple[float, float] = (0.0, 0.0)

    def match(self, case: OpenCase) -> Match:
        """The case that one of the two is part of, with the reason in words."""
        apart = f"相隔 {self.gap_s:.0f} s apart" if self.gap_s else "同时 at the same time"
        if self.component is not None:
            component_id, standard = self.component
            because = (
                f"与案卷 {case.number} 为同一部件 same component {component_id} ({standard})"
                f" as the case, {apart}"
            )
            return Match(case.case_id, because)
        one_m, other_m = self.errors_m
        errors = f"{one_m:.1f} + {other_m:.1f} m"
        because = (
            f"距案卷 {case.number} {self.distance_m:.1f} m（限 {self.limit_m:.1f} m），"
            f"误差 {errors}，同类。 {self.distance_m:.1f} m from the case, "
            f"limit {self.limit_m:.1f} m, errors {errors}, same family, {apart}"
        )
        if not self.firm:
            because += f"; 误差超过上限 an error is above the {self.cap_m:g} m cap"
        return Match(case.case_id, because)


def distance_m(one: Place, other: Place) -> float:
    """Metres between two places, on a plane that touches the earth between them."""
    mean_lat = math.radians((one.lat + other.lat) / 2)
    east = math.radians(_turn(one.lon - other.lon)) * math.cos(mean_lat)
    north = math.radians(one.lat - other.lat)
    return EARTH_RADIUS_M * math.hypot(east, north)


def _turn(degrees: float) -> float:
    """A difference of longitudes the short way round."""
    return (degrees + 180) % 360 - 180


def search_radius_m(place: Place, rules: DuplicateRules, family: Family) -> float:
    """How far around `place` a case must be looked for; nothing beyond it can match."""
    if place.error_m > rules.cap_m(family):
        return rules.propose_within_m
    return max(rules.cap_m(family), rules.propose_within_m)


def decide(
    issue: Sighting,
    cases: Sequence[OpenCase],
    rules: DuplicateRules,
    cannot_link: frozenset[UUID] = frozenset(),
) -> Decision:
    """Say what `issue` is, among the open cases nearby.

    `cannot_link` holds the issues that a person separated from this one. The order of `cases`
    does not matter.
    """
    found = [
        (finding, case)
        for case in cases
        if not _excluded(issue, case, cannot_link)
        if (finding := _compare(issue, case, rules)) is not None
    ]
    found.sort(key=lambda one: (one[0].distance_m, one[1].case_id))
    firm = [one for one in found if one[0].firm]
    if len(firm) == 1:
        finding, case = firm[0]
        match = finding.match(case)
        return Decision(Verdict.SAME, (match,), match.because)
    if firm:
        why = f"{len(firm)} 个在办案卷均符合 open cases qualify"
        return _propose(firm, why, rules)
    if found:
        return _propose(found, "误差过大，不能确定 no open case is near enough to be sure", rules)
    return Decision(Verdict.NEW, (), _why_new(len(cases)))


def _why_new(nearby: int) -> str:
    if nearby == 0:
        return "新案卷：附近没有在办案卷。 new case: none open nearby"
    return f"新案卷：附近 {nearby} 个在办案卷，均不符合。 new case: {nearby} open nearby, no match"


def _propose(
    found: Sequence[tuple[Finding, OpenCase]], why: str, rules: DuplicateRules
) -> Decision:
    matches = tuple(finding.match(case) for finding, case in found[: rules.proposals_max])
    said = "; ".join(match.because for match in matches)
    return Decision(
        Verdict.PROPOSE, matches, f"新案卷，建议归并 new case, merge proposed: {why}: {said}"
    )


def _excluded(issue: Sighting, case: OpenCase, cannot_link: frozenset[UUID]) -> bool:
    return any(
        other.issue_id in cannot_link or seen_apart(issue, other) for other in case.sightings
    )


def seen_apart(issue: Sighting, other: Sighting) -> bool:
    """Whether one camera shows both at the same time."""
    if (issue.agent_id, issue.camera_id) != (other.agent_id, other.camera_id):
        return False
    begins_before_other_ends = other.live or issue.first_seen_at <= other.last_seen_at
    ends_after_other_begins = issue.live or issue.last_seen_at >= other.first_seen_at
    return begins_before_other_ends and ends_after_other_begins


def _compare(issue: Sighting, case: OpenCase, rules: DuplicateRules) -> Finding | None:
    """The best reason why `issue` belongs to `case`, or None."""
    findings = [
        finding for other in case.sightings if (finding := compare(issue, other, rules)) is not None
    ]
    return min(findings, key=lambda found: (not found.firm, found.distance_m), default=None)


def compare(issue: Sighting, other: Sighting, rules: DuplicateRules) -> Finding | None:
    """Whether two sightings may be one by family, time, component and distance, or None."""
    if issue.family is not other.family or not _overlap(issue, other, rules):
        return None
    if issue.component is not None and issue.component == other.component:
        return Finding(firm=True, gap_s=_gap_s(issue, other), component=issue.component)
    if issue.place is None or other.place is None:
        return None
    errors_m = issue.place.error_m, other.place.error_m
    apart_m, cap_m = distance_m(issue.place, other.place), rules.cap_m(issue.family)
    reach_m, coarse = 2 * math.hypot(*errors_m), max(errors_m) > cap_m
    if apart_m > reach_m or apart_m > (rules.propose_within_m if coarse else cap_m):
        return None
    return Finding(
        firm=not coarse,
        gap_s=_gap_s(issue, other),
        distance_m=apart_m,
        limit_m=min(reach_m, cap_m),
        cap_m=cap_m,
        errors_m=errors_m,
    )


def _overlap(issue: Sighting, other: Sighting, rules: DuplicateRules) -> bool:
    return _begins_in_time(issue, other, rules) and _begins_in_time(other, issue, rules)


def _begins_in_time(one: Sighting, other: Sighting, rules: DuplicateRules) -> bool:
    """Whether `one` began before `other` was over, as far as that is known."""
    late_s = (one.first_seen_at - other.last_seen_at).total_seconds()
    ended = other.phase is Phase.CLEARED
    return late_s <= (rules.gap_s if ended else max(rules.reach_s, rules.gap_s))


def _gap_s(issue: Sighting, other: Sighting) -> float:
    """Seconds between the two times that were really seen; 0 where they overlap."""
    later = max(issue.first_seen_at, other.first_seen_at)
    earlier = min(issue.last_seen_at, other.last_seen_at)
    return max(0.0, (later - earlier).total_seconds())
