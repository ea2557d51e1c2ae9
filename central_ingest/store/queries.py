"""Reading cases, and what people do with them.

A list is fast with a million cases: it walks one index for each state and starts after the last
case that was shown, so it never counts, sorts or skips.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from central_ingest.calendar import deadline
from central_ingest.cases import (
    OPEN_STATES,
    CaseState,
    Presence,
    allowed_actions,
    next_state,
)
from central_ingest.dedup import Place
from central_ingest.errors import IllegalStep, NotFound
from central_ingest.spots import spot
from central_ingest.store import tables as t
from central_ingest.store.database import lock_changes
from central_ingest.store.policy import read_policy
from central_ingest.store.report_chain import kept_of
from central_ingest.store.sightings import evidence_view, sightings_of, stays_of
from central_ingest.store.views import (
    CaseDetail,
    CaseLink,
    CaseSummary,
    Change,
    DecisionView,
    EvidenceView,
    ProposalView,
)
from contract.catalogue import Category, Family
from contract.messages import Severity

LIMIT_MAX = 500
CASE_ID_MAX = 2**63 - 1


def list_cases(  # noqa: PLR0913 -- every filter of the page is one keyword
    connection: Connection,
    *,
    states: Iterable[CaseState] = OPEN_STATES,
    category: Category | None = None,
    cell: str | None = None,
    presence: Presence | None = None,
    limit: int = 50,
    after: int | None = None,
) -> list[CaseSummary]:
    """Cases, urgent first, then newest first; `after` is the last case_id of the page before."""
    wanted = []
    for column, value in (
        (t.case.c.category, category),
        (t.case.c.cell_code, cell),
        (t.case.c.presence, presence),
    ):
        if value is not None:
            wanted.append(column == str(value))
    limit = max(1, min(limit, LIMIT_MAX))
    branches = [
        _newest((state.value, severity), [*wanted, *beyond], limit)
        for severity, beyond in _severities_after(connection, after)
        for state in dict.fromkeys(states)
    ]
    if not branches:
        return []
    found = union_all(*branches).subquery()
    order = (found.c.severity.desc(), found.c.case_id.desc())
    chosen = select(found.c.case_id).order_by(*order).limit(limit)
    rows = connection.execute(
        select(t.case)
        .where(t.case.c.case_id.in_(chosen))
        .order_by(t.case.c.severity.desc(), t.case.c.case_id.desc())
    ).all()
    return _summaries(connection, rows)


def _severities_after(
    connection: Connection, after: int | None
) -> list[tuple[str, list[ColumnElement[bool]]]]:
    """The severities that are left to list, urgent first, each with what bounds it."""
    every = [Severity.URGENT.value, Severity.NORMAL.value]
    if after is None:
        return [(severity, []) for severity in every]
    last = select(t.case.c.severity).where(t.case.c.case_id == after)
    reached = connection.execute(last).scalar_one_or_none() or Severity.URGENT.value
    at = every.index(reached)
    return [(reached, [t.case.c.case_id < after]), *((one, []) for one in every[at + 1 :])]


def _newest(
    group: tuple[str, str], wanted: Sequence[ColumnElement[bool]], limit: int
) -> Select[Any]:
    """The newest cases of one state and severity, as one walk of its index."""
    state, severity = group
    walk = (
        select(t.case.c.case_id, t.case.c.severity)
        .where(t.case.c.state == state, t.case.c.severity == severity, *wanted)
        .order_by(t.case.c.case_id.desc())
        .limit(limit)
        .subquery()
    )
    return select(walk.c.case_id, walk.c.severity)


def get_summary(connection: Connection, case_id: int) -> CaseSummary:
    """One case as a list shows it. Raises NotFound."""
    return _summaries(connection, [_case_row(connection, case_id)])[0]


def get_case(connection: Connection, case_id: int) -> CaseDetail:
    """Everything about one case. Raises NotFound."""
    row = _case_row(connection, case_id)
    summary = _summaries(connection, [row])[0]
    return CaseDetail(
        summary=summary,
        sightings=sightings_of(connection, case_id),
        decisions=_decisions(connection, case_id),
        proposals=_proposals(connection, case_id),
        actions=() if row.merged_into else allowed_actions(summary.state),
        merged_into=_link(connection, row.merged_into),
        recurs_of=_link(connection, row.recurs_of),
    )


def reports_of(connection: Connection, case_id: int) -> list[dict[str, Any]]:
    """The bodies of a case's reports as they came, in that order. Raises NotFound."""
    get_summary(connection, case_id)
    stays = stays_of(connection, case_id)
    rows = [row for row in kept_of(connection, stays) if stays[row.issue_id].holds(row.received_at)]
    return [
        json.loads(row.body)
        for row in sorted(rows, key=lambda r: (r.received_at, r.seq, r.report_id))
    ]


