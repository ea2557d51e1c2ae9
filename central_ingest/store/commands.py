"""Commands to agents: kept here until the agent's answer or their expiry, and the suppressions.

Guarantees: a command is written in the transaction of the decision that asks for it; it is offered
again while its agent is online and has not answered; an agent answers a repeat with its first
answer, so repeats change nothing. A suppression is its suppress command.
"""

import json
import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, exists, insert, or_, select, update

from central_ingest.errors import NotFound
from central_ingest.store import tables as t
from central_ingest.store.policy import read_policy
from central_ingest.store.queries import note_change, note_decision
from central_ingest.store.report_chain import kept_of
from central_ingest.store.views import CommandView, DecisionView, SuppressionView
from contract.catalogue import Category, Family
from contract.messages import Command, CommandKind, CommandResult, Phase, encode
from contract.topics import AgentAddress

# The reasons of a rejection from which an agent learns: a person looked, and it is no issue there.
LEARNT_REASONS = frozenset({"not_an_issue", "permitted"})
# An agent that is away for longer has other troubles; until then the command waits for it.
EXPIRES_AFTER = timedelta(days=7)
ASKED_NOW_EXPIRES_AFTER = timedelta(minutes=10)
OFFER_AGAIN_AFTER = timedelta(seconds=20)
AT_ONCE = 200

# What a recheck saw, in words for the case's record.
OBSERVED = {
    "seen": "仍可见 still seen; ",
    "not_seen": "已不可见 not seen any more; ",
    "not_visible": "现场被遮挡或无法判断 the place cannot be seen now; ",
}

# How far around the rejected place nothing is raised, where ground points tell; metres.
RADIUS_M = {Family.COVER: 1.0, Family.BIN: 2.0, Family.VENDOR: 3.0, Family.GARBAGE: 3.0}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks of one agent's camera now."""

    address: AgentAddress
    kind: CommandKind
    camera_id: str | None = None
    issue_id: UUID | None = None


def follow_up(
    connection: Connection, case_id: int, step: tuple[str, str | None], who: str, now: datetime
) -> int:
    """Let the agents learn from a step of a case: (action, reason code); returns how many commands.

    A rejection as no issue suppresses every sighting of the case; a restored case is raised again;
    to verify a case its cameras look again, and their answers stand among its decisions.
    """
    action, reason_code = step
    if action == "reject" and reason_code in LEARNT_REASONS:
        return _suppress_sightings(connection, case_id, who, now)
    if action == "restore":
        return _revoke_of_case(connection, case_id, who, now)
    if action == "verify":
        return _recheck_sightings(connection, case_id, who, now)
    return 0


def note_answer(connection: Connection, result: CommandResult, now: datetime) -> None:
    """Put what a camera says of a case that is being verified among the case's decisions."""
    c = t.command.c
    row = connection.execute(
        select(c.case_id, c.camera_id).where(
            c.command_id == result.command_id,
            c.kind == CommandKind.RECHECK.value,
            c.case_id.is_not(None),
        )
    ).first()
    if row is None:
        return
    seen = OBSERVED.get(result.observation or "", "")
    said = f"{row.camera_id}: {seen}{result.detail}"
    made = DecisionView(at=now, who=result.agent_id, action="recheck", reason=None, detail=said)
    note_decision(connection, row.case_id, made)
    note_change(connection, row.case_id, "decided", now)


def revoke(connection: Connection, suppression_id: UUID, who: str, now: datetime) -> None:
    """Let a place be reported again. Raises NotFound where nothing is suppressed by that id."""
    row = connection.execute(_held(now).where(t.command.c.command_id == suppression_id)).first()
    if row is None:
        raise NotFound(f"no suppression {suppression_id} holds; it may be over, or revoked before")
    _revoke_row(connection, row, who, now)


