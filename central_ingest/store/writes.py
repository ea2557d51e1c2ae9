"""What a batch changes: gathered while it decides, written at its end in a few statements."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, literal, select, update

from central_ingest.cases import LIVE, CaseState, presence_of
from central_ingest.dedup import DuplicateRules
from central_ingest.reports import Evidence, Report
from central_ingest.store import tables as t
from central_ingest.store.bulk import insert_rows, is_sqlite, select_rows, update_rows
from central_ingest.store.database import keep_out, lock_changes
from central_ingest.store.desk import SHOWN, Desk, HeldCase, HeldSighting
from central_ingest.store.memory import SeenAgain
from central_ingest.store.pictures import here_of, part_of
from central_ingest.store.recurrence import note_recurrences
from contract.messages import Phase, Severity

# Enum members tell their values slowly, and these are asked for by every report.
_RAISED, _CLOSED = Phase.RAISED.value, CaseState.CLOSED.value
_URGENT, _NORMAL = Severity.URGENT.value, Severity.NORMAL.value
_REPORT = (
    "report_id", "before_id", "issue_id", "revision", "agent_id", "outbox_id", "seq", "phase",
    "received_at", "body_sha256", "body",
)  # fmt: skip
# What every report changes; what is indexed is written only where it changed.
_SEEN = (
    "category", "severity", "phase", "revision", "first_seen_at", "last_seen_at", "box_xyxyn",
    "score", "model_name", "model_sha256", "updated_at", "newest_report_id",
)  # fmt: skip
# Of these, what a report changes that sees again what is known.
_AGAIN = (
    "phase", "revision", "last_seen_at", "box_xyxyn", "score", "model_name", "model_sha256",
    "updated_at", "newest_report_id",
)  # fmt: skip
_PLACED = ("lon", "lat", "error_m", "component_id", "component_standard", "spot")
_IDENTITY = ("issue_id", "case_id", "city", "agent_id", "camera_id", "family", "linked_because")
_NEW_CASE = (
    "case_id", "number", "family", "presence_since", "opened_at", "recurs_of", *SHOWN,
    "last_seen_at", "updated_at",
)  # fmt: skip
# Of what lists show: what lists are filtered by, or names another case.
SELDOM = {"category", "severity", "state", "cell_code", "merged_into"}
_EVIDENCE = (
    "issue_id", "sha256", "kind", "media_type", "bytes", "named_at", "state", "moment",
    "captured_at",
)  # fmt: skip


class Writes:
    """The changes of one batch."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        # Each with its key, and that of the report of its issue that came before it.
        self.reports: list[tuple[int, int | None, Report, bytes, str]] = []
        self.evidence: list[tuple[UUID, Evidence]] = []
        self.sightings: dict[int, HeldSighting] = {}  # by the integers of their issues' ids
        # Likewise; the newest report of each.
        self.seen_again: dict[int, tuple[Report, SeenAgain]] = {}
        self.late: dict[int, tuple[UUID, HeldSighting | SeenAgain]] = {}  # likewise
        self.proposals: list[tuple[int, int, str]] = []
        self._left: list[tuple[HeldCase, UUID, dict[str, Any]]] = []
        self._decisions: list[tuple[Any, ...]] = []
        self._touched: dict[int, HeldCase] = {}
        self._changes: dict[str, dict[int, None]] = {}  # kind → cases

    def touch(self, case: HeldCase, kind: str) -> None:
        """Remember that a case changed: what lists show of it is written again."""
        self._touched[case.case_id] = case
        self.note(case.case_id, kind)

    def note(self, case_id: int, kind: str) -> None:
        """Remember a change for everybody who follows, once a batch and kind."""
        self._changes.setdefault(kind, {})[case_id] = None

    def changes(self, case_id: int) -> bool:
        """Whether somebody who follows hears of this case."""
        return any(case_id in cases for cases in self._changes.values())

    def decide(self, case: HeldCase, who: str, action: str, detail: str) -> None:
        """Remember what the centre itself did with a case."""
        self._decisions.append((case.case_id, self._now, who, action, None, detail))

    def leave(self, held: HeldSighting) -> None:
        """Remember that a sighting goes on elsewhere: its closed case keeps it as it is now."""
        changed: dict[str, Any] = {}
        if held.report is not None:  # earlier in this batch, so its row does not say so yet
            changed = dict(zip(_SEEN[:-1], self._seen(held)[:-1], strict=True))
            changed |= dict(zip(_PLACED[:-1], _placed(held)[:-1], strict=True))
        refresh(held.case)
        self._left.append((held.case, held.issue_id, changed))

    def write(self, connection: Connection, desk: Desk, rules: DuplicateRules) -> None:
        """Write everything, in an order that keeps every reference whole."""
        self._write_reports(connection)
        opened = [case for case in self._touched.values() if case.fresh]
        note_recurrences(connection, opened, rules, self._now)
        _give_pictures(connection, opened)
        self._write_left(connection)
        self._write_cases(connection)
        self._write_sightings(connection)
        self._write_evidence(connection, desk)
        self._write_history(connection)

    def _write_reports(self, connection: Connection) -> None:
        rows = [
            (
                report_id, before_id, report.issue_id, report.revision, report.agent_id,
                report.outbox_id, report.seq, report.phase.value, self._now, digest, body,
            )
            for report_id, before_id, report, body, digest in self.reports
        ]  # fmt: skip
        insert_rows(connection, t.report, _REPORT, rows)

    def _write_cases(self, connection: Connection) -> None:
        opened: list[tuple[Any, ...]] = []
        changed: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for case in self._touched.values():
            refresh(case)
            if case.fresh:
                opened.append(self._opened(case))
            # When it was seen last, its sightings tell: most reports change nothing else.
            if values := self._changed(case):
                values |= {"last_seen_at": case.last_seen_at, "updated_at": self._now}
                changed.setdefault(tuple(values), []).append((*values.values(), case.case_id))
        # What a new case was merged into may be newer still: it is named when all are there.
        insert_rows(connection, t.case, _NEW_CASE, opened)
        for names, rows in changed.items():
            update_rows(connection, t.case, "case_id", names, rows)

    def _changed(self, case: HeldCase) -> dict[str, Any]:
        """What of its row to write, in one statement: PostgreSQL keeps a copy of a row for each.

        Without the columns of an index where none of them changed, for SQLite writes every index
        anew that a statement has a column of.
        """
        if case.fresh:
            merged_into = case.merged_into_id
            return {} if merged_into is None else {"merged_into": merged_into}
        shown = case.shown()
        if shown == case.stored:
            return {}
        values = dict(zip(SHOWN, shown, strict=True))
        changed = {
            name for name, stored in zip(SHOWN, case.stored, strict=True) if values[name] != stored
        }
        if not changed & SELDOM:
            for name in SELDOM:
                del values[name]
        if "presence" in changed:
            values["presence_since"] = self._now
        else:
            del values["presence"]
        return values

    def _opened(self, case: HeldCase) -> tuple[Any, ...]:
        return (
            case.case_id, case.number, case.family, self._now, self._now, case.recurs_of,
            *case.shown()[:-1], None, case.last_seen_at, self._now,
        )  # fmt: skip

    def _write_left(self, connection: Connection) -> None:
        """Copy the rows of what leaves, before they are written again; this is rare."""
        if not self._left:
            return
        names = [column.name for column in t.former_sighting.c if column.name != "left_at"]
        ids = [issue_id for _, issue_id, _ in self._left]
        rows = select(*(t.sighting.c[name] for name in names), literal(self._now, t.UtcDateTime()))
        rows = rows.where(t.sighting.c.issue_id.in_(ids))
        connection.execute(insert(t.former_sighting).from_select([*names, "left_at"], rows))
        former, row = t.former_sighting.c, t.case.c
        for case, issue_id, changed in self._left:
            mine = (former.case_id == case.case_id) & (former.issue_id == issue_id)
            if changed:
                connection.execute(update(t.former_sighting).where(mine).values(**changed))
            # When it was seen last its sightings told; a list may find none any more.
            seen = update(t.case).where(row.case_id == case.case_id)
            connection.execute(seen.values(last_seen_at=case.last_seen_at, updated_at=self._now))

    def _write_sightings(self, connection: Connection) -> None:
        new, seen, placed, moved = [], [], [], []
        for held in self.sightings.values():
            if held.fresh:
                new.append((*_identity(held), held.open, *self._seen(held), *_placed(held)))
                continue
            if held.relocated:
                placed.append((*self._seen(held), *_placed(held), held.issue_id))
            elif held.report is not None:
                seen.append((*self._seen(held), held.issue_id))
            if held.moved:
                moved.append((held.case.case_id, held.because, held.open, held.issue_id))
        insert_rows(connection, t.sighting, (*_IDENTITY, "open", *_SEEN, *_PLACED), new)
        update_rows(connection, t.sighting, "issue_id", _SEEN, seen)
        update_rows(connection, t.sighting, "issue_id", (*_SEEN, *_PLACED), placed)
        names = ("case_id", "linked_because", "open")
        update_rows(connection, t.sighting, "issue_id", names, moved)
        # By their keys: what was raised together lies together, and is changed together.
        again = [self._again(*self.seen_again[number]) for number in sorted(self.seen_again)]
        update_rows(connection, t.sighting, "issue_id", _AGAIN, again)
        late = [(known.newest_report_id, issue_id) for issue_id, known in self.late.values()]
        update_rows(connection, t.sighting, "issue_id", ("newest_report_id",), late)

    def _seen(self, held: HeldSighting) -> tuple[Any, ...]:
        report = held.report
        if report is None:
            raise ValueError(f"sighting {held.issue_id} is written without a report")
        return (
            held.category, held.severity, held.phase, held.revision, held.first_seen_at,
            held.last_seen_at, list(report.box_xyxyn), held.score, report.model_name,
            report.model_sha256, self._now, held.newest_report_id,
        )  # fmt: skip

    def _again(self, report: Report, again: SeenAgain) -> tuple[Any, ...]:
        return (
            report.phase.value, report.revision, report.last_seen_at, list(report.box_xyxyn),
            report.score, report.model_name, report.model_sha256, self._now,
            again.newest_report_id, report.issue_id,
        )  # fmt: skip

    def _write_evidence(self, connection: Connection, desk: Desk) -> None:
        if not self.evidence:
            return
        here = desk.evidence_here
        if not is_sqlite(connection):  # where a picture may have come, or gone, since it was read
            named = {one.sha256 for _, one in self.evidence}
            keep_out(connection, map(part_of, named))
            here = here_of(connection, named)
        rows = {
            (issue_id, named.sha256): self._ref(issue_id, named, named.sha256 in here)
            for issue_id, named in self.evidence
        }
        insert_rows(connection, t.evidence_ref, _EVIDENCE, list(rows.values()), keep=True)

    def _ref(self, issue_id: UUID, named: Evidence, here: bool) -> tuple[Any, ...]:  # noqa: FBT001 -- one caller
        state = "present" if here else "pending"
        return (
            issue_id, named.sha256, named.kind, named.media_type, named.bytes, self._now, state,
            named.moment, named.captured_at,
        )  # fmt: skip

    def _write_history(self, connection: Connection) -> None:
        names = ("case_id", "kind", "other_case_id", "because", "made_at")
        proposed = [(one, "merge", other, why, self._now) for one, other, why in self.proposals]
        insert_rows(connection, t.proposal, names, proposed)
        decided = ("case_id", "at", "who", "action", "reason", "detail")
        insert_rows(connection, t.decision, decided, self._decisions)
        lock_changes(connection)
        changes = [
            (case_id, kind, self._now) for kind, cases in self._changes.items() for case_id in cases
        ]
        insert_rows(connection, t.change, ("case_id", "kind", "at"), changes)


