"""How many reports a second the centre takes in, and how soon: real broker, database, processes.

Simulated agents publish `traffic` at a steady rate into Mosquitto; `central-ingest ingest` workers
file it; each agent counts its receipts. What is measured is publish to receipt, which includes the
commit. Afterwards the database is held against the truth: nothing lost, nothing doubled. Beside
it, in the same run, a bare subscriber that only parses takes the same messages.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks import broker
from benchmarks.machine import ROOT, this_machine
from benchmarks.mqtt_load import Fleet
from benchmarks.traffic import MIX, Sent, Traffic
from central_ingest.intake import Delivery, read
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, migrate, open_engine, reading
from central_ingest.store.filing import FilingRules
from central_ingest.store.fleet import list_workers
from central_ingest.store.queries import count_everything
from contract.topics import Leaf, subscription

FLOORS = Path(__file__).parent / "ingest_floors.json"
_BODY_MAX = 1 << 18
_SETTLE_S = 60.0


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

    @property
    def database(self) -> str:
        """The kind of database."""
        return "postgresql" if self.database_url else "sqlite"


@dataclass(slots=True)
class Ledger:
    """When each report was first published, and when its first receipt came."""

    published: dict[tuple[int, int], float] = field(default_factory=dict)
    latencies: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    receipted: set[tuple[int, int]] = field(default_factory=set)
    receipts: int = 0

    def note_receipt(self, agent: int, body: bytes) -> None:
        """Count what a receipt holds."""
        now_s = time.perf_counter()
        self.receipts += 1
        for first, last in json.loads(body)["ranges"]:
            for seq in range(first, last + 1):
                key = (agent, seq)
                if key not in self.receipted and key in self.published:
                    self.receipted.add(key)
                    self.latencies[agent].append(now_s - self.published[key])

    @property
    def waiting(self) -> int:
        """Reports without a receipt."""
        return len(self.published) - len(self.receipted)


def measure(plan: Plan) -> dict[str, Any]:
    """Run one measurement. Raises IngestBenchError, BrokerError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwatch-bench-")))
        port = stack.enter_context(broker.running())
        _wait_listening(port)
        config = _write_config(folder, port, plan)
        traffic, engine = Traffic(plan.agents), _open(folder, plan)
        prefilled = _prefill(engine, traffic, plan.open_cases)
        workers = stack.enter_context(_workers(config, plan.workers, folder))
        _wait_connected(engine, plan.workers, workers, folder)
        ledger = Ledger()
        fleet = Fleet(port, plan.agents, ledger.note_receipt)
        stack.callback(fleet.close)
        fleet.wait_ready()
        before = _cpu_seconds(workers)
        run = _publish(fleet, traffic, ledger, plan)
        used = _cpu_seconds(workers) - before
        counts = _counts(engine)
        engine.dispose()
        result = _result(plan, run, ledger, traffic, counts)
        result["prefill_per_s"] = round(prefilled)
        result["ingest_cpu_us_per_report"] = round(used / max(run.published, 1) * 1e6)
    result["bare_subscriber_per_s"] = round(bare_subscriber_per_s(plan.agents))
    return result


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
    lines = [f"data: {folder / 'data'}", f"broker: {{port: {port}, share: bench}}"]
    if plan.database_url:
        lines.append(f"database: {{url: '{plan.database_url}'}}")
    path = folder / "centre.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _open(folder: Path, plan: Plan) -> Engine:
    (folder / "data").mkdir()
    engine = open_engine(plan.database_url or f"sqlite:///{folder / 'data' / 'centre.db'}")
    migrate(engine)
    return engine


def _prefill(engine: Engine, traffic: Traffic, problems: int) -> float:
    """File the cases that are open already; returns how many a second."""
    began = time.perf_counter()
    batch: list[Sent] = []
    for sent in traffic.prefill(problems):
        batch.append(sent)
        if len(batch) == 1000:
            _file(engine, batch)
            batch = []
    if batch:
        _file(engine, batch)
    return problems / max(time.perf_counter() - began, 1e-9)


def _file(engine: Engine, batch: list[Sent]) -> None:
    now = datetime.now(UTC)
    messages = [read(Delivery(_topic(sent.agent), sent.body, now), _BODY_MAX) for sent in batch]
    done = file_batch(engine, messages, FilingRules(), now)
    if any(outcome == "quarantined" for _, outcome in done.outcomes):
        raise IngestBenchError(f"made-up reports were quarantined: {dict(done.outcomes)}")


def _topic(agent: int) -> str:
    return f"gridwatch/1/bench/gw-{agent:04d}/issue"


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
    repeats: int
    publish_s: float
    all_receipted_s: float
    late_s: float


def _publish(fleet: Fleet, traffic: Traffic, ledger: Ledger, plan: Plan) -> Run:
    total, flood = int(plan.rate_per_s * plan.seconds), int(plan.flood_per_s * plan.seconds)
    sent = flooded = repeats = 0
    began = time.perf_counter()
    while sent < total or flooded < flood:
        elapsed = time.perf_counter() - began
        # What the broker does not take at once is not produced: the plan then runs late.
        while sent < min(total, elapsed * plan.rate_per_s):
            repeats += _send(fleet, ledger, traffic.next())
            sent += 1
            if sent % 200 == 0:
                break
        while flooded < min(flood, elapsed * plan.flood_per_s):
            _send(fleet, ledger, traffic.next(agent=0))
            flooded += 1
            if flooded % 200 == 0:
                break
        fleet.serve(0.001)
    publish_s = time.perf_counter() - began
    ends_s = time.perf_counter() + _SETTLE_S
    last_s, before = time.perf_counter(), ledger.waiting
    while ledger.waiting and time.perf_counter() < ends_s:
        fleet.serve(0.01)
        if ledger.waiting != before:
            last_s, before = time.perf_counter(), ledger.waiting
    planned_s = max(plan.seconds, 1e-9)
    return Run(sent + flooded, repeats, publish_s, last_s - began, publish_s - planned_s)