def ask(connection: Connection, asked: Asked, who: str, now: datetime) -> UUID:
    """Ask an agent for a snapshot, a recheck or a reload; returns the command's id."""
    command = Command(
        command_id=_uuid7(),
        kind=asked.kind,
        issued_at=now,
        expires_at=now + ASKED_NOW_EXPIRES_AFTER,
        camera_id=asked.camera_id,
        issue_id=asked.issue_id,
    )
    _keep(connection, asked.address, command, {"asked_by": who})
    return command.command_id


def take_due(connection: Connection, now: datetime) -> list[tuple[AgentAddress, Command]]:
    """Take the commands to offer now, and note that they were offered."""
    rows = connection.execute(_due(now).limit(AT_ONCE)).all()
    ids = [row.command_id for row in rows]
    if ids:
        c = t.command.c
        offered = update(t.command).where(c.command_id.in_(ids))
        connection.execute(offered.values(offered_at=now, tries=c.tries + 1))
    return [(AgentAddress(r.city, r.agent_id), Command.model_validate(r.body)) for r in rows]


def any_due(connection: Connection, now: datetime) -> bool:
    """Whether something is to be offered; cheaper than `take_due`, which writes."""
    return connection.execute(_due(now).limit(1)).first() is not None


def list_suppressions(connection: Connection, now: datetime) -> list[SuppressionView]:
    """What holds now, the one that ends first in front."""
    rows = connection.execute(_held(now).order_by(t.command.c.until, t.command.c.command_id))
    return [_suppression(row) for row in rows]


def get_command(connection: Connection, command_id: UUID) -> CommandView:
    """One command with its answer. Raises NotFound."""
    r = t.command_result.c
    row = connection.execute(
        select(t.command, r.ok, r.detail, r.received_at, r.body.label("answer"))
        .outerjoin(t.command_result, r.command_id == t.command.c.command_id)
        .where(t.command.c.command_id == command_id)
    ).first()
    if row is None:
        raise NotFound(f"there is no command {command_id}")
    return CommandView(
        command_id=row.command_id,
        agent_id=row.agent_id,
        kind=CommandKind(row.kind),
        asked_by=row.asked_by,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        offered_at=row.offered_at,
        answered_at=row.received_at,
        ok=row.ok,
        answer=row.detail or "",
        evidence=[one["sha256"] for one in (row.answer or {}).get("evidence", ())],
        observation=(row.answer or {}).get("observation"),
    )


# -- inside


def _suppress_sightings(connection: Connection, case_id: int, who: str, now: datetime) -> int:
    until = now + timedelta(days=read_policy(connection).suppress_days)
    sightings = connection.execute(select(t.sighting).where(t.sighting.c.case_id == case_id)).all()
    for row in sightings:
        command = Command(
            command_id=_uuid7(),
            kind=CommandKind.SUPPRESS,
            issued_at=now,
            expires_at=min(until, now + EXPIRES_AFTER),
            camera_id=row.camera_id,
            issue_id=row.issue_id,
            category=Category(row.category),
            box_xyxyn=tuple(row.box_xyxyn),
            until=until,
            radius_m=RADIUS_M[Family(row.family)],
            preset_id=_preset_of(connection, row.issue_id),
        )
        address = AgentAddress(row.city, row.agent_id)
        _keep(connection, address, command, {"asked_by": who, "case_id": case_id})
    return len(sightings)


def _recheck_sightings(connection: Connection, case_id: int, who: str, now: datetime) -> int:
    sightings = connection.execute(select(t.sighting).where(t.sighting.c.case_id == case_id)).all()
    live = [row for row in sightings if row.phase in (Phase.RAISED, Phase.UPDATED)]
    for row in live:
        command = Command(
            command_id=_uuid7(),
            kind=CommandKind.RECHECK,
            issued_at=now,
            expires_at=now + ASKED_NOW_EXPIRES_AFTER,
            camera_id=row.camera_id,
            issue_id=row.issue_id,
        )
        address = AgentAddress(row.city, row.agent_id)
        _keep(connection, address, command, {"asked_by": who, "case_id": case_id})
    return len(live)


