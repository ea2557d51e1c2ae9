"""A broker that was gone: what waited comes within minutes, live reports are not held up by it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest
from site_processes import ROOT, answers, wait_for

from benchmarks import broker
from benchmarks.ports import free_port
from contract import messages
from contract.messages import AgentStatus, Command, IssueReport, Phase
from contract.topics import AgentAddress
from edge_agent.clock import SystemClock
from edge_agent.config import Broker
from edge_agent.publisher import Publisher
from edge_agent.store import Draft, Store

pytestmark = pytest.mark.system

EXAMPLE = Path(messages.__file__).parent / "examples" / "issue-1.0-raised.json"
NOW = datetime(2026, 7, 1, tzinfo=UTC)
LIVE_EVERY_S = 1.0
LIVE_WITHIN_S = 20.0  # a receipt, on a machine that is busy with the backlog


class Agent:
    """What the publisher asks of the rest."""

    def status(self, state: Literal["online", "offline"]) -> AgentStatus:
        return AgentStatus(city="demo", agent_id="gw-01", state=state, since=NOW, version="0")

    def command(self, command: Command) -> None:
        raise NotImplementedError(command.kind)

    def answers(self, limit: int) -> list[bytes]:  # noqa: ARG002  (the publisher asks so)
        return []


def draft(number: int) -> Draft:
    """One issue in ten is new, each on a place of its own; the rest are updates of it."""
    issue, revision = divmod(number, 10)
    base = IssueReport.model_validate(json.loads(EXAMPLE.read_text()))
    place = base.position and base.position.model_copy(update={"lat": 30 + issue * 0.0005})
    changed = {
        "issue_id": UUID(int=(0x7 << 76) | (0x2 << 62) | issue), "revision": revision + 1,
        "phase": Phase.UPDATED if revision else Phase.RAISED, "position": place, "evidence": (),
    }  # fmt: skip
    return lambda outbox_id, seq: base.model_copy(
        update=changed | {"outbox_id": outbox_id, "seq": seq}
    )


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[int]:
    """A broker's port, and an ingest that waits for reports there."""
    port = free_port()
    process = broker.start(broker.write_config(tmp_path / "mosquitto", port), tmp_path / "b.log")
    wait_for(lambda: answers(port), "the broker")
    with (tmp_path / "ingest.log").open("ab") as log:
        ingest = subprocess.Popen(
            [sys.executable, "-m", "central_ingest", "ingest", "--data", str(tmp_path / "centre"),
             "--broker-port", str(port)], stdout=log, stderr=log, cwd=ROOT,
        )  # fmt: skip
    wait_for(lambda: "connected to" in (tmp_path / "ingest.log").read_text(), "the ingest")
    yield port
    for one in (ingest, process):
        one.kill()
        one.wait()


@pytest.mark.parametrize(
    ("backlog", "within_s"),
    [
        (1_000, 60),
        pytest.param(
            86_400, 900, marks=[pytest.mark.nightly, pytest.mark.timeout(2400)], id="a-day"
        ),
    ],
)
def test_a_backlog_is_delivered_and_live_reports_overtake_it(
    tmp_path: Path, centre: int, backlog: int, within_s: float
) -> None:
    store = Store(tmp_path / "agent", 10**9)
    for first in range(0, backlog, 200):
        store.commit("cam", b"", [draft(n) for n in range(first, min(first + 200, backlog))])
    stop = threading.Event()
    publisher = Publisher(
        AgentAddress("demo", "gw-01"), Broker(port=centre), store, SystemClock(), Agent()
    )
    thread = threading.Thread(target=publisher.run, args=(stop,))
    began_s = time.monotonic()
    thread.start()
    live: dict[int, float] = {}
    took: list[float] = []
    next_s, number = began_s, backlog * 10

    def settled() -> bool:
        nonlocal next_s, number
        now_s = time.monotonic()
        if now_s >= next_s and store.counts().reports > 0:
            next_s, number = now_s + LIVE_EVERY_S, number + 1
            live[store.commit("cam", b"", [draft(number)])[0].seq] = now_s
            publisher.wake()
        waiting = {row["seq"] for row in store._rows("SELECT seq FROM outbox")} if live else set()
        took.extend(now_s - live.pop(seq) for seq in live.keys() - waiting)
        return store.counts().reports == 0

    try:
        wait_for(settled, f"receipts of {backlog} reports", within_s)
    finally:
        stop.set()
        publisher.wake()
        thread.join(10)
        publisher.close()
        store.close()
    took.sort()
    print(  # noqa: T201  (the run's record, with -rP)
        f"{backlog} reports in {time.monotonic() - began_s:.1f} s; {len(took)} live ones, "
        f"the slowest after {took[-1]:.1f} s"
    )
    assert took[-1] < LIVE_WITHIN_S
