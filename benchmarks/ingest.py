"""How many reports a second the centre takes in, and how soon: real broker, database, processes.

Simulated agents publish `traffic` at a steady rate into Mosquitto; `central-ingest ingest` workers
file it; each agent counts its receipts. What is measured is publish to receipt, which includes the
commit; receipts are told right after it, where a centre's `receipt_ms` spaces them. Afterwards
the database is held against the truth: nothing lost, nothing doubled; of one agent's flood, how
much was passed over. Only what is held counts as committed. Beside it, in the same run, a bare
subscriber that only parses takes the same messages.
"""

import io
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import broker
from benchmarks.disk_probe import probing_disk
from benchmarks.ingest_figures import middle
from benchmarks.machine import ROOT, this_machine
from benchmarks.mqtt_load import Fleet, Recording, agent_name, topic_of
from benchmarks.site import children_of
from benchmarks.traffic import MIX, Sent, Traffic, Truth
from benchmarks.usage import servers, usage_of
from central_ingest.intake import Delivery, read
from central_ingest.store.batches import file_batch
from central_ingest.store.database import (
    Engine,
    migrate,
    open_engine,
    reading,
    server_settings,
)
from central_ingest.store.filing import FilingRules
from central_ingest.store.fleet import list_workers
from central_ingest.store.queries import count_everything, count_reports_of

_BODY_MAX = 1 << 18
_SERVER = (
    "server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size",
    "checkpoint_timeout", "wal_compression", "random_page_cost", "jit", "autovacuum_max_workers",
    "autovacuum_vacuum_cost_delay", "bgwriter_lru_maxpages",
)  # fmt: skip
_SETTLE_S = 60.0
_STILL_S = 1.0
_TICK_S = 0.01
_PART_S = 10.0


class IngestBenchError(Exception):
    """The benchmark could not be run; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement: `flood_per_s` comes from one agent on top of what all report."""

    rate_per_s: float = 8000
    seconds: float = 30
    agents: int = 50
    workers: int = 1
    open_cases: int = 100_000
    flood_per_s: float = 0
    database_url: str | None = None
    page_cache_mb: int = 1024
    remembered_issues: int = 500_000
    receipt_ms: int = 0

    @property
    def database(self) -> str:
        """The kind of database."""
        return "postgresql" if self.database_url else "sqlite"


class Ledger:
    """When each report was first published, and when its first receipt came.

    `told` holds the last seq of each agent before the run; its reports follow without gaps. The
    last agent is the one that floods: nobody waits for its receipts, and how long they took is not
    told. `flood_from_s` after `begin` parts what was published before from the rest. `parts` holds
    how many got their first receipt in each ten seconds from there.
    """

    def __init__(self, told: Sequence[int], flood_from_s: float = math.inf) -> None:
        self._told = list(told)
        self._flood_from_s = flood_from_s
        self._published = [array("d") for _ in told]
        self.calm, self.flooded = array("d"), array("d")
        self.receipts = self.repeats = self.waiting = 0
        self._began_s = 0.0
        self.parts: list[int] = []

    def begin(self, now_s: float) -> None:
        """Let the flood's time count from here."""
        self._flood_from_s += now_s
        self._began_s = now_s

    def note_sent(self, agent: int, seq: int, at_s: float) -> None:
        """Remember when a report was published first."""
        published = self._published[agent]
        if seq <= self._told[agent] + len(published):
            self.repeats += 1
        elif agent < len(self._told) - 1:
            published.append(at_s)
            self.waiting += 1

    def note_receipt(self, agent: int, body: bytes) -> None:
        """Count what a receipt holds."""
        now_s = time.perf_counter()
        self.receipts += 1
        published, told = self._published[agent], self._told[agent] + 1
        waiting = self.waiting
        for first, last in json.loads(body)["ranges"]:
            for at in range(max(0, first - told), min(last - told + 1, len(published))):
                if (sent_s := published[at]) >= 0:
                    late = self.calm if sent_s < self._flood_from_s else self.flooded
                    late.append(now_s - sent_s)
                    published[at] = -1.0
                    self.waiting -= 1
        part = max(0, int((now_s - self._began_s) / _PART_S))
        self.parts += [0] * (part + 1 - len(self.parts))
        self.parts[part] += waiting - self.waiting