def _send(fleet: Fleet, ledger: Ledger, report: Sent) -> bool:
    """Publish; says whether it was a repeat."""
    key = (report.agent, report.seq)
    repeated = key in ledger.published
    if not repeated:
        ledger.published[key] = time.perf_counter()
    fleet.agents[report.agent].publish(report.body)
    return repeated


def _cpu_seconds(workers: list[subprocess.Popen[bytes]]) -> float:
    ticks = 0
    for worker in workers:
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _counts(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return count_everything(connection)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _result(
    plan: Plan, run: Run, ledger: Ledger, traffic: Traffic, counts: dict[str, int]
) -> dict[str, Any]:
    own = [t for agent, times in ledger.latencies.items() for t in times
           if not (plan.flood_per_s and agent == 0)]  # fmt: skip
    flooding = plan.flood_per_s > 0
    truth = traffic.truth
    return {
        "question": "reports a second from publish to committed case and receipt",
        "machine": this_machine().as_json(),
        "plan": asdict(plan) | {"database_url": None, "database": plan.database, "mix": MIX},
        "published": run.published,
        "repeats": run.repeats,
        "published_per_s": round(run.published / run.publish_s),
        "committed_per_s": round(run.published / run.all_receipted_s),
        "generator_late_s": round(run.late_s, 2),
        "report_to_receipt_s": {
            name: round(percentile(own, share), 3)
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        },
        "receipts": ledger.receipts,
        "unreceipted": ledger.waiting,
        "lost": 0 if flooding else truth.reports - counts["reports"],
        "doubled_reports": counts["reports"] - counts["identities"],
        "cases": counts["cases"],
        "cases_expected": None if flooding else truth.problems,
        "quarantined": counts["quarantined"],
    }


def bare_subscriber_per_s(agents: int, messages: int = 40_000) -> float:
    """Reports a second that a subscriber takes which only parses; same broker, same traffic."""
    traffic = Traffic(agents)
    bodies = [next(iter(traffic.prefill(1))) for _ in range(messages)]
    with broker.running() as port:
        client = Client(
            CallbackAPIVersion.VERSION2, client_id="bare", protocol=MQTTProtocolVersion.MQTTv5
        )
        came: list[float] = []

        def on_message(_client: Client, _userdata: Any, message: MQTTMessage) -> None:
            read(Delivery(message.topic, bytes(message.payload), datetime.now(UTC)), _BODY_MAX)
            came.append(time.perf_counter())

        client.on_message = on_message
        _wait_listening(port)
        client.connect("127.0.0.1", port)
        client.subscribe(subscription(Leaf.ISSUE), qos=1)
        client.loop_start()
        fleet = Fleet(port, agents, lambda _agent, _body: None)
        fleet.wait_ready()
        for at, sent in enumerate(bodies):
            fleet.agents[sent.agent].publish(sent.body)
            if at % 100 == 0:
                fleet.serve(0)
        ends_s = time.monotonic() + _SETTLE_S
        while len(came) < messages and time.monotonic() < ends_s:
            fleet.serve(0.01)
        fleet.close()
        client.disconnect()
        client.loop_stop()
    if len(came) < 2:
        raise IngestBenchError("the bare subscriber got nothing")
    return (len(came) - 1) / (came[-1] - came[0])


def summary(result: dict[str, Any]) -> str:
    """One line for people."""
    late = result["report_to_receipt_s"]
    return (
        f"{result['plan']['database']}, {result['plan']['agents']} agents, "
        f"{result['plan']['workers']} workers: {result['committed_per_s']} reports/s committed of "
        f"{result['published_per_s']} published; report to receipt p50 {late['p50']} s, "
        f"p99 {late['p99']} s; lost {result['lost']}, doubled {result['doubled_reports']}, cases "
        f"{result['cases']} of {result['cases_expected']}; bare subscriber "
        f"{result['bare_subscriber_per_s']}/s"
    )


def failed(result: dict[str, Any]) -> str | None:
    """What lies beyond the floors of `ingest_floors.json`, in words; None when all is well."""
    floor = json.loads(FLOORS.read_text())[result["plan"]["database"]]
    late_s = result["report_to_receipt_s"]["p99"]
    said = []
    if result["committed_per_s"] < floor["committed_per_s"]:
        said.append(f"{result['committed_per_s']} reports/s, at least {floor['committed_per_s']}")
    if late_s > floor["p99_s"]:
        said.append(f"p99 {late_s} s, at most {floor['p99_s']} s")
    if result["lost"] or result["doubled_reports"] or result["quarantined"]:
        said.append("nothing lost, doubled or quarantined was expected")
    if result["cases_expected"] not in {None, result["cases"]}:
        said.append(f"{result['cases']} cases, {result['cases_expected']} expected")
    return "; ".join(said) or None
