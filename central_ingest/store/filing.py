"""One report → its sighting, its case, and everything that lists show of them.

Called inside the ingest's transaction; each report stands in its own savepoint, so that one that
fails leaves nothing behind. Guarantees (promises 4 and 5 of the design): repeats change nothing,
and a lower revision never overwrites a higher one, whatever the order.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from central_ingest.cases import OPEN_STATES, CaseState, presence_of
from central_ingest.dedup import (
    Decision,
    DuplicateRules,
    OpenCase,
    Place,
    Sighting,
    Verdict,
    decide,
    search_radius_m,
)
from central_ingest.errors import ConflictingReport
from central_ingest.store import tables as t
from central_ingest.store.cells import bounds_around, look_up, official
from central_ingest.store.queries import note_change
from contract.catalogue import Family
from contract.messages import CellRef, EvidenceRef, IssueReport, Phase, Severity

_OPEN = [state.value for state in OPEN_STATES]
_LIVE = {Phase.RAISED.value, Phase.UPDATED.value}


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
    connection: Connection, report: IssueReport, body: bytes, rules: FilingRules, now: datetime
) -> Outcome:
    """Claim a report by its identity and let it change its case.

    Raises ConflictingReport when the same issue and revision, or the same issue of another agent
    or family, came before: the first one stands.
    """
    if not _claim(connection, report, body, now):
        return Outcome.REPEATED
    known = connection.execute(
        select(t.sighting).where(t.sighting.c.issue_id == report.issue_id)
    ).one_or_none()
    _note_evidence(connection, report, now)
    if known is None:
        return _place_new(connection, report, rules, now)
    _check_continuity(known, report)
    if report.revision < known.revision:
        return Outcome.LATE
    connection.execute(
        update(t.sighting)
        .where(t.sighting.c.issue_id == report.issue_id)
        .values(**_sighting_values(report, now))
    )
    refresh_case(connection, known.case_id, report, now)
    note_change(connection, known.case_id, "updated", now)
    return Outcome.UPDATED


def insert_new(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row unless its key is there already; says whether it was new."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    # Row counts of inserts are not told by every driver; what is returned was inserted.
    return connection.execute(statement.returning(*table.primary_key)).first() is not None


def _claim(connection: Connection, report: IssueReport, body: bytes, now: datetime) -> bool:
    digest = hashlib.sha256(body).hexdigest()
    values = {
        "issue_id": report.issue_id,
        "revision": report.revision,
        "agent_id": report.agent_id,
        "outbox_id": report.outbox_id,
        "seq": report.seq,
        "phase": report.phase.value,
        "received_at": now,
        "body_sha256": digest,
        "body": body,
    }
    if insert_new(connection, t.report, values):
        return True
    held = connection.execute(
        select(t.report.c.body_sha256).where(
            t.report.c.issue_id == report.issue_id, t.report.c.revision == report.revision
        )
    ).scalar_one()
    if held != digest:
        raise ConflictingReport(
            f"issue {report.issue_id} revision {report.revision} came before with another body; "
            "the first one stands"
        )
    return False


def _check_continuity(known: Row[Any], report: IssueReport) -> None:
    """An issue keeps its agent, camera and family for its whole life."""
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


def _note_evidence(connection: Connection, report: IssueReport, now: datetime) -> None:
    asked = {named.sha256 for named in report.evidence}
    here = evidence_here(connection, asked)
    for named in report.evidence:
        values = {
            "issue_id": report.issue_id,
            "sha256": named.sha256,
            "kind": named.kind,
            "media_type": named.media_type,
            "bytes": named.bytes,
            "named_at": now,
            "state": "present" if named.sha256 in here else "pending",
        }
        insert_new(connection, t.evidence_ref, values)


def evidence_here(connection: Connection, hashes: set[str]) -> frozenset[str]:
    """Those of the hashes whose bytes the centre holds."""
    if not hashes:
        return frozenset()
    found = select(t.evidence.c.sha256).where(t.evidence.c.sha256.in_(hashes))
    return frozenset(connection.execute(found).scalars())


def _place_new(
    connection: Connection, report: IssueReport, rules: FilingRules, now: datetime
) -> Outcome:
    issue = _as_sighting(report)
    nearby = _cases_nearby(connection, issue, rules.duplicates)
    made = decide(issue, nearby, rules.duplicates, _cannot_link(connection, issue.issue_id))
    if made.verdict is Verdict.SAME:
        case_id, outcome = made.matches[0].case_id, Outcome.LINKED
    else:
        case_id, outcome = _open_case(connection, report, rules, now), Outcome.OPENED
    connection.execute(
        insert(t.sighting).values(
            issue_id=report.issue_id,
            case_id=case_id,
            linked_because=made.because,
            open=True,
            **_sighting_values(report, now),
        )
    )
    if made.verdict is Verdict.PROPOSE:
        _propose_merges(connection, case_id, made, now)
    refresh_case(connection, case_id, report, now)
    note_change(connection, case_id, outcome.value, now)
    return outcome


def _as_sighting(report: IssueReport) -> Sighting:
    at, part = report.position, report.component
    return Sighting(
        issue_id=report.issue_id,
        agent_id=report.agent_id,
        camera_id=report.camera_id,
        family=report.family,
        phase=report.phase,
        first_seen_at=report.first_seen_at,
        last_seen_at=report.last_seen_at,
        place=Place(at.lon, at.lat, at.error_m) if at else None,
        component=(part.id, part.standard) if part else None,
    )


def _sighting_values(report: IssueReport, now: datetime) -> dict[str, Any]:
    at, part = report.position, report.component
    return {
        "city": report.city,
        "agent_id": report.agent_id,
        "camera_id": report.camera_id,
        "family": report.family.value,
        "category": report.category.value,
        "severity": report.severity.value,
        "phase": report.phase.value,
        "revision": report.revision,
        "first_seen_at": report.first_seen_at,
        "last_seen_at": report.last_seen_at,
        "lon": at.lon if at else None,
        "lat": at.lat if at else None,
        "error_m": at.error_m if at else None,
        "component_id": part.id if part else None,
        "component_standard": part.standard if part else None,
        "box_xyxyn": list(report.box_xyxyn),
        "score": report.score,
        "model_name": report.model.name,
        "model_sha256": report.model.sha256,
        "updated_at": now,
    }


def _cannot_link(connection: Connection, issue_id: UUID) -> frozenset[UUID]:
    """The issues that a person separated from this one."""
    pair = t.cannot_link.c
    rows = connection.execute(
        select(pair.issue_id, pair.other_issue_id).where(
            or_(pair.issue_id == issue_id, pair.other_issue_id == issue_id)
        )
    )
    return frozenset(other for row in rows for other in row if other != issue_id)


def _cases_nearby(connection: Connection, issue: Sighting, rules: DuplicateRules) -> list[OpenCase]:
    """Open cases of the family with a sighting in reach, whole: with all of their sightings."""
    s = t.sighting.c
    near: list[ColumnElement[bool]] = []
    if issue.place is not None:
        near.append(_in_reach(issue.place, issue.family, rules))
    if issue.component is not None:
        component_id, standard = issue.component
        near.append(and_(s.component_id == component_id, s.component_standard == standard))
    if not near:
        return []
    oldest = issue.first_seen_at - timedelta(seconds=max(rules.reach_s, rules.gap_s))
    found = select(s.case_id).where(
        s.open.is_(True), s.family == issue.family.value, s.last_seen_at >= oldest, or_(*near)
    )
    rows = connection.execute(
        select(t.sighting, t.case.c.number)
        .join(t.case, t.case.c.case_id == s.case_id)
        .where(s.case_id.in_(found))
        .order_by(s.case_id)
    )
    cases: dict[tuple[int, str], list[Sighting]] = {}
    for row in rows:
        cases.setdefault((row.case_id, row.number), []).append(_stored_sighting(row))
    return [OpenCase(case_id, number, tuple(held)) for (case_id, number), held in cases.items()]


def _in_reach(place: Place, family: Family, rules: DuplicateRules) -> ColumnElement[bool]:
    """Inside the family's cap; farther only where a position is too coarse to merge."""
    s, cap_m = t.sighting.c, rules.cap_m(family)
    wide = _inside(place, search_radius_m(place, rules, family))
    if place.error_m > cap_m:
        return wide
    return or_(_inside(place, cap_m), and_(wide, s.error_m > cap_m))