def _link(connection: Connection, case_id: int | None) -> CaseLink | None:
    if case_id is None:
        return None
    return CaseLink(case_id, _case_row(connection, case_id).number)


def find_case(connection: Connection, number: str) -> int:
    """The key of the case that people call `number`. Raises NotFound."""
    query = select(t.case.c.case_id).where(t.case.c.number == number.strip())
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no case {number!r}")
    return int(found)


def count_by_state(connection: Connection) -> dict[CaseState, int]:
    """How many open cases there are in each open state."""
    rows = connection.execute(
        select(t.case.c.state, func.count())
        .where(t.case.c.state.in_([state.value for state in OPEN_STATES]))
        .group_by(t.case.c.state)
    )
    found = {row[0]: row[1] for row in rows}
    return {state: found.get(state.value, 0) for state in OPEN_STATES}


def count_quarantined(connection: Connection) -> int:
    """How many messages wait in quarantine for somebody to look at them."""
    waiting = t.quarantine.c.requeued_at.is_(None)
    return int(connection.execute(select(func.count()).where(waiting)).scalar_one())


def count_everything(connection: Connection) -> dict[str, int]:
    """How many rows there are of what must be neither lost nor doubled."""
    identities = select(t.report.c.issue_id, t.report.c.revision).distinct().subquery()
    counted = {
        "reports": t.report,
        "identities": identities,
        "sightings": t.sighting,
        "cases": t.case,
        "quarantined": t.quarantine,
    }
    return {
        name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
        for name, table in counted.items()
    }


def count_reports_of(connection: Connection, agent_id: str) -> int:
    """How many reports of one agent are held."""
    mine = t.report.c.agent_id == agent_id
    query = select(func.count()).select_from(t.report).where(mine)
    return int(connection.execute(query).scalar_one())


def changes_since(connection: Connection, change_id: int, limit: int = 100) -> list[Change]:
    """Changes after `change_id`, oldest first."""
    rows = connection.execute(
        select(t.change)
        .where(t.change.c.change_id > change_id)
        .order_by(t.change.c.change_id)
        .limit(limit)
    )
    return [Change(row.change_id, row.case_id, row.kind, row.at) for row in rows]


def last_change_id(connection: Connection) -> int:
    """The newest change; 0 where there was none."""
    return connection.execute(select(func.max(t.change.c.change_id))).scalar_one() or 0


def decide(
    connection: Connection,
    case_id: int,
    action: str,
    who: str,
    reason: str | None,
    now: datetime,
) -> CaseSummary:
    """Let a case take one step, and remember who did it, when and why.

    To be called inside `database.writing`. The deadline starts when a case is filed, from the
    centre's time. Raises NotFound, IllegalStep, ReasonMissing; the case is then unchanged.
    """
    row = _case_row(connection, case_id, lock=True)
    before, category = CaseState(row.state), Category(row.category)
    if row.merged_into is not None:
        raise IllegalStep(f"case {row.number} was merged into another one; it takes no step")
    after = next_state(before, action, reason)
    values: dict[str, Any] = {"state": after.value, "updated_at": now}
    detail = f"{before.name_zh} → {after.name_zh} {before.value} → {after.value}"
    if action == "confirm":
        policy = read_policy(connection)
        if limit := policy.deadlines.get(category):
            values["deadline_at"] = deadline(now, limit, policy.calendar)
            said = f"{limit.amount:g} {limit.kind.name_zh} {limit.kind.value}"
            detail += f"；时限 deadline {said}"
    if after is CaseState.CLOSED:
        values |= {"ended_at": now, "spot": _spot(row)}
    connection.execute(update(t.case).where(t.case.c.case_id == case_id).values(**values))
    connection.execute(
        update(t.sighting).where(t.sighting.c.case_id == case_id).values(open=after in OPEN_STATES)
    )
    if after not in OPEN_STATES:
        _settle_proposals(connection, case_id, who, now)
    note_decision(
        connection,
        case_id,
        DecisionView(at=now, who=who, action=action, reason=reason, detail=detail),
    )
    note_change(connection, case_id, "decided", now)
    return get_summary(connection, case_id)


def _spot(row: Row[Any]) -> int | None:
    """Where a closed case is found when the same problem comes back."""
    if row.lon is None:
        return None
    return spot(Place(row.lon, row.lat, row.error_m), Family(row.family), coarse=False)


