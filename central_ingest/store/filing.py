"""Reports → sightings and cases, decided in memory on what `desk` read; `writes` stores the end.

Guarantees (promises 4 and 5 of the design): repeats change nothing, and a lower revision never
overwrites a higher one, whatever the order. A report that is refused has changed nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from central_ingest.cases import CaseState, presence_of
from central_ingest.dedup import Decision, DuplicateRules, Verdict
from central_ingest.errors import ConflictingReport
from central_ingest.grid import is_official
from central_ingest.grouping import Grouped, Move, group
from central_ingest.reports import Report, report_of
from central_ingest.spots import spot_of
from central_ingest.store.cells import look_up, official
from central_ingest.store.desk import (
    NOWHERE,
    Desk,
    HeldCase,
    HeldSighting,
    comes_back,
    empty_like,
    where_of,
)
from central_ingest.store.memory import Memory, SeenAgain
from central_ingest.store.numbers import CaseNumbers
from central_ingest.store.recurrence import came_back, name_former
from central_ingest.store.report_chain import new_ids
from central_ingest.store.writes import Writes
from contract.messages import IssueReport

CENTRE = "中心 centre"


class Outcome(StrEnum):
    """What a report did."""

    OPENED = "opened"
    LINKED = "linked"
    UPDATED = "updated"
    LATE = "late"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class FilingRules:
    """How duplicates are found and cases are numbered."""

    duplicates: DuplicateRules = field(default_factory=DuplicateRules)
    number: str = "{source}{yyyymmdd}{sequence:05d}"
    source: str = "SP"
    timezone: str = "Asia/Shanghai"


def file_report(
    connection: Connection, said: IssueReport, body: bytes, rules: FilingRules, now: datetime
) -> Outcome:
    """File one report by itself.

    Raises ConflictingReport, UnstorableReport; it has then changed nothing.
    """
    report = report_of(said)
    filing = Filing(connection, rules, now)
    filing.prepare([report])
    outcome = filing.take(report, body, hashlib.sha256(body).hexdigest())
    filing.write()
    return outcome


class Filing:
    """One batch: `prepare`, then `take` each report in the order of its coming, then `write`."""

    def __init__(
        self,
        connection: Connection,
        rules: FilingRules,
        now: datetime,
        memory: Memory | None = None,
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._now = now
        self.desk = Desk(connection, rules.duplicates, memory)
        self.writes = Writes(now)
        day = now.astimezone(ZoneInfo(rules.timezone)).strftime("%Y%m%d")
        self._numbers = CaseNumbers(connection, rules.number, rules.source, day)
        self._report_ids: Iterator[int] = iter(())

    def prepare(self, reports: Sequence[Report]) -> None:
        """Read what these reports need."""
        self.desk.gather(reports)
        self._numbers.expect(self.desk.placed)
        self._report_ids = new_ids(self._connection, len(reports))

    def take(self, report: Report, body: bytes, digest: str) -> Outcome:
        """Let one report change its case; `digest` is its body's SHA-256.

        Raises ConflictingReport when the same issue and revision came with another body, or the
        issue is of another agent, camera or family: the first one stands. Nothing has changed then.
        """
        number, revision = report.issue_id.int, report.revision
        known, before_id = self.desk.sighting(number), None
        # What is newer than all that is held cannot have come before.
        if known is not None and revision <= known.revision:
            held = self.desk.digests.get((number, revision))
            if held is not None:
                return _repeated(report, held, digest)
        if isinstance(known, HeldSighting):  # else it was compared before
            _check_continuity(known, report)
        self.desk.digests[number, revision] = digest
        report_id = next(self._report_ids)
        if known is not None:
            before_id, known.newest_report_id = known.newest_report_id, report_id
        self.writes.reports.append((report_id, before_id, report, body, digest))
        if report.evidence:
            self.writes.evidence += [(report.issue_id, named) for named in report.evidence]
        if known is None:
            return self._place(self._held(report, report_id), report)
        if revision < known.revision:
            self._show_late(known, report)
            return Outcome.LATE
        if isinstance(known, SeenAgain):
            self._see_again(known, report)
            return Outcome.UPDATED
        if comes_back(known, report, self._rules.duplicates):
            return self._place_again(known, report)
        self._update(known, report)
        return Outcome.UPDATED

    def write(self) -> None:
        """Write everything; afterwards the transaction may commit."""
        self._numbers.write()
        self.writes.write(self._connection, self.desk, self._rules.duplicates)
        self.desk.about_to_commit()

    def committed(self) -> None:
        """After the commit: keep for the next batch what it may ask for, let go of the rest."""
        self.desk.remember(self.writes.changes)
        self.desk.clear()

    def _see_again(self, again: SeenAgain, report: Report) -> None:
        """What else the report says is what the sighting holds."""
        again.revision = report.revision
        self.writes.seen_again[report.issue_id.int] = report, again
        self.writes.note(again.case_id, Outcome.UPDATED.value)

    def _update(self, held: HeldSighting, report: Report) -> None:
        self._renew(held, report)
        self._show(held.case, report)
        self.writes.touch(held.case, Outcome.UPDATED.value)

    def _renew(self, held: HeldSighting, report: Report) -> None:
        if where_of(report) != held.where:
            if held.open:
                self.desk.forget_at(held)
            held.relocated = True
        _copy(held, report)
        if held.relocated:
            held.spot = spot_of(held.place, report.family, self._rules.duplicates)
            if held.open:
                self.desk.find_at(held)
        self.writes.sightings[held.issue_id.int] = held

    def _show_late(self, known: HeldSighting | SeenAgain, report: Report) -> None:
        """Let what came late show what was missing: the picture and cell do not wait for order."""
        self.writes.late[report.issue_id.int] = report.issue_id, known
        if isinstance(known, SeenAgain):  # of a case that lacks neither
            self.writes.note(known.case_id, Outcome.UPDATED.value)
            return
        case = known.case
        self.writes.note(case.case_id, Outcome.UPDATED.value)
        before = case.cell_code, case.still_sha256
        self._show(case, report)
        if (case.cell_code, case.still_sha256) != before:
            self.writes.touch(case, Outcome.UPDATED.value)

    def _show(self, case: HeldCase, report: Report) -> None:
        """The cell of the first report that has one, and the first picture with a box."""
        if case.cell_code is None:
            self._give_cell(case, report)
        if case.still_sha256 is None and report.evidence:
            stills = {named.kind: named.sha256 for named in report.evidence}
            case.still_sha256 = stills.get("still_marked") or stills.get("still")

    def _give_cell(self, case: HeldCase, report: Report) -> None:
        """The agent's word, else our own lookup."""
        if report.cell is not None:
            code, version = report.cell.code, report.cell.grid_version
            known = self.desk.official.get((version, code))
            case.cell_official = is_official(code) if known is None else known
        elif report.place is not None and (found := look_up(self._connection, report.place)):
            code, version = found[0].code, found[0].grid_version
            case.cell_official = official(self._connection, found[0])
        else:
            return
        case.cell_code, case.grid_version = code, version

    def _place_again(self, held: HeldSighting, report: Report) -> Outcome:
        """What is seen after its case was closed is worked on again: in an open case, or a new one.

        The closed case keeps what it had, and both histories say where it went.
        """
        closed, said = held.case, came_back(held)
        self.writes.leave(held)
        closed.sightings.remove(held)
        self._renew(held, report)
        held.open = held.moved = True
        outcome = self._place(held, report)
        held.because += name_former(held.case, (closed, said), self._rules.duplicates, self._now)
        who = f"{held.agent_id}/{held.camera_id}"
        detail = f"{closed.number} → {held.case.number}；{who}：{said}"
        for case in (closed, held.case):
            self.writes.decide(case, CENTRE, "recur", detail)
            self.writes.note(case.case_id, "decided")
        return outcome

    def _place(self, held: HeldSighting, report: Report) -> Outcome:
        near = self.desk.cases_near(held)
        grouped = self._group(held, near)
        made = grouped.decision
        if made.verdict is Verdict.SAME:
            case, outcome = self.desk.cases[made.matches[0].case_id], Outcome.LINKED
        else:
            case, outcome = self._open_case(report), Outcome.OPENED
        self._move(grouped.moves, held, case)
        held.case, held.because = case, made.because
        self.desk.add(held)
        self.writes.sightings[held.issue_id.int] = held
        self._show(case, report)
        if made.verdict is Verdict.PROPOSE:
            self._propose(case, made)
        self.writes.touch(case, outcome.value)
        return outcome

    def _group(self, held: HeldSighting, near: Sequence[HeldCase]) -> Grouped:
        return group(
            held.as_sighting(),
            [case.as_open_case() for case in near],
            self._rules.duplicates,
            self.desk.apart,
            frozenset(case.case_id for case in near if case.settled),
        )

    def _held(self, report: Report, report_id: int) -> HeldSighting:
        spot = spot_of(report.place, report.family, self._rules.duplicates)
        held = HeldSighting(
            report.issue_id, NOWHERE, report.agent_id, report.camera_id, report.family.value,
            "", "", "", 0, report.first_seen_at, report.last_seen_at, None, None, None, None, None,
            0.0, open=True, spot=spot, newest_report_id=report_id, fresh=True,
        )  # fmt: skip
        _copy(held, report)
        return held

    def _open_case(self, report: Report) -> HeldCase:
        place, part, name = report.place, report.component, self._numbers.next()
        case = HeldCase(
            case_id=name.case_id,
            number=name.number,
            category=report.category.value,
            severity=report.severity.value,
            state=CaseState.PENDING.value,
            presence=presence_of([report.phase]).value,
            cell_code=None,
            lon=place.lon if place else None,
            lat=place.lat if place else None,
            error_m=place.error_m if place else None,
            component_id=part.id if part else None,
            component_standard=part.standard if part else None,
            first_seen_at=report.first_seen_at,
            last_seen_at=report.last_seen_at,
            sighting_count=0,
            cameras=[],
            still_sha256=None,
            arranged=False,
            grid_version=None,
            cell_official=False,
            family=report.family.value,
            fresh=True,
        )
        self.desk.cases[case.case_id] = case
        return case

    def _propose(self, case: HeldCase, made: Decision) -> None:
        for match in made.matches:
            self.writes.proposals.append((case.case_id, match.case_id, match.because))
            self.writes.note(match.case_id, "proposed")

    def _move(self, moves: Sequence[Move], newer: HeldSighting, its_case: HeldCase) -> None:
        """Let sightings follow what a newer issue made clear; a case left empty is merged."""
        own = {0: its_case}
        for move in moves:
            sighting = self.desk.known[move.issue_id.int]
            before = sighting.case
            if move.to_case is None and move.piece not in own:
                own[move.piece] = self._like(before)
            after = own[move.piece] if move.to_case is None else self.desk.cases[move.to_case]
            before.sightings.remove(sighting)
            after.sightings.append(sighting)
            sighting.case, sighting.because, sighting.moved = after, move.because, True
            self.writes.sightings[sighting.issue_id.int] = sighting
            who = f"{newer.agent_id}/{newer.camera_id}"
            said = f"{before.number} → {after.number}；{who}：{move.because}"
            for case in (before, after):
                self.writes.decide(case, CENTRE, "split" if before.sightings else "merge", said)
                self.writes.touch(case, "decided")
            if not before.sightings:
                before.state, before.merged_into = CaseState.VOID.value, after

    def _like(self, case: HeldCase) -> HeldCase:
        """A new case at the place of another one."""
        made = empty_like(case, *self._numbers.next())
        self.desk.cases[made.case_id] = made
        return made


