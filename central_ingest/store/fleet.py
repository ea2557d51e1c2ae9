"""What agents say about themselves and their cameras, and what the ingest says about itself."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update

from central_ingest.store import tables as t
from central_ingest.store.commands import note_answer
from central_ingest.store.views import AgentView, CameraView
from contract.messages import AgentStatus, CameraHealth, CameraState, Canary, CommandResult, Value

BEAT_STALE = timedelta(seconds=10)
CANARY_STALE = timedelta(hours=2, minutes=10)
_ENDED = 0  # no process has this id


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    """One sign of life of an ingest worker, with its metrics as Prometheus text."""

    name: str
    pid: int
    started_at: datetime
    beat_at: datetime
    connected: bool
    detail: str
    metrics: str

    @property
    def ended(self) -> bool:
        """Whether its last word is that it was told to stop."""
        return self.pid == _ENDED

    def alive(self, now: datetime) -> bool:
        """Whether it said so lately, and not since that it ended."""
        return not self.ended and now - self.beat_at < BEAT_STALE


@dataclass(frozen=True, slots=True)
class LastCanary:
    """When an agent's hourly synthetic report last came through, end to end."""

    city: str
    agent_id: str
    received_at: datetime

    def overdue(self, now: datetime) -> bool:
        """Whether two of them stayed away."""
        return now - self.received_at > CANARY_STALE


def _body(message: Value) -> Any:
    return json.loads(message.model_dump_json(by_alias=True))


def _put(
    connection: Connection, table: Table, key: ColumnElement[bool], values: dict[str, Any]
) -> None:
    if not connection.execute(update(table).where(key).values(**values)).rowcount:
        connection.execute(insert(table).values(**values))


def hold_status(connection: Connection, status: AgentStatus, now: datetime) -> None:
    """Remember what an agent last said about itself."""
    a = t.agent.c
    values = {
        "agent_id": status.agent_id,
        "city": status.city,
        "state": status.state,
        "since": status.since,
        "version": status.version[:64],
        "waiting_reports": status.waiting_reports,
        "body": _body(status),
        "last_heard_at": now,
    }
    mine = (a.agent_id == status.agent_id) & (a.city == status.city)
    _put(connection, t.agent, mine, values)


def hold_health(connection: Connection, health: CameraHealth, now: datetime) -> None:
    """Remember what an agent last said about one of its cameras."""
    c = t.camera.c
    values = {
        "agent_id": health.agent_id,
        "camera_id": health.camera_id,
        "state": health.state.value,
        "since": health.since,
        "detail": health.detail,
        "looks_per_s": health.looks_per_s,
        "body": _body(health),
        "last_heard_at": now,
    }
    mine = (c.agent_id == health.agent_id) & (c.camera_id == health.camera_id)
    _put(connection, t.camera, mine, values)


def hold_canary(connection: Connection, canary: Canary, now: datetime) -> None:
    """Remember when an agent's synthetic report last came through."""
    c = t.canary.c
    values = {
        "agent_id": canary.agent_id,
        "city": canary.city,
        "made_at": canary.made_at,
        "received_at": now,
    }
    mine = (c.agent_id == canary.agent_id) & (c.city == canary.city)
    _put(connection, t.canary, mine, values)


def forget_canary(connection: Connection, agent_id: str) -> None:
    """Expect no synthetic reports of an agent any more."""
    connection.execute(delete(t.canary).where(t.canary.c.agent_id == agent_id))


def list_canaries(connection: Connection) -> list[LastCanary]:
    """When each agent's synthetic report last came through."""
    rows = connection.execute(select(t.canary).order_by(t.canary.c.city, t.canary.c.agent_id))
    return [LastCanary(row.city, row.agent_id, row.received_at) for row in rows]


def hold_result(connection: Connection, result: CommandResult, now: datetime) -> None:
    """Remember an agent's answer to a command; a command is answered once for one agent."""
    r = t.command_result.c
    values = {
        "command_id": result.command_id,
        "agent_id": result.agent_id,
        "ok": result.ok,
        "detail": result.detail,
        "body": _body(result),
        "received_at": now,
    }
    mine = (r.command_id == result.command_id) & (r.agent_id == result.agent_id)
    if connection.execute(select(r.command_id).where(mine)).first() is None:
        note_answer(connection, result, now)
    _put(connection, t.command_result, mine, values)


def list_agents(connection: Connection) -> list[AgentView]:
    """Every agent that ever spoke."""
    rows = connection.execute(select(t.agent).order_by(t.agent.c.city, t.agent.c.agent_id))
    return [
        AgentView(
            city=row.city,
            agent_id=row.agent_id,
            state=row.state,
            since=row.since,
            version=row.version,
            waiting_reports=row.waiting_reports,
            last_heard_at=row.last_heard_at,
        )
        for row in rows
    ]


def list_cameras(connection: Connection) -> list[CameraView]:
    """Every camera that an agent ever spoke of."""
    rows = connection.execute(select(t.camera).order_by(t.camera.c.agent_id, t.camera.c.camera_id))
    return [
        CameraView(
            agent_id=row.agent_id,
            camera_id=row.camera_id,
            state=CameraState(row.state),
            since=row.since,
            detail=row.detail,
            looks_per_s=row.looks_per_s,
            last_heard_at=row.last_heard_at,
            preset_id=row.body.get("preset_id"),
            picture_sha256=(row.body.get("picture") or {}).get("sha256"),
        )
        for row in rows
    ]


def beat(connection: Connection, said: WorkerBeat) -> None:
    """An ingest worker's sign of life."""
    values = {
        "name": said.name,
        "pid": said.pid,
        "started_at": said.started_at,
        "beat_at": said.beat_at,
        "connected": said.connected,
        "detail": said.detail,
        "metrics": said.metrics,
    }
    _put(connection, t.worker, t.worker.c.name == said.name, values)


def leave(connection: Connection, name: str, now: datetime) -> None:
    """An ingest worker's last word: it ended as it was told, and works on nothing any more."""
    said = {"pid": _ENDED, "beat_at": now, "connected": False, "detail": "it was stopped"}
    connection.execute(update(t.worker).where(t.worker.c.name == name).values(**said))


def list_workers(connection: Connection) -> list[WorkerBeat]:
    """The last sign of life of every ingest worker."""
    rows = connection.execute(select(t.worker).order_by(t.worker.c.name))
    return [
        WorkerBeat(
            name=row.name,
            pid=row.pid,
            started_at=row.started_at,
            beat_at=row.beat_at,
            connected=row.connected,
            detail=row.detail,
            metrics=row.metrics,
        )
        for row in rows
    ]
