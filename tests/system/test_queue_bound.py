"""A broker whose queue is full drops what waits for an ingest that is away; nothing is lost by it."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from site_processes import ROOT, answers, wait_for

from benchmarks import broker
from benchmarks.ports import free_port
from central_ingest.store.database import open_engine, reading
from central_ingest.store.queries import count_everything
from contract import messages
from contract.messages import AgentStatus, Command, IssueReport, Phase
from contract.topics import AgentAddress
from edge_agent import publisher as publisher_module
from edge_agent.clock import SystemClock
from edge_agent.config import Broker
from edge_agent.publisher import Publisher
from edge_agent.store import Draft, Store

pytestmark = pytest.mark.system

EXAMPLE = Path(messages.__file__).parent / "examples" / "issue-1.0-raised.json"
AGENTS, ISSUES, REVISIONS = 3, 30, 4
BOUND_BYTES = 20_000  # a dozen reports
DROPPED = "$SYS/broker/publish/messages/dropped"
Start = Callable[[], subprocess.Popen[bytes]]


class Agent:
    """One agent with its whole backlog, and its publisher's thread."""

    def __init__(self, number: int, folder: Path, port: int) -> None:
        self._name = f"gw-{number}"
        self._number = number
        self.store = Store(folder / self._name, 10**8)
        drafts = [self._draft(n) for n in range(ISSUES * REVISIONS)]
        self.store.commit("cam", b"", drafts)
        self._stop = threading.Event()
        address = AgentAddress("demo", self._name)
        self._publisher = Publisher(address, Broker(port=port), self.store, SystemClock(), self)
        self._thread = threading.Thread(target=self._publisher.run, args=(self._stop,))
        self._thread.start()

    def status(self, state: Literal["online", "offline"]) -> AgentStatus:
        now = datetime(2026, 7, 1, tzinfo=UTC)
        return AgentStatus(city="demo", agent_id=self._name, state=state, since=now, version="0")

    def command(self, command: Command) -> None:
        raise NotImplementedError(command.kind)

    def answers(self, limit: int) -> list[bytes]:  # noqa: ARG002  (the publisher asks so)
        return []

    def leave(self) -> None:
        self._stop.set()
        self._publisher.wake()
        self._thread.join(10)
        self._publisher.close()
        self.store.close()

    def _draft(self, index: int) -> Draft:
        issue, revision = divmod(index, REVISIONS)
        base = IssueReport.model_validate(json.loads(EXAMPLE.read_text()))
        lat, lon = 30 + issue * 0.0005, 110 + self._number
        changed = {
            "agent_id": self._name, "revision": revision + 1, "evidence": (),
            "issue_id": UUID(int=(0x7 << 76) | (0x2 << 62) | (self._number << 32) | issue),
            "phase": Phase.UPDATED if revision else Phase.RAISED,
            "position": base.position and base.position.model_copy(update={"lat": lat, "lon": lon}),
        }  # fmt: skip
        return lambda outbox_id, seq: base.model_copy(
            update=changed | {"outbox_id": outbox_id, "seq": seq}
        )


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A broker with a tiny queue, which tells at once how much it dropped."""
    number = free_port()
    config = broker.write_config(tmp_path / "mosquitto", number)
    config.write_text(f"{config.read_text()}max_queued_bytes {BOUND_BYTES}\nsys_interval 1\n")
    process = broker.start(config, tmp_path / "broker.log")
    wait_for(lambda: answers(number), "the broker")
    yield number
    process.kill()
    process.wait()


@contextmanager
def ingest(folder: Path, port: int) -> Iterator[None]:
    """An ingest that subscribed; killed at the end, so that the broker keeps its session."""
    log = folder / "ingest.log"
    before = log.read_text().count("connected to") if log.exists() else 0
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "central_ingest", "ingest", "--data", str(folder / "centre"),
             "--broker-port", str(port)], stdout=stream, stderr=stream, cwd=ROOT,
        )  # fmt: skip
    try:
        wait_for(lambda: log.read_text().count("connected to") > before, "the ingest")
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def dropped(port: int) -> Iterator[Callable[[], int]]:
    """How many messages the broker dropped, by its own count."""
    told = [0]
    client = paho.Client(CallbackAPIVersion.VERSION2, "watch", protocol=paho.MQTTv5)
    client.on_message = lambda _c, _d, message: told.append(int(message.payload))
    client.connect("127.0.0.1", port)
    client.subscribe(DROPPED)
    client.loop_start()
    yield lambda: told[-1]
    client.disconnect()
    client.loop_stop()


def test_what_a_full_queue_drops_comes_when_the_ingest_is_back(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "RECEIPT_WITHIN_S", 2.0)
    with ingest(tmp_path, port):
        pass
    agents = [Agent(number, tmp_path, port) for number in range(AGENTS)]
    try:
        reports = AGENTS * ISSUES * REVISIONS
        with dropped(port) as count:
            wait_for(lambda: count() > reports, "more was dropped than there is")
        assert sum(agent.store.counts().reports for agent in agents) == reports
        with ingest(tmp_path, port):
            wait_for(
                lambda: not any(agent.store.counts().reports for agent in agents), "all receipts"
            )
    finally:
        for agent in agents:
            agent.leave()
    engine = open_engine(f"sqlite:///{tmp_path / 'centre' / 'centre.db'}")
    with reading(engine) as connection:
        held = count_everything(connection)
    engine.dispose()
    assert (held["reports"], held["identities"], held["quarantined"]) == (reports, reports, 0)
    assert (held["cases"], held["sightings"]) == (AGENTS * ISSUES, AGENTS * ISSUES)