def _preset_of(connection: Connection, issue_id: UUID) -> str | None:
    """In which view of a turning camera an issue was seen."""
    kept = kept_of(connection, [issue_id])
    newest = max(kept, key=lambda row: row.revision, default=None)
    return None if newest is None else json.loads(newest.body).get("preset_id")


def _revoke_of_case(connection: Connection, case_id: int, who: str, now: datetime) -> int:
    rows = connection.execute(_held(now).where(t.command.c.case_id == case_id)).all()
    for row in rows:
        _revoke_row(connection, row, who, now)
    return len(rows)


def _revoke_row(connection: Connection, row: Row[Any], who: str, now: datetime) -> None:
    command = Command(
        command_id=_uuid7(),
        kind=CommandKind.UNSUPPRESS,
        issued_at=now,
        # Never before the suppress command itself: that one must not arrive later and hold.
        expires_at=max(row.expires_at, now + EXPIRES_AFTER),
        camera_id=row.camera_id,
        suppression_id=row.command_id,
    )
    address = AgentAddress(row.city, row.agent_id)
    _keep(connection, address, command, {"asked_by": who, "case_id": row.case_id})
    ended = {"revoked_at": now, "revoked_by": who}
    if row.answered_at is None:
        ended["expires_at"] = now  # not offered any more
    connection.execute(
        update(t.command).where(t.command.c.command_id == row.command_id).values(**ended)
    )


def _keep(
    connection: Connection, address: AgentAddress, command: Command, more: dict[str, Any]
) -> None:
    encode(command)  # refuses what the contract does not have
    connection.execute(
        insert(t.command).values(
            command_id=command.command_id,
            city=address.city,
            agent_id=address.agent_id,
            kind=command.kind.value,
            camera_id=command.camera_id,
            issue_id=command.issue_id,
            category=command.category,
            until=command.until,
            issued_at=command.issued_at,
            expires_at=command.expires_at,
            tries=0,
            body=command.model_dump(mode="json", by_alias=True),
            **more,
        )
    )


def _answered() -> Any:
    return exists().where(t.command_result.c.command_id == t.command.c.command_id)


def _due(now: datetime) -> Any:
    """Unanswered, in time, not offered a moment ago, to agents that are there."""
    c = t.command.c
    away = exists().where(
        and_(
            t.agent.c.agent_id == c.agent_id, t.agent.c.city == c.city, t.agent.c.state != "online"
        )
    )
    return (
        select(t.command)
        .where(
            c.expires_at > now,
            or_(c.offered_at.is_(None), c.offered_at <= now - OFFER_AGAIN_AFTER),
            ~_answered(),
            ~away,
        )
        .order_by(c.issued_at, c.command_id)
    )


def _held(now: datetime) -> Any:
    """The suppressions that are neither over nor revoked nor refused."""
    c, r = t.command.c, t.command_result.c
    return (
        select(
            t.command,
            r.ok,
            r.detail,
            r.received_at.label("answered_at"),
            t.case.c.number.label("case_number"),
        )
        .outerjoin(t.command_result, r.command_id == c.command_id)
        .outerjoin(t.case, t.case.c.case_id == c.case_id)
        .where(
            c.kind == CommandKind.SUPPRESS.value,
            c.until > now,
            c.revoked_at.is_(None),
            or_(r.ok.is_(None), r.ok.is_(True)),
            or_(r.ok.is_(True), c.expires_at > now),
        )
    )


def _suppression(row: Row[Any]) -> SuppressionView:
    return SuppressionView(
        suppression_id=row.command_id,
        case_id=row.case_id,
        case_number=row.case_number,
        city=row.city,
        agent_id=row.agent_id,
        camera_id=row.camera_id,
        category=Category(row.category),
        asked_by=row.asked_by,
        asked_at=row.issued_at,
        until=row.until,
        holds_at_agent=row.answered_at is not None,
    )


def _uuid7() -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, the rest random."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
