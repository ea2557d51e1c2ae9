"""The composition root: builds the centre from its settings, supervises the ingest, stops all.

`serve` answers people; the ingest runs as a process of its own beside it, so that a flood of
reports never starves a page. A file lock and the MQTT client id keep it one of its name.
"""

import fcntl
import gc
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from central_ingest import pages
from central_ingest.api import (
    answers,
    arranging,
    auth,
    cases,
    cells,
    commands,
    events,
    evidence,
    health,
)
from central_ingest.api.deps import Deps
from central_ingest.api.security import Guard, host_names
from central_ingest.clock import utc_now
from central_ingest.config import S3Settings, Settings
from central_ingest.errors import ConfigError, RefusedToStart, StoreError, StoreUnavailable
from central_ingest.evidence import EvidenceStore, Shelf
from central_ingest.ingest import Ingest
from central_ingest.reader import Reader
from central_ingest.store import access
from central_ingest.store.database import (
    CACHE_MB,
    Engine,
    check_version,
    migrate,
    open_engine,
    reading,
    writing,
)
from central_ingest.store.filing import FilingRules
from central_ingest.store.fleet import BEAT_STALE, list_workers
from central_ingest.store.housekeeping import HouseRules
from central_ingest.store.moving import copy_database
from central_ingest.store.policy import Policy, read_setting, write_policy, write_setting

_log = logging.getLogger(__name__)
LOCK_WAIT_S = 10.0
STOP_WITHIN_S = 8.0
STALE_PARTIAL_S = 7 * 86_400.0
_RESTART_FIRST_S = 0.5
_RESTART_MAX_S = 30.0
_RAN_WELL_S = 60.0


def open_database(settings: Settings, cache_mb: int = CACHE_MB) -> Engine:
    """The database, ready to use: SQLite is brought to this version by itself.

    Each connection to an SQLite file keeps its pages in up to `cache_mb` of memory.
    Raises RefusedToStart when a PostgreSQL database is of another version, StoreUnavailable when
    it cannot be used, ConfigError when its address cannot be.
    """
    with _database_named(settings):
        engine = open_engine(settings.database_url, cache_mb)
        if engine.dialect.name == "sqlite":
            _make_folder(settings.data)
            migrate(engine)
        else:
            check_version(engine)
        return engine


@contextmanager
def _database_named(settings: Settings) -> Iterator[None]:
    """Say where the database that cannot be used is named."""
    try:
        yield
    except (ConfigError, StoreUnavailable) as error:
        raise type(error)(f"{settings.database_name}: {error}") from error


def migrate_database(settings: Settings) -> None:
    """Bring the database to this version, whichever kind it is."""
    _make_folder(settings.data)
    with _database_named(settings):
        migrate(open_engine(settings.database_url))


def open_target(settings: Settings) -> Engine:
    """The database that is to be filled; its tables are made by whoever fills it.

    Raises ConfigError, StoreUnavailable.
    """
    _make_folder(settings.data)
    with _database_named(settings):
        engine = open_engine(settings.database_url)
        if engine.dialect.name != "sqlite":  # which would be made by looking
            with reading(engine):
                pass
        return engine


def open_evidence(settings: Settings) -> EvidenceStore:
    """Where pictures are kept. Raises RefusedToStart where the bucket's library is not there."""
    _make_folder(settings.data)
    folder, rules = settings.evidence_folder, settings.evidence
    return EvidenceStore(folder, rules.max_bytes, _shelf(rules.s3, folder))


def move_database(settings: Settings, target: Engine) -> dict[str, int]:
    """Copy everything into an empty database; returns the rows of each table.

    Raises RefusedToStart while an ingest works, which would go on filing into the old one.
    """
    source = open_database(settings)
    if str(source.url) == str(target.url):
        raise RefusedToStart("both settings name the same database")
    with reading(source) as connection:
        working = [f"'{beat.name}'" for beat in list_workers(connection) if beat.alive(utc_now())]
    if working:
        raise RefusedToStart(
            f"an ingest named {' and '.join(working)} still works on the old database: stop the "
            "centre first, agents keep their reports meanwhile; one that was killed counts as "
            f"working for {BEAT_STALE.total_seconds():.0f} s"
        )
    return copy_database(source, target)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise RefusedToStart(
            f"{folder} is a file, where the data folder was expected; choose another with --data"
        ) from error
    except OSError as error:
        raise RefusedToStart(
            f"the data folder {folder} cannot be made: {error}; choose another with --data"
        ) from error


