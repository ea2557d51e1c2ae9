"""What time does to cases: pictures that never came, problems that are long gone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, insert, select, update

from central_ingest.cases import CaseState, Presence
from central_ingest.store import tables as t
from central_ingest.store.queries import note_change

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class HouseRules:
    """How long the centre waits before it gives a picture up, or proposes to void a case."""

    evidence_lost_after: timedelta = timedelta(hours=72)
    propose_void_after: timedelta = timedelta(hours=24)


def keep_house(connection: Connection, rules: HouseRules, now: datetime) -> None:
    """Mark lost pictures and propose void for pending cases whose problem is long gone."""
    _mark_lost(connection, now - rules.evidence_lost_after, now)
    _propose_void(connection, now - rules.propose_void_after, now)


def _mark_lost(connection: Connection, named_before: datetime, now: datetime) -> None:
    ref = t.evidence_ref.c
    rows = connection.execute(
        select(ref.issue_id, ref.sha256, t.sighting.c.case_id)
        .join(t.sighting, t.sighting.c.issue_id == ref.issue_id)
        .where(ref.state == "pending", ref.named_at < named_before)
        .limit(_AT_ONCE)
    ).all()
    for row in rows:
        mine = (ref.issue_id == row.issue_id) & (ref.sha256 == row.sha256)
        connection.execute(update(t.evidence_ref).where(mine).values(state="lost"))
        note_change(connection, row.case_id, "evidence", now)


def _propose_void(connection: Connection, gone_before: datetime, now: datetime) -> None:
    case = t.case.c
    asked = exists(
        select(t.proposal.c.proposal_id).where(
            t.proposal.c.case_id == case.case_id,
            t.proposal.c.kind == "void",
            t.proposal.c.made_at >= case.presence_since,
        )
    )
    rows = connection.execute(
        select(case.case_id, case.presence_since)
        .where(
            case.state == CaseState.PENDING.value,
            case.presence == Presence.GONE.value,
            case.presence_since < gone_before,
            ~asked,
        )
        .limit(_AT_ONCE)
    ).all()
    for row in rows:
        hours = (now - row.presence_since).total_seconds() / 3600
        because = f"待核实且已消失 {hours:.1f} h pending, and gone so long"
        connection.execute(
            insert(t.proposal).values(
                case_id=row.case_id, kind="void", because=because, made_at=now
            )
        )
        note_change(connection, row.case_id, "proposed", now)