def _inside(place: Place, radius_m: float) -> ColumnElement[bool]:
    min_lon, min_lat, max_lon, max_lat = bounds_around(place, radius_m)
    s = t.sighting.c
    return and_(s.lat.between(min_lat, max_lat), s.lon.between(min_lon, max_lon))


def _stored_sighting(row: Row[Any]) -> Sighting:
    placed, part = row.lon is not None, row.component_id is not None
    return Sighting(
        issue_id=row.issue_id,
        agent_id=row.agent_id,
        camera_id=row.camera_id,
        family=Family(row.family),
        phase=Phase(row.phase),
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        place=Place(row.lon, row.lat, row.error_m) if placed else None,
        component=(row.component_id, row.component_standard) if part else None,
    )


def _open_case(
    connection: Connection, report: IssueReport, rules: FilingRules, now: datetime
) -> int:
    presence = presence_of([report.phase])
    values: dict[str, Any] = {
        "number": _next_number(connection, rules, now),
        "category": report.category.value,
        "family": report.family.value,
        "severity": report.severity.value,
        "state": CaseState.PENDING.value,
        "presence": presence.value,
        "presence_since": now,
        "cell_official": False,
        "opened_at": now,
        "first_seen_at": report.first_seen_at,
        "last_seen_at": report.last_seen_at,
        "sighting_count": 0,
        "cameras": [],
        "updated_at": now,
    }
    key = connection.execute(insert(t.case).values(**values)).inserted_primary_key
    return int(key[0]) if key else 0