def make_deps(settings: Settings, engine: Engine) -> tuple[Deps, auth.Authenticator]:
    """What routes and pages are given."""
    authenticator = auth.Authenticator(engine, settings.http, utc_now)
    store = open_evidence(settings)
    deps = Deps(
        engine=engine,
        settings=settings.http,
        actor=authenticator.actor,
        now=utc_now,
        evidence=store,
        stopping=threading.Event(),
        filing=filing_rules(settings),
    )
    return deps, authenticator


def _shelf(s3: S3Settings | None, folder: Path) -> Shelf | None:
    """The bucket, where there is one; its library is an extra. Raises RefusedToStart."""
    if s3 is None:
        return None
    try:
        from central_ingest.evidence_s3 import S3Shelf  # noqa: PLC0415
    except ImportError as error:
        raise RefusedToStart("evidence.s3 needs the extra 's3': pip install '.[s3]'") from error
    return S3Shelf(s3, folder / "fetched")


def create_app(
    deps: Deps, authenticator: auth.Authenticator, *, with_pages: bool = True
) -> FastAPI:
    """The application: API and, unless told otherwise, the pages."""
    app = FastAPI(
        title="Gridwatch centre",
        summary="Cases that street cameras filed",
        docs_url=None,
        redoc_url=None,
    )
    answers.install(app)
    app.include_router(auth.make_router(deps))
    app.include_router(cases.make_router(deps))
    app.include_router(arranging.make_router(deps))
    app.include_router(cells.make_router(deps))
    app.include_router(commands.make_router(deps))
    app.include_router(events.make_router(deps))
    app.include_router(evidence.make_router(deps, authenticator))
    app.include_router(health.make_router(deps))
    if with_pages:
        pages.install(app, deps)
    app.add_middleware(Guard, names=host_names(deps.settings))
    return app


def refuse_unsafe(settings: Settings, engine: Engine) -> None:
    """Raises RefusedToStart when others could reach a centre that asks nobody who they are."""
    http = settings.http
    reachable = not http.loopback or http.public_url or http.hosts
    with reading(engine) as connection:
        if not reachable or not access.is_open(connection):
            return
    raise RefusedToStart(
        f"others can reach {http.address}, but no user is configured; add one first:\n"
        f"  central-ingest user add NAME --role admin --data {settings.data}"
    )


class _Server(uvicorn.Server):
    """Says when it is ready, and lets long answers end when it stops."""

    def __init__(
        self, config: uvicorn.Config, stopping: threading.Event, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; answers that wait for events see it at once."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    settings: Settings,
    ingest_command: Sequence[str] | None,
    say: Callable[[str], None],
    prepare: Callable[[Engine], object] = lambda _engine: None,
) -> None:
    """Answer people until told to stop; `ingest_command` is kept running, `say` told when ready.

    The database is brought to this version, `prepare` called, and the policy put into force, once
    the port is ours: what is refused changes nothing that a running centre goes by. Raises
    RefusedToStart.
    """
    with _listen(settings) as listening:
        engine = open_database(settings)
        refuse_unsafe(settings, engine)
        prepare(engine)
        _serve(settings, engine, listening, ingest_command, say)


def _serve(
    settings: Settings,
    engine: Engine,
    listening: socket.socket,
    ingest_command: Sequence[str] | None,
    say: Callable[[str], None],
) -> None:
    policy = Policy(settings.cases.deadlines, settings.cases.calendar, settings.cases.suppress_days)
    with writing(engine) as connection:
        write_policy(connection, policy)
    deps, authenticator = make_deps(settings, engine)
    deps.evidence.drop_stale_partials(STALE_PARTIAL_S)
    app = create_app(deps, authenticator)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=2, lifespan="off"
    )
    address = settings.http.address
    server = _Server(config, deps.stopping, lambda: say(f"Gridwatch 中心 / centre: {address}"))
    # The server stops on these, and raises them again for us when it is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: deps.stopping.set())
    with _supervised(ingest_command, deps.stopping):
        server.run([listening])


