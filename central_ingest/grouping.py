"""Which sightings around a new issue are one case: the same answer in whatever order they came.

Pure. A new issue is not held against cases alone, since a case may have been made before its
right partner had reported: all sightings in its reach are grouped again, nearest pairs first, as a
function of the set. Rules beyond those of `dedup`:

5. Groups are joined from the nearest pair on, and never where any pair across them is excluded or
   lies beyond the family's cap.
6. Where a pair has a rival (another group that one of them also qualifies for, that cannot be part
   of the same case, and that is less than twice as far) a person is asked.
7. What people arranged, or acted on, is moved by people only: it takes part as one piece.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from uuid import UUID

from central_ingest.dedup import (
    Decision,
    DuplicateRules,
    Finding,
    Match,
    OpenCase,
    Sighting,
    Verdict,
    compare,
    decide,
    distance_m,
    seen_apart,
)

RIVAL_RATIO = 2.0
AT_ONCE_MAX = 48
Pairs = frozenset[frozenset[UUID]]


@dataclass(frozen=True, slots=True)
class Move:
    """A sighting that belongs elsewhere now that more is known.

    Without `to_case` it goes into a new case, with all others of its `piece`; piece 0 is that of
    the new issue, whose own case it joins.
    """

    issue_id: UUID
    from_case: int
    to_case: int | None
    piece: int
    because: str


@dataclass(frozen=True, slots=True)
class Grouped:
    """What becomes of a new issue, and what its coming moves."""

    decision: Decision
    moves: tuple[Move, ...] = ()


@dataclass(slots=True)
class _Group:
    members: list[Sighting]
    case_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Edge:
    seen: Finding
    one: int
    other: int
    case: OpenCase


def group(
    issue: Sighting,
    cases: Sequence[OpenCase],
    rules: DuplicateRules,
    apart: Pairs = frozenset(),
    arranged: frozenset[int] = frozenset(),
) -> Grouped:
    """Say what `issue` is, among the open cases nearby, and which sightings it moves.

    `apart` holds the pairs that people split, `arranged` the cases that people acted on. The
    order of `cases` does not matter.
    """
    if not cases:
        return Grouped(decide(issue, cases, rules))
    cases = sorted(cases, key=lambda case: case.case_id)
    links = frozenset(other for pair in apart if issue.issue_id in pair for other in pair)
    plain = decide(issue, cases, rules, links - {issue.issue_id})
    if not _in_reach(issue, cases, rules):
        return Grouped(plain)
    work = _Work(issue, cases, rules, apart, arranged)
    work.join()
    return work.result(plain)


def _in_reach(issue: Sighting, cases: Sequence[OpenCase], rules: DuplicateRules) -> bool:
    return any(
        (found := compare(issue, other, rules)) is not None and found.firm
        for case in cases
        for other in case.sightings
    )


class _Work:
    def __init__(
        self,
        issue: Sighting,
        cases: Sequence[OpenCase],
        rules: DuplicateRules,
        apart: Pairs,
        arranged: frozenset[int],
    ) -> None:
        self._issue, self._cases, self._rules, self._apart = issue, cases, rules, apart
        self._case_of = {s.issue_id: case for case in cases for s in case.sightings}
        self._groups = [_Group([issue])]
        for case in cases:
            self._groups += self._pieces(case, case.case_id in arranged)
        self._of = {s.issue_id: n for n, g in enumerate(self._groups) for s in g.members}
        self._doubtful: list[_Edge] = []

    def _pieces(self, case: OpenCase, fixed: bool) -> Iterator[_Group]:  # noqa: FBT001 -- one caller
        """A case as it may be taken apart: only what lies in the issue's reach is loose."""
        crowded = len(self._case_of) > AT_ONCE_MAX
        loose = [s for s in case.sightings if not fixed and not crowded and self._loose(s)]
        rest = [s for s in case.sightings if s not in loose]
        if rest:
            yield _Group(rest, case.case_id)
        for sighting in loose:
            yield _Group([sighting])

    def _loose(self, sighting: Sighting) -> bool:
        one, other = self._issue, sighting
        if one.component is not None and one.component == other.component:
            return True
        if one.place is None or other.place is None or _coarse(other, self._rules):
            return False
        return distance_m(one.place, other.place) <= self._rules.cap_m(one.family)

    def _edges(self) -> list[_Edge]:
        found = []
        for one, other in combinations(range(len(self._groups)), 2):
            for a in self._groups[one].members:
                for b in self._groups[other].members:
                    seen = compare(a, b, self._rules)
                    if seen is not None and seen.firm:
                        case = self._case_of.get(b.issue_id) or self._case_of[a.issue_id]
                        pair = sorted((a.issue_id, b.issue_id))
                        found.append((seen.distance_m, pair, _Edge(seen, one, other, case)))
        found.sort(key=lambda edge: edge[:2])
        return [edge for _, _, edge in found]

    def join(self) -> None:
        """Join groups along their nearest pairs."""
        self._parent = list(range(len(self._groups)))
        edges = self._edges()
        for edge in edges:
            one, other = self._root(edge.one), self._root(edge.other)
            if one == other:
                continue
            if not self._compatible(one, other):
                continue
            if self._has_rival(edge, edges):
                self._doubtful.append(edge)
                continue
            self._unite(min(one, other), max(one, other))

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            number = self._parent[number]
        return number

    def _unite(self, kept: int, gone: int) -> None:
        self._parent[gone] = kept
        self._groups[kept].members = self._groups[kept].members + self._groups[gone].members
        if self._groups[kept].case_id is None:
            self._groups[kept].case_id = self._groups[gone].case_id

    def _compatible(self, one: int, other: int) -> bool:
        first, second = self._groups[one], self._groups[other]
        if first.case_id is not None and second.case_id is not None:
            return False
        return all(self._may_be_one(a, b) for a in first.members for b in second.members)

    def _may_be_one(self, a: Sighting, b: Sighting) -> bool:
        if seen_apart(a, b) or frozenset((a.issue_id, b.issue_id)) in self._apart:
            return False
        if a.place is None or b.place is None or a.component == b.component is not None:
            return True
        return distance_m(a.place, b.place) <= self._rules.cap_m(a.family)

    def _has_rival(self, edge: _Edge, edges: Sequence[_Edge]) -> bool:
        """Whether one side also qualifies for a group that cannot be part of the same case."""
        mine = {self._root(edge.one), self._root(edge.other)}
        for rival in edges:
            if rival.seen.distance_m >= RIVAL_RATIO * edge.seen.distance_m:
                return False
            theirs = {self._root(rival.one), self._root(rival.other)}
            if len(theirs & mine) != 1 or len(theirs) == 1:
                continue
            (third,) = theirs - mine
            if not all(self._compatible(third, number) for number in mine):
                return True
        return False

    def result(self, plain: Decision) -> Grouped:
        """The issue's decision, and the sightings whose group lies in another case now."""
        owners = self._owners()
        home = self._root(0)
        moves = tuple(self._moves(owners, home))
        if owners[home] is not None:
            match = self._nearest(home, owners[home])
            return Grouped(Decision(Verdict.SAME, (match,), match.because), moves)
        doubts = self._doubts(home, owners)
        if doubts:
            return Grouped(_proposed(doubts, self._rules), moves)
        if plain.verdict is Verdict.SAME:
            why = "附近在办案卷另有归属，新案卷。 new case: what is open nearby belongs elsewhere"
            return Grouped(Decision(Verdict.NEW, (), why), moves)
        return Grouped(plain, moves)

    def _owners(self) -> dict[int, int | None]:
        """Each group's case: what is fixed keeps it; else the case of its earliest sighting."""
        roots = sorted({self._root(n) for n in range(len(self._groups))})
        owners: dict[int, int | None] = {root: self._groups[root].case_id for root in roots}
        taken = {case_id for case_id in owners.values() if case_id is not None}
        for case in self._cases:
            for sighting in sorted(case.sightings, key=lambda s: (s.first_seen_at, s.issue_id)):
                root = self._root(self._of[sighting.issue_id])
                if case.case_id not in taken and owners[root] is None:
                    owners[root] = case.case_id
                    taken.add(case.case_id)
        return owners

    def _moves(self, owners: Mapping[int, int | None], home: int) -> Iterator[Move]:
        for issue_id, case in self._case_of.items():
            root = self._root(self._of[issue_id])
            if owners[root] != case.case_id:
                why = (
                    "与新报问题更近，改归此案卷。 moved here: nearer to a newer issue"
                    if root == home
                    else "另有更近者，改归此案卷。 moved here: another is nearer to its former case"
                )
                yield Move(issue_id, case.case_id, owners[root], root, why)

    def _nearest(self, home: int, case_id: int | None) -> Match:
        case = next(case for case in self._cases if case.case_id == case_id)
        found = [
            seen
            for other in self._groups[home].members
            if other is not self._issue
            if (seen := compare(self._issue, other, self._rules)) is not None
        ]
        best = min(found, key=lambda seen: (not seen.firm, seen.distance_m), default=None)
        if best is None:
            why = f"与案卷 {case.number} 中的问题相符。 matches an issue of the case"
            return Match(case.case_id, why)
        return best.match(case)

    def _doubts(self, home: int, owners: Mapping[int, int | None]) -> list[Match]:
        found: dict[int, Match] = {}
        for edge in self._doubtful:
            pair = {self._root(edge.one), self._root(edge.other)}
            for root in pair - {home} if home in pair else ():
                if (case_id := owners[root]) is not None:
                    found.setdefault(case_id, replace(edge.seen.match(edge.case), case_id=case_id))
        return list(found.values())


def _coarse(sighting: Sighting, rules: DuplicateRules) -> bool:
    return sighting.place is None or sighting.place.error_m > rules.cap_m(sighting.family)


def _proposed(doubts: Sequence[Match], rules: DuplicateRules) -> Decision:
    matches = tuple(doubts[: rules.proposals_max])
    said = "; ".join(match.because for match in matches)
    return Decision(
        Verdict.PROPOSE,
        matches,
        f"新案卷，建议归并 new case, merge proposed: {len(doubts)} 个在办案卷均符合 open cases "
        f"qualify: {said}",
    )