def _next_number(connection: Connection, rules: FilingRules, now: datetime) -> str:
    day = now.astimezone(ZoneInfo(rules.timezone)).strftime("%Y%m%d")
    prefix = rules.number.format(source=rules.source, yyyymmdd=day, sequence=0)
    row = t.case_number.c
    insert_new(connection, t.case_number, {"prefix": prefix, "last_sequence": 0})
    sequence = connection.execute(
        update(t.case_number)
        .where(row.prefix == prefix)
        .values(last_sequence=row.last_sequence + 1)
        .returning(row.last_sequence)
    ).scalar_one()
    return rules.number.format(source=rules.source, yyyymmdd=day, sequence=sequence)


def _propose_merges(connection: Connection, case_id: int, made: Decision, now: datetime) -> None:
    for match in made.matches:
        connection.execute(
            insert(t.proposal).values(
                case_id=case_id,
                kind="merge",
                other_case_id=match.case_id,
                because=match.because,
                made_at=now,
            )
        )
        note_change(connection, match.case_id, "proposed", now)


def refresh_case(
    connection: Connection, case_id: int, report: IssueReport | None, now: datetime
) -> None:
    """Write what lists show of a case again, from its sightings; `report` is the newest one."""
    rows = connection.execute(select(t.sighting).where(t.sighting.c.case_id == case_id)).all()
    case = connection.execute(select(t.case).where(t.case.c.case_id == case_id)).one()
    values = _case_values(rows)
    values["updated_at"] = now
    if values["presence"] != case.presence:
        values["presence_since"] = now
    if report is not None:
        values |= _cell_values(connection, case, report)
        if still := _still(report.evidence):
            values["still_sha256"] = case.still_sha256 or still
    connection.execute(update(t.case).where(t.case.c.case_id == case_id).values(**values))


def _case_values(rows: Any) -> dict[str, Any]:
    """What a case's sightings say together: the newest category, the best position."""
    newest = max(rows, key=lambda row: (row.phase in _LIVE, row.last_seen_at, row.score))
    placed = [row for row in rows if row.lon is not None]
    best = min(placed, key=lambda row: row.error_m, default=None)
    parts = [row for row in rows if row.component_id is not None]
    urgent = any(row.severity == Severity.URGENT.value for row in rows)
    return {
        "category": newest.category,
        "severity": (Severity.URGENT if urgent else Severity.NORMAL).value,
        "presence": presence_of(Phase(row.phase) for row in rows).value,
        "first_seen_at": min(row.first_seen_at for row in rows),
        "last_seen_at": max(row.last_seen_at for row in rows),
        "lon": best.lon if best else None,
        "lat": best.lat if best else None,
        "error_m": best.error_m if best else None,
        "component_id": parts[0].component_id if parts else None,
        "component_standard": parts[0].component_standard if parts else None,
        "sighting_count": len(rows),
        "cameras": sorted({row.camera_id for row in rows}),
    }


def _cell_values(connection: Connection, case: Row[Any], report: IssueReport) -> dict[str, Any]:
    """The cell of a case's first report that has one; the agent's word, else our own lookup."""
    if case.cell_code is not None:
        return {}
    cells: tuple[CellRef, ...] = report.cells
    if not cells and (at := report.position) is not None:
        cells = look_up(connection, Place(at.lon, at.lat, at.error_m))
    if not cells:
        return {}
    return {
        "cell_code": cells[0].code,
        "grid_version": cells[0].grid_version,
        "cell_official": official(connection, cells[0]),
    }


def _still(evidence: tuple[EvidenceRef, ...]) -> str | None:
    """The picture to show first: the one with the box drawn in."""
    stills = {named.kind: named.sha256 for named in evidence}
    return stills.get("still_marked") or stills.get("still")