def note_decision(connection: Connection, case_id: int, made: DecisionView) -> None:
    """Remember who did what, when and why."""
    reason = made.reason.strip() if made.reason else None
    connection.execute(
        insert(t.decision).values(
            case_id=case_id,
            at=made.at,
            who=made.who,
            action=made.action,
            reason=reason or None,
            detail=made.detail,
        )
    )


def note_change(connection: Connection, case_id: int, kind: str, now: datetime) -> None:
    """Tell everybody who follows that a case changed; in the transaction that changed it."""
    lock_changes(connection)
    connection.execute(insert(t.change).values(case_id=case_id, kind=kind, at=now))


def _settle_proposals(connection: Connection, case_id: int, who: str, now: datetime) -> None:
    """A case that ended answers what was proposed for it."""
    mine = or_(t.proposal.c.case_id == case_id, t.proposal.c.other_case_id == case_id)
    connection.execute(
        update(t.proposal)
        .where(mine, t.proposal.c.settled_at.is_(None))
        .values(settled_at=now, settled_by=who, outcome="case ended")
    )


def _case_row(connection: Connection, case_id: int, *, lock: bool = False) -> Row[Any]:
    if not 0 < case_id <= CASE_ID_MAX:
        raise NotFound(f"there is no case {case_id}")
    query = select(t.case).where(t.case.c.case_id == case_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound(f"there is no case {case_id}")
    return row


def _summaries(connection: Connection, rows: Sequence[Row[Any]]) -> list[CaseSummary]:
    newest = _newest_times(connection, [row.case_id for row in rows])
    stills = _stills(connection, {row.still_sha256 for row in rows if row.still_sha256})
    return [
        CaseSummary(
            case_id=row.case_id,
            number=row.number,
            category=Category(row.category),
            family=Family(row.family),
            severity=Severity(row.severity),
            state=CaseState(row.state),
            presence=Presence(row.presence),
            cell_code=row.cell_code,
            grid_version=row.grid_version,
            cell_official=row.cell_official,
            lon=row.lon,
            lat=row.lat,
            error_m=row.error_m,
            opened_at=row.opened_at,
            first_seen_at=row.first_seen_at,
            last_seen_at=newest.get(row.case_id, row).last_seen_at,
            deadline_at=row.deadline_at,
            sighting_count=row.sighting_count,
            cameras=tuple(row.cameras),
            still=stills.get(row.still_sha256),
            updated_at=max(row.updated_at, newest.get(row.case_id, row).updated_at),
        )
        for row in rows
    ]


def _newest_times(connection: Connection, case_ids: list[int]) -> dict[int, Any]:
    """When the sightings of each case were last seen and updated; merged cases have none."""
    row = t.sighting.c
    found = connection.execute(
        select(
            row.case_id,
            func.max(row.last_seen_at).label("last_seen_at"),
            func.max(row.updated_at).label("updated_at"),
        )
        .where(row.case_id.in_(case_ids))
        .group_by(row.case_id)
    )
    return {times.case_id: times for times in found}


def _stills(connection: Connection, hashes: set[str]) -> dict[str, EvidenceView]:
    if not hashes:
        return {}
    rows = connection.execute(select(t.evidence_ref).where(t.evidence_ref.c.sha256.in_(hashes)))
    return {row.sha256: evidence_view(row) for row in rows}


def _decisions(connection: Connection, case_id: int) -> tuple[DecisionView, ...]:
    rows = connection.execute(
        select(t.decision).where(t.decision.c.case_id == case_id).order_by(t.decision.c.decision_id)
    )
    return tuple(DecisionView(row.at, row.who, row.action, row.reason, row.detail) for row in rows)


def _proposals(connection: Connection, case_id: int) -> tuple[ProposalView, ...]:
    """Both sides of a proposed merge see it, each naming the other."""
    other = t.case.alias("other")
    is_mine = t.proposal.c.case_id == case_id
    rows = connection.execute(
        select(t.proposal, other.c.case_id.label("partner"), other.c.number.label("partner_number"))
        .outerjoin(
            other,
            or_(
                and_(is_mine, other.c.case_id == t.proposal.c.other_case_id),
                and_(~is_mine, other.c.case_id == t.proposal.c.case_id),
            ),
        )
        .where(or_(is_mine, t.proposal.c.other_case_id == case_id))
        .order_by(t.proposal.c.proposal_id)
    )
    return tuple(
        ProposalView(
            proposal_id=row.proposal_id,
            kind=row.kind,
            other_case_id=row.partner,
            other_number=row.partner_number,
            because=row.because,
            made_at=row.made_at,
            settled_at=row.settled_at,
            settled_by=row.settled_by,
            outcome=row.outcome,
        )
        for row in rows
    )
