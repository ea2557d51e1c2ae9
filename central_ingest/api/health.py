"""Whether the centre works, for people and for Prometheus."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from central_ingest.api.auth import require
from central_ingest.api.deps import Deps
from central_ingest.errors import NotAllowed, NotAuthenticated, StoreUnavailable
from central_ingest.store.access import Role
from central_ingest.store.database import Connection, reading
from central_ingest.store.fleet import (
    LastCanary,
    WorkerBeat,
    list_agents,
    list_cameras,
    list_canaries,
    list_workers,
)
from central_ingest.store.queries import count_by_state, count_quarantined

_UNTOLD = "log in, or send a reader's bearer token, to be told why; the centre's log says it too"


@dataclass(frozen=True, slots=True)
class Health:
    """`degraded` says what is wrong, each in one line; empty when all is well."""

    database: bool
    ingest: bool
    broker: bool
    degraded: tuple[str, ...]

    @property
    def status(self) -> str:
        """One word."""
        return "degraded" if self.degraded else "ok"


def look(connection: Connection, now: datetime) -> Health:
    """Health from the workers' signs of life and the agents' canaries; the database answers."""
    return judge(list_workers(connection), now, list_canaries(connection))


def judge(
    workers: Sequence[WorkerBeat], now: datetime, canaries: Sequence[LastCanary] = ()
) -> Health:
    """Health from signs of life and canaries."""
    alive = [worker for worker in workers if worker.alive(now)]
    broker = any(worker.connected for worker in alive)
    wrong = []
    if not alive:
        wrong.append(_silence(workers))
    wrong += [f"ingest {w.name}: {w.detail}" for w in alive if not w.connected]
    wrong += [
        f"agent {one.agent_id} ({one.city}): its hourly test report last came through "
        f"{one.received_at:%Y-%m-%d %H:%M}Z"
        for one in canaries
        if one.overdue(now)
    ]
    return Health(database=True, ingest=bool(alive), broker=broker, degraded=tuple(wrong))


def _silence(workers: Sequence[WorkerBeat]) -> str:
    if not workers:
        return "no ingest is running: no sign of life"
    newest = max(workers, key=lambda worker: worker.beat_at)
    since = f"{newest.beat_at:%Y-%m-%d %H:%M:%S}Z"
    if newest.ended:
        return f"no ingest is running: {newest.name} was stopped at {since}"
    return (
        f"no sign of life of an ingest since {since}: none is running, or it "
        "cannot write to the database (a full disk?), which its log then says"
    )


def _look(deps: Deps) -> Health:
    try:
        with reading(deps.engine) as connection:
            return look(connection, deps.now())
    except StoreUnavailable as error:
        return Health(database=False, ingest=False, broker=False, degraded=(str(error),))


def _told(deps: Deps, request: Request, health: Health) -> list[str]:
    """The reasons, for who may read here: they name hosts, agents and cities."""
    if not health.degraded:
        return []
    try:
        require(deps, request, Role.READER)
    except (NotAuthenticated, NotAllowed, StoreUnavailable):
        return [_UNTOLD]
    return list(health.degraded)


def _metrics(deps: Deps) -> bytes:
    """Our own gauges, then what each ingest worker that is alive said with its last beat."""
    registry = CollectorRegistry()
    cases = Gauge("gridwatch_open_cases", "Open cases", ["state"], registry=registry)
    agents = Gauge("gridwatch_agents", "Agents, as they last spoke", ["state"], registry=registry)
    cameras = Gauge("gridwatch_cameras", "Cameras, by health", ["state"], registry=registry)
    held = Gauge("gridwatch_quarantine_messages", "Messages in quarantine", registry=registry)
    up = Gauge("gridwatch_ingest_up", "Whether a worker is alive", ["worker"], registry=registry)
    canary_age = Gauge(
        "gridwatch_canary_age_seconds",
        "Since an agent's hourly synthetic report last came through",
        ["city", "agent"],
        registry=registry,
    )
    now = deps.now()
    with reading(deps.engine) as connection:
        for state, count in count_by_state(connection).items():
            cases.labels(state.value).set(count)
        for agent in list_agents(connection):
            agents.labels(agent.state).inc()
        for camera in list_cameras(connection):
            cameras.labels(camera.state.value).inc()
        held.set(count_quarantined(connection))
        for canary in list_canaries(connection):
            age_s = (now - canary.received_at).total_seconds()
            canary_age.labels(canary.city, canary.agent_id).set(age_s)
        workers = list_workers(connection)
    for worker in workers:
        up.labels(worker.name).set(worker.alive(now))
    alive = [worker.metrics for worker in workers if worker.alive(now)]
    return generate_latest(registry) + "".join(alive).encode()


def make_router(deps: Deps) -> APIRouter:
    """The routes of health and metrics."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    def healthz(request: Request) -> Response:
        """200 while the database and the ingest work, else 503; readers are told the reasons."""
        health = _look(deps)
        body = {
            "status": health.status,
            "database": health.database,
            "ingest": health.ingest,
            "broker": health.broker,
            "degraded": _told(deps, request, health),
        }
        return JSONResponse(body, 200 if health.database and health.ingest else 503)

    @router.get("/metrics")
    def metrics(request: Request) -> Response:
        """Prometheus text."""
        require(deps, request, Role.READER)
        return Response(_metrics(deps), media_type=CONTENT_TYPE_LATEST)

    return router