def _copy(held: HeldSighting, report: Report) -> None:
    """Let a sighting hold what its newest report says."""
    held.category, held.severity = report.category.value, report.severity.value
    held.phase, held.revision, held.score = report.phase.value, report.revision, report.score
    held.first_seen_at, held.last_seen_at = report.first_seen_at, report.last_seen_at
    held.lon, held.lat, held.error_m, held.component_id, held.component_standard = where_of(report)
    held.report = report


def _repeated(report: Report, held: str, digest: str) -> Outcome:
    if held != digest:
        raise ConflictingReport(
            f"issue {report.issue_id} revision {report.revision} came before with another body; "
            "the first one stands"
        )
    return Outcome.REPEATED


def _check_continuity(known: HeldSighting, report: Report) -> None:
    """An issue keeps its agent, camera and family for its whole life."""
    said = report.agent_id, report.camera_id, report.family
    if (known.agent_id, known.camera_id, known.family) == said:
        return
    for name, before, after in (
        ("agent", known.agent_id, report.agent_id),
        ("camera", known.camera_id, report.camera_id),
        ("family", known.family, report.family.value),
    ):
        if before != after:
            raise ConflictingReport(
                f"issue {report.issue_id} is of {name} {before}, revision {report.revision} "
                f"says {after}; the first one stands"
            )