def _identity(held: HeldSighting) -> tuple[Any, ...]:
    city = held.report.city if held.report is not None else ""
    return (
        held.issue_id, held.case.case_id, city, held.agent_id, held.camera_id, held.family,
        held.because,
    )  # fmt: skip


def _placed(held: HeldSighting) -> tuple[Any, ...]:
    return (
        held.lon, held.lat, held.error_m, held.component_id, held.component_standard, held.spot,
    )  # fmt: skip


def refresh(case: HeldCase) -> None:
    """What a case's sightings say together: the newest category, the best position."""
    held = case.sightings
    if case.state == _CLOSED and len(held) < case.sighting_count:
        _refresh_left(case)
        return
    case.sighting_count = len(held)
    if not held:
        case.cameras = []
        return
    first = held[0]
    newest, urgent, begun, seen = first, False, first.first_seen_at, first.last_seen_at
    best: HeldSighting | None = None
    for one in held:
        if one is not first and _newness(one) > _newness(newest):
            newest = one
        urgent = urgent or one.severity == _URGENT
        begun, seen = min(begun, one.first_seen_at), max(seen, one.last_seen_at)
        if one.error_m is not None and (best is None or one.error_m < (best.error_m or 0.0)):
            best = one
    case.category, case.severity = newest.category, _URGENT if urgent else _NORMAL
    case.presence = _presence(frozenset(one.phase for one in held))
    case.first_seen_at, case.last_seen_at = begun, seen
    case.cameras = sorted({one.camera_id for one in held})
    placed = (best.lon, best.lat, best.error_m) if best is not None else (None, None, None)
    case.lon, case.lat, case.error_m = placed
    part = next((one.component for one in held if one.component), (None, None))
    case.component_id, case.component_standard = part