def _listen(settings: Settings) -> socket.socket:
    http = settings.http
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    try:
        return socket.create_server((http.host, http.port), family=family, backlog=512)
    except OSError as error:
        raise RefusedToStart(
            f"{http.host}:{http.port} cannot be used: {error.strerror}; "
            "choose another with --port or --host"
        ) from error


@contextmanager
def _supervised(command: Sequence[str] | None, stopping: threading.Event) -> Iterator[None]:
    """Keep a child process running meanwhile, and end it at the end."""
    if command is None:
        yield
        return
    thread = threading.Thread(target=_keep_running, args=(command, stopping), name="supervisor")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _keep_running(command: Sequence[str], stopping: threading.Event) -> None:
    pause_s = _RESTART_FIRST_S
    while not stopping.is_set():
        began_s = time.monotonic()
        child = subprocess.Popen(command)  # noqa: S603 -- our own program, by its own path
        while child.poll() is None and not stopping.wait(0.1):
            pass
        if stopping.is_set():
            _end(child)
            return
        ran_s = time.monotonic() - began_s
        pause_s = _RESTART_FIRST_S if ran_s > _RAN_WELL_S else min(2 * pause_s, _RESTART_MAX_S)
        _log.error("ingest ended with %s; again in %.1f s", child.returncode, pause_s)
        stopping.wait(pause_s)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def ingest_command(arguments: Sequence[str]) -> list[str]:
    """The command line of an ingest beside this process, which ends when this process does."""
    parent = ["--parent-pid", str(os.getpid())]
    return [sys.executable, "-m", "central_ingest", "ingest", *arguments, *parent]


def run_ingest(settings: Settings, worker: str, parent_pid: int | None) -> None:
    """Take reports in until told to stop. Raises RefusedToStart, StoreError."""
    engine = open_database(settings, settings.ingest.page_cache_mb)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    if parent_pid is not None:
        threading.Thread(target=_follow, args=(parent_pid, stopping), daemon=True).start()
    with _only_one(settings.data, worker, stopping):
        client_id = _client_id(settings, engine, worker)
        reader = Reader(client_id, settings.broker, settings.ingest)
        house = HouseRules(
            evidence_lost_after=timedelta(hours=settings.evidence.lost_after_h),
            propose_void_after=timedelta(hours=settings.cases.propose_void_after_h),
        )
        # What was imported stays; a batch makes many small values that point at each other.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        rules = (filing_rules(settings), house)
        Ingest(engine, reader, settings.ingest, rules, utc_now).run(stopping, worker)


def filing_rules(settings: Settings) -> FilingRules:
    """How reports become cases."""
    return FilingRules(
        duplicates=settings.duplicates,
        number=settings.cases.number,
        source=settings.cases.source,
        timezone=settings.cases.calendar.timezone,
    )


def _follow(parent_pid: int, stopping: threading.Event) -> None:
    """End with the process that started us, even when it is killed."""
    while not stopping.wait(0.5):
        if os.getppid() != parent_pid:
            stopping.set()


@contextmanager
def _only_one(data: Path, worker: str, stopping: threading.Event) -> Iterator[None]:
    """Hold the lock of this worker's name. Raises RefusedToStart when another holds it."""
    _make_folder(data)
    path = data / f"{worker}.lock"
    with path.open("w", encoding="ascii") as file:
        ends_s = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > ends_s or stopping.wait(0.2):
                    raise RefusedToStart(
                        f"another ingest named '{worker}' works on {data}; "
                        "stop it, or choose another name with --worker"
                    ) from error
        yield


def _client_id(settings: Settings, engine: Engine, worker: str) -> str:
    """The same at every start, for the broker keeps what came meanwhile under this name."""
    base = settings.broker.client_id
    if base is None:
        with writing(engine) as connection:
            base = read_setting(connection, "mqtt_client_id")
            if base is None:
                base = f"gridwatch-centre-{secrets.token_hex(4)}"
                write_setting(connection, "mqtt_client_id", base)
    if not isinstance(base, str):
        raise StoreError(f"setting mqtt_client_id is {base!r}; a text was expected")
    return base if worker == "ingest" else f"{base}-{worker}"