def measure(plan: Plan) -> dict[str, Any]:
    """Run one measurement. Raises IngestBenchError, BrokerError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwatch-bench-")))
        load = Load.prepare(plan)
        port, process = stack.enter_context(broker.process())
        _wait_listening(port)
        config = _write_config(folder, port, plan)
        engine = _open(folder, plan)
        prefilled = _prefill(engine, load.prefilled)
        workers = stack.enter_context(_workers(config, plan.workers, folder))
        _wait_connected(engine, plan.workers, workers, folder)
        flood_from_s = plan.seconds / 2 if plan.flood_per_s else math.inf
        ledger = Ledger(load.told, flood_from_s)
        fleet = Fleet(port, plan.agents + 1, ledger.note_receipt)
        stack.callback(fleet.close)
        fleet.wait_ready()
        working = [pid for one in workers for pid in (one.pid, *children_of(one.pid))]
        watched = {"ingest": working, "broker": [process.pid],
                   "generator": [os.getpid()], "database": servers()}  # fmt: skip
        before = {name: usage_of(pids) for name, pids in watched.items()}
        ledger.begin(time.perf_counter())
        with probing_disk(folder) as syncs_s:
            run = _publish(fleet, load, ledger, plan)
        watched["database"] = servers()  # those that were started meanwhile, too
        used = {name: usage_of(pids).since(before[name]) for name, pids in watched.items()}
        held, server = _held(engine, plan), server_settings(engine, _SERVER)
        engine.dispose()
        result = _result(plan, run, ledger, held_against(load.truth, len(load.flood), held))
        result["server"] = server
        result["disk_sync_of_4_kb_s"] = _shares(syncs_s)
        result["prefill_per_s"] = round(prefilled)
        reports = max(run.published, 1)
        result["cpu_us_per_report"] = {
            name: round(one.cpu_s / reports * 1e6) for name, one in used.items()
        }
        result["written_kb_per_report"] = {
            name: round(used[name].written_bytes / reports / 1024, 2)
            for name in ("ingest", "database")
        }
    result["bare_subscriber_per_s"] = round(bare_subscriber_per_s(plan.agents))
    return result


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, made beforehand, and the truth that it must end in."""

    prefilled: list[Sent]
    told: list[int]
    mixed: Recording
    flood: Recording
    truth: Truth

    @classmethod
    def prepare(cls, plan: Plan) -> "Load":
        """Make the reports of a plan, and those that fill the database before."""
        traffic, mids = Traffic(plan.agents), [0] * (plan.agents + 1)
        prefilled = list(traffic.prefill(plan.open_cases))
        told = [0] * (plan.agents + 1)
        for sent in prefilled:
            told[sent.agent] = sent.seq
        reports, flood = (int(rate * plan.seconds) for rate in (plan.rate_per_s, plan.flood_per_s))
        mix = (traffic.next() for _ in range(reports))
        mixed = Recording(mix, mids)
        # The flood begins in the middle of the run, and comes from an agent beyond the others.
        pouring = (traffic.next(agent=plan.agents) for _ in range(flood // 2))
        return cls(prefilled, told, mixed, Recording(pouring, mids), traffic.truth)


def _wait_listening(port: int) -> None:
    ends_s = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError as error:
            if time.monotonic() > ends_s:
                raise IngestBenchError(f"the broker does not listen on {port}: {error}") from error
            time.sleep(0.05)


def _write_config(folder: Path, port: int, plan: Plan) -> Path:
    lines = [f"data: {folder / 'data'}", f"broker: {{port: {port}, share: bench}}",
             "ingest:", f"  page_cache_mb: {plan.page_cache_mb}",
             f"  remembered_issues: {plan.remembered_issues}",
             f"  receipt_ms: {plan.receipt_ms}"]  # fmt: skip
    if plan.database_url:
        lines.append(f"database: {{url: '{plan.database_url}'}}")
    path = folder / "centre.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _open(folder: Path, plan: Plan) -> Engine:
    (folder / "data").mkdir()
    engine = open_engine(plan.database_url or f"sqlite:///{folder / 'data' / 'centre.db'}")
    migrate(engine)
    with reading(engine) as connection:
        if count_everything(connection)["reports"]:
            raise IngestBenchError("the database holds reports already; an empty one is needed")
    return engine


def _prefill(engine: Engine, sent: list[Sent]) -> float:
    """File the cases that are open already; returns how many a second."""
    began = time.perf_counter()
    for first in range(0, len(sent), 1000):
        _file(engine, sent[first : first + 1000])
    return len(sent) / max(time.perf_counter() - began, 1e-9)


def _file(engine: Engine, batch: list[Sent]) -> None:
    now = datetime.now(UTC)
    messages = [
        read(Delivery(topic_of(sent.agent, "issue"), sent.body), _BODY_MAX) for sent in batch
    ]
    done = file_batch(engine, messages, FilingRules(), now, durable=False)
    if any(outcome == "quarantined" for _, outcome in done.outcomes):
        raise IngestBenchError(f"made-up reports were quarantined: {dict(done.outcomes)}")


@contextmanager
def _workers(config: Path, count: int, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = []
    for number in range(count):
        command = [sys.executable, "-m", "central_ingest", "ingest", "--config", str(config),
                   "--worker", f"worker-{number}"]  # fmt: skip
        with (folder / f"worker-{number}.log").open("wb") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT))  # noqa: S603 -- our own program
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def _wait_connected(
    engine: Engine, count: int, workers: list[subprocess.Popen[bytes]], folder: Path
) -> None:
    ends_s = time.monotonic() + 60
    while True:
        with reading(engine) as connection:
            if sum(beat.connected for beat in list_workers(connection)) == count:
                return
        ended = [w for w in workers if w.poll() is not None]
        if ended or time.monotonic() > ends_s:
            logs = "\n".join(path.read_text()[-500:] for path in folder.glob("worker-*.log"))
            raise IngestBenchError(f"the ingest does not start:\n{logs}")
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Run:
    """What the generator did: `late_s` is how far behind its plan it ended."""

    published: int
    publish_s: float
    all_receipted_s: float
    late_s: float


def _publish(fleet: Fleet, load: Load, ledger: Ledger, plan: Plan) -> Run:
    streams = [_Stream(load.mixed, plan.rate_per_s, 0.0)]
    if len(load.flood):
        streams.append(_Stream(load.flood, plan.flood_per_s, plan.seconds / 2))
    began = time.perf_counter()
    while any(stream.left for stream in streams):
        tick = time.perf_counter()
        for stream in streams:
            stream.offer_due(fleet, ledger, tick - began)
        fleet.serve(0)
        time.sleep(max(0.0, _TICK_S - (time.perf_counter() - tick)))
    publish_s = time.perf_counter() - began
    ends_s = time.perf_counter() + _SETTLE_S
    last_s, before = time.perf_counter(), ledger.waiting
    while ledger.waiting and time.perf_counter() < ends_s:
        fleet.serve(0.01)
        if ledger.waiting != before:
            last_s, before = time.perf_counter(), ledger.waiting
    sent = sum(len(stream.recording) for stream in streams)
    return Run(sent, publish_s, last_s - began, publish_s - plan.seconds)


@dataclass(slots=True)
class _Stream:
    """A recording that is sent at a steady rate, from a moment on."""

    recording: Recording
    rate_per_s: float
    from_s: float
    sent: int = 0

    @property
    def left(self) -> int:
        return len(self.recording) - self.sent

    def offer_due(self, fleet: Fleet, ledger: Ledger, elapsed_s: float) -> None:
        """What the broker does not take at once is not offered: the plan then runs late."""
        due = min(len(self.recording), int((elapsed_s - self.from_s) * self.rate_per_s))
        now_s, agents, seqs = time.perf_counter(), self.recording.agents, self.recording.seqs
        for number in range(self.sent, due):
            agent = agents[number]
            ledger.note_sent(agent, seqs[number], now_s)
            fleet.agents[agent].offer(self.recording.packet(number))
        self.sent = max(self.sent, due)


def _held(engine: Engine, plan: Plan) -> dict[str, int]:
    """What the centre holds at the end, `flood` of it by the agent that pours.

    Nobody waits for that agent's receipts, so it is counted until nothing more comes.
    """
    before: dict[str, int] = {}
    while True:
        with reading(engine) as connection:
            flood = count_reports_of(connection, agent_name(plan.agents))
            now = count_everything(connection) | {"flood": flood}
        if not plan.flood_per_s or now == before:
            return now
        before = now
        time.sleep(_STILL_S)


def held_against(truth: Truth, flood: int, held: dict[str, int]) -> dict[str, int]:
    """What is wrong with what is held; `flood` reports were poured in by one agent on top.

    An agent that pours is passed over beyond its allowance, which loses nothing: a real one keeps
    what has no receipt. Each of its reports is a problem of its own.
    """
    passed_over = flood - held["flood"]
    return {
        "lost": (truth.reports - flood) - (held["reports"] - held["flood"]),
        "passed_over": passed_over,
        "doubled_reports": held["reports"] - held["identities"],
        "cases": held["cases"],
        "cases_expected": truth.problems - passed_over,
        "quarantined": held["quarantined"],
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; 0 without values."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _result(plan: Plan, run: Run, ledger: Ledger, outcome: dict[str, int]) -> dict[str, Any]:
    flooding = plan.flood_per_s > 0
    committed = run.published - outcome["lost"] - outcome["passed_over"]
    result: dict[str, Any] = {
        "question": "reports a second from publish to committed case and receipt",
        "machine": this_machine().as_json(),
        "plan": asdict(plan) | {"database_url": None, "database": plan.database, "mix": MIX},
        "published": run.published,
        "repeats": ledger.repeats,
        "published_per_s": round(run.published / run.publish_s),
        "committed": committed,
        "committed_per_s": round(committed / run.all_receipted_s),
        "generator_late_s": round(run.late_s, 2),
        "report_to_receipt_s": _shares(ledger.flooded if flooding else ledger.calm),
        "receipts": ledger.receipts,
        "receipted_per_s_by_10_s": [round(count / _PART_S) for count in ledger.parts],
        "unreceipted": ledger.waiting,
        **outcome,
    }
    if flooding:
        result["before_the_flood_s"] = _shares(ledger.calm)
        result["flood_p99_ratio"] = round(
            result["report_to_receipt_s"]["p99"] / max(result["before_the_flood_s"]["p99"], 0.001),
            2,
        )
    return result


def _shares(latencies: Sequence[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    shares = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
    return {name: round(percentile(ordered, share), 3) for name, share in shares}


def bare_subscriber_per_s(agents: int, messages: int = 100_000) -> float:
    """Reports a second that a subscriber takes which only parses; same broker, same traffic."""
    traffic = Traffic(agents)
    command = [sys.executable, "-m", "benchmarks.bare_subscriber"]
    with broker.running() as port:
        reports = (next(traffic.prefill(1)) for _ in range(messages))
        recording = Recording(reports, [0] * agents)
        _wait_listening(port)
        with subprocess.Popen(  # noqa: S603 -- our own program
            [*command, str(port), str(messages)], stdout=subprocess.PIPE, cwd=ROOT
        ) as bare:
            said = bare.stdout or io.BytesIO()
            said.readline()
            fleet = Fleet(port, agents, lambda _agent, _body: None)
            fleet.wait_ready()
            for at in range(messages):
                fleet.agents[recording.agents[at]].offer(recording.packet(at))
                if at % 1000 == 0:
                    fleet.serve(0)
            while bare.poll() is None:
                fleet.serve(0.01)
            fleet.close()
            per_s = float(said.readline() or 0)
    if bare.returncode:
        raise IngestBenchError("the bare subscriber did not get everything")
    return per_s


def measure_often(plan: Plan, runs: int) -> dict[str, Any]:
    """The run whose p99 is in the middle, with what is said of all, in their order.

    Of an even number it is the slower one. Raises IngestBenchError.
    """
    if runs > 1 and plan.database_url:
        raise IngestBenchError("each run needs an empty PostgreSQL; run it once a database")
    return middle([measure(plan) for _ in range(runs)])