def _refresh_left(case: HeldCase) -> None:
    """A closed case keeps who saw it and where, whatever went on elsewhere."""
    if case.sightings:
        case.presence = _presence(frozenset(one.phase for one in case.sightings))
        case.last_seen_at = max(case.last_seen_at, *(one.last_seen_at for one in case.sightings))


def _newness(one: HeldSighting) -> tuple[bool, datetime, float]:
    return one.phase in LIVE, one.last_seen_at, one.score


@cache
def _presence(phases: frozenset[str]) -> str:
    return presence_of(Phase(phase) for phase in phases).value


def _give_pictures(connection: Connection, cases: Iterable[HeldCase]) -> None:
    """A case that was taken out of another one shows a picture of its own sightings.

    Not of what was raised again after its case was closed: that will get a picture of now.
    """
    wanted = {
        held.issue_id: case
        for case in cases
        if case.still_sha256 is None
        for held in case.sightings
        if held.moved and (held.report is None or held.report.phase.value != _RAISED)
    }
    where = "issue_id {keys} AND kind <> 'clip' AND (moment IS NULL OR moment <> 'cleared')"
    names = ("issue_id", "kind", "sha256")
    for issue_id, kind, sha256 in select_rows(connection, t.evidence_ref, names, where, wanted):
        case = wanted[issue_id]
        if case.still_sha256 is None or kind == "still_marked":
            case.still_sha256 = sha256
