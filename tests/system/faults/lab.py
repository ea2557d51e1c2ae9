"""One site in a folder, its processes behind proxies, and a plan of faults that is carried out.

Whatever ends by itself is started again after a moment, as a service manager does.
"""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic

import yaml
from invariants import Verdict, held_reports, judge
from plan import Fault, Targets
from postgres import Postgres
from proxy import KINDS, Line, Proxy
from rogue import Rogue
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from benchmarks import broker
from benchmarks.ports import free_port
from benchmarks.site import children_of
from central_ingest.store.database import migrate, open_engine

ROOT = Path(__file__).parents[3]
FULL_BYTES = 4096  # no file may grow beyond this while the disk is full
STARTED_AGAIN_AFTER_S = 0.5
ARRIVES_WITHIN_S = 240.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run holds: agents, reports of each, reports a second of each, seconds a fault."""

    agents: int
    reports_each: int
    rate: float
    every_s: float

    @property
    def seconds(self) -> float:
        """How long the agents report at least, and how long things go wrong."""
        return self.reports_each / self.rate


@dataclass
class Lab:
    """The site, and what is wrong with it at the moment."""

    folder: Path
    size: Size
    postgres: Postgres | None = None
    workers: int = 1
    broker_port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    def __post_init__(self) -> None:
        self._began_s = monotonic()
        self._timeline: list[tuple[float, Callable[[], None]]] = []
        self.links = {name: Proxy(self.broker_port) for name in ("agents-broker", "ingest-broker")}
        if self.postgres is None:
            self.url = f"sqlite:///{self.folder / 'centre' / 'centre.db'}"
            inner = None
            (self.folder / "centre").mkdir()
        else:
            self.url = self.postgres.new_database()
            self.links["ingest-database"] = Proxy(self.postgres.port)
            name = self.url.rpartition("/")[2]
            inner = self.postgres.url(name, self.links["ingest-database"].port)
        self._config = self._write_config(inner)
        opened = open_engine(self.url)
        migrate(opened)
        opened.dispose()
        self.engine = create_engine(self.url, poolclass=NullPool)

    @property
    def targets(self) -> Targets:
        """What a plan can hit."""
        agents = tuple(f"agent-{n}" for n in range(self.size.agents))
        ingests = tuple(f"ingest-{n}" for n in range(self.workers))
        readers = tuple(f"reader-{n}" for n in range(self.workers))
        database = ("database",) if self.postgres else ()
        return Targets(
            processes=("broker", *agents, *ingests, *readers, *database),
            links=tuple(self.links),
            disks=agents if self.postgres else (*agents, *ingests),
            agents=agents,
        )

    def run(self, plan: list[Fault]) -> Verdict:
        """Start everything, let the plan happen, heal everything, wait, and judge."""
        for name in self.targets.processes:
            if name != "database":
                self._start(name)
        self._rogue = Rogue(self.broker_port)
        self._began_s = monotonic()
        for fault in plan:
            self._at(fault.at_s, lambda fault=fault: self._begin(fault))
        try:
            self._until(lambda: not self._timeline, self.size.seconds * 10 + 120)
            self._until(self._complete, ARRIVES_WITHIN_S)
            return judge(self.engine, self._folders(), self.size.reports_each)
        finally:
            self._rogue.leave()

    def close(self) -> None:
        """End whatever runs."""
        for process in self.running.values():
            process.kill()
            process.wait()
        for proxy in self.links.values():
            proxy.close()
        self.engine.dispose()

    # -- time

    def _at(self, at_s: float, what: Callable[[], None]) -> None:
        self._timeline.append((at_s, what))
        self._timeline.sort(key=lambda entry: entry[0])

    def _now_s(self) -> float:
        return monotonic() - self._began_s

    def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        """Let time pass; gives up silently, for the judge says it better."""
        ends_s = monotonic() + within_s
        while not condition() and monotonic() < ends_s:
            while self._timeline and self._timeline[0][0] <= self._now_s():
                self._timeline.pop(0)[1]()
            self._revive()
            due_s = self._timeline[0][0] - self._now_s() if self._timeline else 0.5
            Event().wait(min(0.5, max(0.01, due_s)))

    def _revive(self) -> None:
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                self._note("ended by itself", name, process.returncode)
                self.ended[name] += 1
                del self.running[name]
                self._at(self._now_s() + STARTED_AGAIN_AFTER_S, lambda name=name: self._start(name))

    def _complete(self) -> bool:
        wanted = self.size.agents * self.size.reports_each
        with suppress(DBAPIError):
            if len(held_reports(self.engine)) < wanted:
                return False
            verdict = judge(self.engine, self._folders(), self.size.reports_each)
            return not verdict.wrong
        return False

    # -- faults

    def _begin(self, fault: Fault) -> None:
        self._note(fault.kind, fault.target, fault.lasts_s, fault.value)
        end = self._now_s() + fault.lasts_s
        if fault.kind == "kill":
            self._kill(fault.target)
            self._at(end, lambda: self._start(fault.target))
        elif fault.kind in KINDS:
            self.links[fault.target].set_line(KINDS[fault.kind](fault.value))
            self._at(end, lambda: self.links[fault.target].set_line(Line()))
        elif fault.kind == "disk-full":
            self._limit(fault.target, FULL_BYTES)
            self._at(end, lambda: self._limit(fault.target, resource.RLIM_INFINITY))
        elif fault.kind == "clock-step":
            (self._folder(fault.target) / "step").write_text(str(fault.value))
        elif fault.kind == "repeat":
            with suppress(DBAPIError, sqlite3.Error):
                self._rogue.repeat(int(fault.value), self._some_reports())
        elif fault.kind == "hostile":
            self._rogue.hostile(int(fault.value))
        else:
            self._rogue.flood()

    def _some_reports(self) -> list[tuple[str, bytes]]:
        """Reports that the centre holds, and some that still wait at their agents."""
        with self.engine.connect() as connection:
            held = connection.execute(
                text("SELECT agent_id, body FROM report ORDER BY report_id DESC LIMIT 200")
            ).all()
        found = [(str(row.agent_id), bytes(row.body)) for row in held]
        for name in self.targets.agents:
            path = self._folder(name) / "agent.db"
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                waiting = connection.execute("SELECT body FROM outbox ORDER BY seq DESC LIMIT 20")
                found += [(name.replace("agent", "gw"), row[0]) for row in waiting]
        return found

    def _kill(self, name: str) -> None:
        if name == "database" and self.postgres:
            # It may be dead from the fault before; starting it takes a moment.
            if self.postgres.running:
                self.postgres.kill()
                self.kills += 1
        elif name.startswith("reader"):
            ingest = self.running.get(name.replace("reader", "ingest"))
            for pid in children_of(ingest.pid) if ingest else ():
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
        elif process := self.running.pop(name, None):
            # Alone: what reads for an ingest has to notice by itself.
            process.kill()
            process.wait()
            self.kills += 1

    def _limit(self, name: str, most_bytes: int) -> None:
        if process := self.running.get(name):
            with suppress(ProcessLookupError):
                limits = (most_bytes, resource.RLIM_INFINITY)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)

    # -- processes

    def _start(self, name: str) -> None:
        if name == "database" and self.postgres:
            self.postgres.start()
            return
        if name in self.running or name.startswith("reader"):  # its ingest begins it
            return
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self._command(name), stdout=log, stderr=log, cwd=ROOT, start_new_session=True,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    def _command(self, name: str) -> list[str]:
        if name == "broker":
            config = broker.write_config(self.folder / "mosquitto", self.broker_port)
            return [str(broker.find_mosquitto()), "-c", str(config)]
        kind, _, number = name.partition("-")
        if kind == "ingest":
            config = str(self._config)
            return [sys.executable, "-m", "central_ingest", "ingest", "--config", config,
                    "--worker", name]  # fmt: skip
        folder = self._folder(name)
        folder.mkdir(exist_ok=True)
        return [
            sys.executable, str(Path(__file__).parent / "simulated_agent.py"), str(folder),
            "--agent", number, "--port", str(self.links["agents-broker"].port),
            "--reports", str(self.size.reports_each), "--rate", str(self.size.rate),
        ]  # fmt: skip

    def _folder(self, agent: str) -> Path:
        return self.folder / agent

    def _folders(self) -> list[Path]:
        return [self._folder(name) for name in self.targets.agents]

    def _write_config(self, database_url: str | None) -> Path:
        settings: dict[str, object] = {
            "data": str(self.folder / "centre"),
            "broker": {
                "port": self.links["ingest-broker"].port, "share": "lab", "reconnect_max_s": 1,
            },
        }  # fmt: skip
        if database_url:
            settings["database"] = {"url": database_url}
        path = self.folder / "centre.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    def _note(self, *what: object) -> None:
        with (self.folder / "happened.jsonl").open("a") as log:
            log.write(json.dumps([round(self._now_s(), 3), *what]) + "\n")
