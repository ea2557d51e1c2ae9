"""What one batch works on: the sightings and cases it may touch, read in a handful of queries.

Everything is read before anything is decided, decided on plain values, and written at the end
(`writes`), all in one transaction. Reading costs the same few statements for one report as for a
thousand.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from central_ingest.cases import LIVE, OPEN_STATES, CaseState
from central_ingest.dedup import DuplicateRules, OpenCase, Place, Sighting
from central_ingest.reports import Report
from central_ingest.spots import near
from central_ingest.store import tables as t
from central_ingest.store.bulk import is_sqlite, select_rows
from central_ingest.store.memory import Memory, SeenAgain, newest_change
from central_ingest.store.pictures import here_of
from central_ingest.store.report_chain import digests_of
from contract.catalogue import Family
from contract.messages import Phase

_OPEN = {state.value for state in OPEN_STATES}
_SIGHTING = (
    "issue_id", "case_id", "agent_id", "camera_id", "family", "category", "severity", "phase",
    "revision", "first_seen_at", "last_seen_at", "lon", "lat", "error_m", "component_id",
    "component_standard", "score", "open", "spot", "newest_report_id",
)  # fmt: skip
_CASE = (
    "case_id", "number", "category", "severity", "state", "presence", "cell_code", "lon", "lat",
    "error_m", "component_id", "component_standard", "first_seen_at", "last_seen_at",
    "sighting_count", "cameras", "still_sha256", "arranged", "grid_version", "cell_official",
    "ended_at",
)  # fmt: skip
# What decides whether a report that sees an issue again changes what lists show of its case.
_BRIEFLY = (
    "issue_id", "case_id", "revision", "newest_report_id", "agent_id", "camera_id", "family",
    "phase", "severity", "first_seen_at", "lon", "lat", "error_m", "component_id",
    "component_standard", "category",
)  # fmt: skip
_CASE_BRIEFLY = ("category", "cell_code", "still_sha256", "state")
_STILL = len(_BRIEFLY) + _CASE_BRIEFLY.index("still_sha256")
SHOWN = (
    "category", "severity", "state", "presence", "cell_code", "grid_version", "cell_official",
    "lon", "lat", "error_m", "component_id", "component_standard", "first_seen_at",
    "sighting_count", "cameras", "still_sha256", "merged_into",
)  # fmt: skip
# A row of squares has numbers without gaps. PostgreSQL would guess that a join by ranges finds most
# of the table, and read all of it, were its result not made an array.
_IN_ROWS = (
    "(SELECT case_id FROM {given} CROSS JOIN sighting"
    " WHERE {open} AND spot BETWEEN given.value AND given.value + %d)"
)
_IN_ROWS_SQLITE = f"case_id IN {_IN_ROWS}"
_IN_ROWS_POSTGRESQL = f"case_id = ANY(ARRAY{_IN_ROWS})"
_CLOSED = CaseState.CLOSED.value
_PHASES = {phase.value: phase for phase in Phase}
_FAMILIES = {family.value: family for family in Family}


@dataclass(slots=True, eq=False)
class HeldCase:
    """A case as its row says, with all of its sightings."""

    case_id: int
    number: str
    category: str
    severity: str
    state: str
    presence: str
    cell_code: str | None
    lon: float | None
    lat: float | None
    error_m: float | None
    component_id: str | None
    component_standard: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    sighting_count: int
    cameras: list[str]
    still_sha256: str | None
    arranged: bool
    grid_version: str | None
    cell_official: bool
    ended_at: datetime | None = None
    sightings: "list[HeldSighting]" = field(default_factory=list)
    family: str = ""
    merged_into: "HeldCase | None" = None
    recurs_of: int | None = None
    fresh: bool = False
    stored: tuple[Any, ...] = ()

    def shown(self) -> tuple[Any, ...]:
        """What lists and filters show, in the order of `SHOWN`."""
        return (
            self.category, self.severity, self.state, self.presence, self.cell_code,
            self.grid_version, bool(self.cell_official), self.lon, self.lat, self.error_m,
            self.component_id, self.component_standard, self.first_seen_at, self.sighting_count,
            self.cameras, self.still_sha256, self.merged_into_id,
        )  # fmt: skip

    @property
    def open(self) -> bool:
        """Whether people still work on it."""
        return self.state in _OPEN

    @property
    def merged_into_id(self) -> int | None:
        """The case that its sightings went into, or None."""
        return self.merged_into.case_id if self.merged_into is not None else None

    @property
    def settled(self) -> bool:
        """Whether people acted on it, so that only people move its sightings."""
        return bool(self.arranged) or self.state != CaseState.PENDING.value

    def as_open_case(self) -> OpenCase:
        """The case as the duplicate rules see it."""
        return OpenCase(self.case_id, self.number, tuple(s.as_sighting() for s in self.sightings))


def _nowhere() -> HeldCase:
    moment = datetime.min.replace(tzinfo=UTC)
    return HeldCase(
        0, "", "", "", "", "", None, None, None, None, None, None, moment, moment, 0, [], None,
        arranged=False, grid_version=None, cell_official=False,
    )  # fmt: skip


NOWHERE = _nowhere()


@dataclass(slots=True, eq=False)
class HeldSighting:
    """An issue as its row says; `report` is the one that changed it in this batch."""

    issue_id: UUID
    case: HeldCase
    agent_id: str
    camera_id: str
    family: str
    category: str
    severity: str
    phase: str
    revision: int
    first_seen_at: datetime
    last_seen_at: datetime
    lon: float | None
    lat: float | None
    error_m: float | None
    component_id: str | None
    component_standard: str | None
    score: float
    open: bool
    spot: int | None
    newest_report_id: int | None
    because: str = ""
    report: Report | None = None
    fresh: bool = False
    moved: bool = False
    relocated: bool = False

    @property
    def place(self) -> Place | None:
        """Where it is, or None."""
        if self.lon is None or self.lat is None or self.error_m is None:
            return None
        return Place(self.lon, self.lat, self.error_m)

    @property
    def where(self) -> tuple[Any, ...]:
        """What `where_of` says of the report that it holds."""
        return self.lon, self.lat, self.error_m, self.component_id, self.component_standard

    @property
    def component(self) -> tuple[str, str] | None:
        """The registered object that it belongs to, with its standard, or None."""
        if self.component_id is None or self.component_standard is None:
            return None
        return self.component_id, self.component_standard

    def as_sighting(self) -> Sighting:
        """The sighting as the duplicate rules see it."""
        return Sighting(
            self.issue_id, self.agent_id, self.camera_id, _FAMILIES[self.family],
            _PHASES[self.phase], self.first_seen_at, self.last_seen_at, self.place, self.component,
        )  # fmt: skip


def empty_like(case: HeldCase, case_id: int, number: str) -> HeldCase:
    """A new pending case at the place of another one, without sightings yet."""
    return HeldCase(
        case_id, number, case.category, case.severity, CaseState.PENDING.value, case.presence,
        case.cell_code, case.lon, case.lat, case.error_m, case.component_id,
        case.component_standard, case.first_seen_at, case.last_seen_at, 0, [], None,
        arranged=False, grid_version=case.grid_version, cell_official=case.cell_official,
        family=case.family, fresh=True,
    )  # fmt: skip


def where_of(report: Report) -> tuple[Any, ...]:
    """Longitude, latitude, error, component and its standard, as a sighting holds them."""
    at, part = report.place, report.component
    place = (None, None, None) if at is None else (at.lon, at.lat, at.error_m)
    return (*place, None, None) if part is None else (*place, part.id, part.standard)


def _changes_nothing(row: tuple[Any, ...], report: Report) -> bool:
    """Whether a report changes nothing of what lists show of its case.

    `row` is of `_BRIEFLY` what follows the newest report, and then all of `_CASE_BRIEFLY`. What is
    of another agent or camera than the issue is refused later on.
    """
    agent_id, camera_id, family, phase, severity, first_seen_at, *rest = row
    *where, category, shown, cell_code, still_sha256, state = rest
    return (
        (report.agent_id, report.camera_id, report.family) == (agent_id, camera_id, family)
        and phase in LIVE
        and report.phase in LIVE
        and report.category == category == shown
        and report.severity == severity
        and state != _CLOSED  # which it may have to leave
        and report.first_seen_at == first_seen_at
        and cell_code is not None
        and (still_sha256 is not None or not report.evidence)
        and where_of(report) == tuple(where)
    )


def _shown_whole(held: HeldSighting, report: Report) -> bool:
    """Whether the same report, seen again, would change nothing of what lists show."""
    return (
        report.phase in LIVE
        and report.category == held.case.category
        and held.case.cell_code is not None
        and held.case.state != _CLOSED
    )


def comes_back(held: HeldSighting, report: Report, rules: DuplicateRules) -> bool:
    """Whether a report sees an issue after its case was closed, by the centre's clock.

    What was merely under way then, or was seen within `gap_s` of it, is no news to who closed it.
    """
    ended_at = held.case.ended_at
    if held.case.state != _CLOSED or ended_at is None or report.phase not in LIVE:
        return False
    late_s = (report.last_seen_at - ended_at).total_seconds() + report.clock_offset_s
    return late_s > rules.gap_s


class Desk:
    """The rows that a batch may touch, by issue, case, square and component.

    `seen_again` holds the issues of which only the sighting is needed; they are not in `known`.
    `placed` is how many issues are to be placed, each in an open case or in a new one.
    """

    def __init__(
        self, connection: Connection, rules: DuplicateRules, memory: Memory | None = None
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._memory = memory
        self._newest_change = 0
        # By the integers of issues' ids: those tell their hash a lot sooner than the ids.
        self.known: dict[int, HeldSighting] = {}
        self.seen_again: dict[int, SeenAgain] = {}
        self._read_again: dict[int, SeenAgain] = {}  # those of them that were not remembered
        self.cases: dict[int, HeldCase] = {}
        self.digests: dict[tuple[int, int], str] = {}
        self.evidence_here: frozenset[str] = frozenset()
        self.official: dict[tuple[str, str], bool] = {}
        self.apart: frozenset[frozenset[UUID]] = frozenset()
        self.placed = 0
        self._at: dict[int, list[HeldSighting]] = {}
        self._near: dict[tuple[Place, str], tuple[range, ...]] = {}
        self._parts: dict[tuple[str, str, str], list[HeldSighting]] = {}

    def gather(self, reports: Collection[Report]) -> None:
        """Read everything that these reports may need."""
        told: dict[int, list[Report]] = {}
        for report in reports:
            told.setdefault(report.issue_id.int, []).append(report)
        there = self._read_issues(told)
        # What comes back after its case was closed is placed anew.
        back = {number for number in self.known.keys() & told if self._comes_back(told[number])}
        new = (told.keys() - there) | back
        placed = list(chain.from_iterable(told[number] for number in new))
        held = self.known.keys() - back
        self.placed = len(new)
        self._read_around(placed)
        if neighbours := self.known.keys() - held:
            self._read_apart([self.known[number].issue_id for number in neighbours])
        # Whose case was read whole for the sake of others is treated as all of that case are.
        for number in self.seen_again.keys() & self.known.keys():
            del self.seen_again[number]
        self._read_digests(told)
        self._read_official(placed)
        asked = {named.sha256 for report in reports for named in report.evidence}
        self.evidence_here = here_of(self._connection, asked)

    def _comes_back(self, reports: Sequence[Report]) -> bool:
        held = self.known[reports[0].issue_id.int]
        return any(comes_back(held, report, self._rules) for report in reports)

    def about_to_commit(self) -> None:
        """Last thing in a transaction: what others change from here on is news."""
        if self._memory is not None:
            self._newest_change = newest_change(self._connection)

    def remember(self, changed: Callable[[int], bool]) -> None:
        """After the commit: keep what the next batch may ask for; `changed` tells its cases."""
        if self._memory is None:
            return
        kept = {n: again for n, again in self._read_again.items() if n in self.seen_again}
        gone = []
        for number, held in self.known.items():
            if held.report is not None and _shown_whole(held, held.report):
                pictured = held.case.still_sha256 is not None
                newest = held.revision, held.newest_report_id
                kept[number] = SeenAgain.of(
                    held.report, held.case.case_id, newest, pictured=pictured
                )
            elif held.report is not None or changed(held.case.case_id):
                gone.append(number)
        self._memory.committed(kept, gone, self._newest_change)

    def clear(self) -> None:
        """Let go of everything, at once: cases and sightings name each other.

        Left to the garbage collector, a batch's values would be looked at again and again.
        """
        for case in self.cases.values():
            case.sightings.clear()
            case.merged_into = None
        self.cases.clear()
        self.known.clear()
        self.seen_again.clear()
        self._read_again.clear()

    def read_cases(self, case_ids: Iterable[int]) -> None:
        """Read these cases whole, for what people do with them."""
        self._read("case_id {keys}", set(case_ids))

    def _read_issues(self, told: Mapping[int, Sequence[Report]]) -> set[int]:
        """Read the sightings of these issues, with their whole cases where a report changes those.

        `told` has the reports of each, by the integer of its id; returned are those that are there.
        """
        there = self._recall(told)
        ids = [of_one[0].issue_id for number, of_one in told.items() if number not in there]
        whole, beside = set(), (t.case, _CASE_BRIEFLY, "case_id")
        where = "sighting.issue_id {keys}"
        for row in select_rows(self._connection, t.sighting, _BRIEFLY, where, ids, beside=beside):
            number, case_id = row[0].int, row[1]
            there.add(number)
            if all(_changes_nothing(row[4:], report) for report in told[number]):
                self.seen_again[number] = self._read_again[number] = SeenAgain.of(
                    told[number][0], case_id, row[2:4], pictured=row[_STILL] is not None
                )
            else:
                whole.add(case_id)
        self._read("case_id {keys}", whole)
        return there

    def _recall(self, told: Mapping[int, Sequence[Report]]) -> set[int]:
        """Those of these issues that need not be read."""
        there: set[int] = set()
        if self._memory is None:
            return there
        self._memory.begin(self._connection)
        for number, reports in told.items():
            again = self._memory.recall(number)
            if again is not None and all(map(again.holds, reports)):
                there.add(number)
                self.seen_again[number] = again
        return there

    def _read(self, where: str, keys: Collection[Any]) -> None:
        rows = select_rows(self._connection, t.sighting, _SIGHTING, where, keys)
        rows = [row for row in rows if row[0].int not in self.known]
        missing = {row[1] for row in rows} - self.cases.keys()
        for values in select_rows(self._connection, t.case, _CASE, "case_id {keys}", missing):
            case = self.cases[values[0]] = HeldCase(*values)
            case.stored = case.shown()
        for values in rows:
            case = self.cases[values[1]]
            self.add(HeldSighting(values[0], case, *values[2:]))

    def sighting(self, number: int) -> HeldSighting | SeenAgain | None:
        """The sighting of an issue that is there, by its id's integer, or None."""
        return self.seen_again.get(number) or self.known.get(number)

    def add(self, sighting: HeldSighting) -> None:
        """Put a sighting where it can be found."""
        self.known[sighting.issue_id.int] = sighting
        sighting.case.sightings.append(sighting)
        sighting.case.family = sighting.family
        if sighting.open:
            self.find_at(sighting)

    def find_at(self, sighting: HeldSighting) -> None:
        """Let an open sighting be found at its square and component."""
        if sighting.spot is not None:
            self._at.setdefault(sighting.spot, []).append(sighting)
        if (part := sighting.component) is not None:
            self._parts.setdefault((*part, sighting.family), []).append(sighting)

    def forget_at(self, sighting: HeldSighting) -> None:
        """Undo `find_at`, before a sighting's position or component changes."""
        if sighting.spot is not None and sighting in self._at.get(sighting.spot, ()):
            self._at[sighting.spot].remove(sighting)
        part = sighting.component
        if part is not None and sighting in self._parts.get((*part, sighting.family), ()):
            self._parts[*part, sighting.family].remove(sighting)

    def cases_near(self, sighting: HeldSighting) -> list[HeldCase]:
        """Open cases with a sighting in reach, or of the same component."""
        found: dict[int, HeldCase] = {}
        place = sighting.place
        if place is not None:
            rows = self._near.get((place, sighting.family))
            if rows is None:
                rows = tuple(near(place, Family(sighting.family), self._rules))
            for square in chain.from_iterable(rows):
                for other in self._at.get(square, ()):
                    found[other.case.case_id] = other.case
        if (part := sighting.component) is not None:
            for other in self._parts.get((*part, sighting.family), ()):
                found[other.case.case_id] = other.case
        return [case for case in found.values() if case.open]

    def _read_around(self, new: Iterable[Report]) -> None:
        rows: set[range] = set()
        parts: set[str] = set()
        for report in new:
            if report.place is not None:
                around = tuple(near(report.place, report.family, self._rules))
                self._near[report.place, report.family] = around
                rows.update(around)
            if report.component is not None:
                parts.add(report.component.id)
        self._read_rows(rows)
        of_parts = "case_id IN (SELECT case_id FROM sighting WHERE {open} AND component_id {keys})"
        self._read(of_parts, parts)

    def _read_rows(self, rows: Collection[range]) -> None:
        """Read the cases in these rows of squares; what lies a few squares beyond comes along."""
        if not rows:
            return
        beyond = max(map(len, rows)) - 1
        where = _IN_ROWS_SQLITE if is_sqlite(self._connection) else _IN_ROWS_POSTGRESQL
        self._read(where % beyond, {row.start for row in rows})

    def _read_apart(self, issue_ids: Collection[UUID]) -> None:
        names = ("issue_id", "other_issue_id")
        rows = select_rows(self._connection, t.cannot_link, names, "issue_id {keys}", issue_ids)
        self.apart = frozenset(frozenset(row) for row in rows)

    def _read_digests(self, told: Mapping[int, Sequence[Report]]) -> None:
        """Identities that may be held already: those of no higher revision than their sighting."""
        pairs = {
            (held.newest_report_id, report.revision)
            for number, reports in told.items()
            if (held := self.sighting(number)) is not None
            for report in reports
            if report.revision <= held.revision
        }
        self.digests = digests_of(self._connection, pairs)

    def _read_official(self, new: Iterable[Report]) -> None:
        codes = {report.cell.code for report in new if report.cell is not None}
        names = ("grid_version", "code", "official")
        rows = select_rows(self._connection, t.cell, names, "code {keys}", codes)
        self.official = {(row[0], row[1]): bool(row[2]) for row in rows}
