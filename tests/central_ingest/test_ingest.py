"""A real Mosquitto, a real ingest process: nothing lost, nothing doubled, receipts after commit."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.ports import free_port
from benchmarks.site import children_of
from contract import messages
from contract.messages import Receipt, format_utc

pytestmark = pytest.mark.system

EXAMPLES = Path(messages.__file__).parent / "examples"
OUTBOX = "01980000-0000-7000-8000-00000000beef"
ROOT = Path(__file__).parents[2]


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    ends_s = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > ends_s:
            pytest.fail(f"waited {within_s} s for {what}")
        pause.wait(0.02)


def issue(seq: int, **changes: Any) -> bytes:
    """Report `seq`: an issue of its own, 20 m north of the one before."""
    body: dict[str, Any] = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text())
    body |= {"seq": seq, "issue_id": f"01980000-1111-7000-8000-{seq:012x}"}
    body["position"]["lat"] = 32.0 + seq * 0.0002
    return json.dumps(body | changes).encode()


@dataclass
class Site:
    """A broker, an ingest and an agent's connection, each started and killed by the test."""

    folder: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    early: list[int] = field(default_factory=list)

    def start_broker(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            f"persistence true\npersistence_location {self.folder}/\nautosave_interval 1\n"
            "autosave_on_changes true\nmax_queued_messages 0\nuser root\n"
        )
        self._start("broker", ["mosquitto", "-c", str(config)])
        wait_until(self._listens, "the broker")

    def start_ingest(self) -> None:
        self._start(
            "ingest",
            [
                *(sys.executable, "-m", "central_ingest", "ingest"),
                *("--data", str(self.folder / "data"), "--broker-port", str(self.port)),
            ],
        )
        pid = self.processes["ingest"].pid
        wait_until(
            lambda: bool(self.rows("select 1 from worker where connected and pid = ?", pid)),
            "the ingest's connection",
        )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        database = self.folder / "data" / "centre.db"
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as held,
        ):
            return held.execute(query, values).fetchall()
        return []

    def receipted(self) -> set[int]:
        return {
            seq
            for receipt in list(self.receipts)
            for first, last in receipt.ranges
            for seq in range(first, last + 1)
        }

    def held(self) -> set[int]:
        return {
            seq
            for (seq,) in self.rows(
                "select seq from report union all select seq from quarantine where seq is not null"
            )
        }

    def note_receipt(self, message: MQTTMessage) -> None:
        receipt = Receipt.model_validate_json(message.payload)
        held = self.held()
        told = [s for first, last in receipt.ranges for s in range(first, last + 1)]
        self.early += [seq for seq in told if seq not in held]
        self.receipts.append(receipt)

    def _start(self, name: str, command: list[str]) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        log.close()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Agent:
    """Publishes as an agent does: QoS 1, and again until receipted."""

    def __init__(self, site: Site, agent_id: str = "gw-01") -> None:
        self._topic = f"gridwatch/1/demo/{agent_id}/"
        subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"test-{agent_id}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.on_message = lambda _c, _u, message: site.note_receipt(message)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic + "receipt", 1)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", site.port)
        self._client.loop_start()
        assert subscribed.wait(10)

    def publish(self, body: bytes, leaf: str = "issue", **properties: str) -> None:
        told = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, value in properties.items():
            told.UserProperty = (name.replace("_", "-"), value)
        self._client.publish(self._topic + leaf, body, qos=1, properties=told)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.start_broker()
    made.start_ingest()
    yield made
    made.stop()


@pytest.fixture
def agent(site: Site) -> Iterator[Agent]:
    made = Agent(site)
    yield made
    made.leave()


def test_the_golden_examples_are_held_and_receipted(site: Site, agent: Agent) -> None:
    agent.publish((EXAMPLES / "issue-1.0-raised.json").read_bytes())
    for leaf in ("status", "health", "result"):
        agent.publish((EXAMPLES / f"{leaf}-1.0.json").read_bytes(), leaf)
    wait_until(lambda: 41 in site.receipted(), "the receipt")
    wait_until(lambda: bool(site.rows("select * from command_result")), "the result")
    assert site.rows("select agent_id, state, waiting_reports from agent") == [
        ("gw-01", "online", 3)
    ]
    assert site.rows("select camera_id, state from camera") == [("cam-01", "offline")]
    assert site.rows("select state, presence, cell_code, sighting_count from 'case'") == [
        ("pending", "present", "340302001001001", 1)
    ]
    assert not site.early


def test_what_cannot_be_read_is_quarantined_receipted_and_blocks_nothing(
    site: Site, agent: Agent
) -> None:
    agent.publish(issue(1))
    agent.publish(b"\x00 no json", outbox_id=OUTBOX, seq="2")
    agent.publish(issue(3, category="ufo"))
    agent.publish(issue(4, agent_id="gw-02"))
    agent.publish(issue(5, issue_id=json.loads(issue(1))["issue_id"]))
    agent.publish(b"nobody can receipt this")
    agent.publish(issue(7, revision=2**70))
    agent.publish(issue(8))
    wait_until(lambda: site.receipted() == {1, 2, 3, 4, 5, 7, 8}, "the receipts")
    quarantined = {one.seq: one.reason for r in site.receipts for one in r.quarantined}
    assert set(quarantined) == {2, 3, 4, 5, 7}
    assert "no JSON" in quarantined[2]
    assert "found 'ufo'" in quarantined[3]
    assert "the payload says gw-02" in quarantined[4]
    assert "another body; the first one stands" in quarantined[5]
    assert [seq for (seq,) in site.rows("select seq from report order by seq")] == [1, 8]
    raw = site.rows("select raw from quarantine where seq is null")
    assert raw == [(b"nobody can receipt this",)]
    log = site.folder / "ingest.log"
    wait_until(lambda: "quarantined; `central-ingest quarantine list`" in log.read_text(), "a word")
    assert not site.early


def test_a_repeat_changes_nothing_and_is_receipted_again(site: Site, agent: Agent) -> None:
    agent.publish(issue(1))
    wait_until(lambda: len(site.receipts) == 1, "the first receipt")
    before = site.rows("select * from sighting") + site.rows("select * from 'case'")
    agent.publish(issue(1))
    wait_until(lambda: len(site.receipts) == 2, "the second receipt")
    assert site.rows("select * from sighting") + site.rows("select * from 'case'") == before
    assert site.rows("select count(*) from change") == [(1,)]


def test_killing_the_ingest_again_and_again_loses_and_doubles_nothing(
    site: Site, agent: Agent
) -> None:
    total = 240  # at most what one agent may pour in at once
    for seq in range(1, total + 1):
        agent.publish(issue(seq))
        if seq % 80 == 0:
            wait_until(lambda: len(site.held()) > 10 * (seq // 80), "some reports")  # noqa: B023
            site.kill("ingest")
            site.start_ingest()
    wait_until(lambda: site.receipted() == set(range(1, total + 1)), "all receipts", 60)
    assert site.rows("select count(*), count(distinct seq) from report") == [(total, total)]
    assert site.rows("select count(*), count(distinct case_id) from sighting") == [(total, total)]
    assert site.rows("select count(*), sum(sighting_count) from 'case'") == [(total, total)]
    assert not site.early


def test_without_a_commit_there_is_no_receipt_and_the_broker_keeps_the_message(
    site: Site, agent: Agent
) -> None:
    database = site.folder / "data" / "centre.db"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as blocker:
        blocker.execute("begin immediate")
        agent.publish(issue(1))
        log = site.folder / "ingest.log"
        assert not site.receipts
        site.kill("ingest")
        blocker.execute("rollback")
    assert not site.rows("select * from report")
    site.start_ingest()
    wait_until(lambda: site.receipted() == {1}, "the receipt")
    assert "session present: True" in log.read_text()
    assert not site.early


def test_the_ingest_comes_back_after_the_broker_was_killed(site: Site, agent: Agent) -> None:
    agent.publish(issue(1))
    wait_until(lambda: 1 in site.receipted(), "the first receipt")
    site.kill("broker")
    pid = site.processes["ingest"].pid
    wait_until(lambda: not site.rows("select 1 from worker where connected"), "the loss")
    site.start_broker()
    wait_until(
        lambda: bool(site.rows("select 1 from worker where connected and pid = ?", pid)),
        "the same ingest process on the new broker",
    )
    agent.publish(issue(2))
    wait_until(lambda: 2 in site.receipted(), "the receipt of the next report")


def test_an_ingest_ends_within_seconds_when_told(site: Site) -> None:
    process = site.processes.pop("ingest")
    process.terminate()
    assert process.wait(5) == 0


def test_a_database_is_moved_as_soon_as_its_ingest_was_stopped(site: Site) -> None:
    new = site.folder / "new.yaml"
    new.write_text(f"data: {site.folder / 'new'}\n")

    def move() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "central_ingest", "move", "--to", str(new)]
        data = ["--data", str(site.folder / "data")]
        return subprocess.run(
            [*command, *data], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
        )

    assert "an ingest named 'ingest' still works on the old database" in move().stderr
    process = site.processes.pop("ingest")
    process.terminate()
    assert process.wait(20) == 0
    assert "copied and counted" in move().stdout


def test_an_ingest_ends_with_the_process_that_started_it(tmp_path: Path, site: Site) -> None:
    script = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'central_ingest', 'ingest', '--data',"
        f" {str(tmp_path / 'other')!r}, '--broker-port', '{site.port}',"
        " '--parent-pid', str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    wait_until(lambda: gone(child), "the end of the orphan")


def gone(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    return True


def test_the_reading_process_ends_with_a_killed_ingest(site: Site) -> None:
    (reader,) = children_of(site.processes["ingest"].pid)
    site.kill("ingest")
    wait_until(lambda: gone(reader), "the end of the reading process", 10)


def test_an_ingest_whose_reading_process_was_killed_says_so_and_loses_nothing(
    site: Site, agent: Agent
) -> None:
    total = 120
    for seq in range(1, total + 1):
        agent.publish(issue(seq))
        if seq % 40 == 0:
            (reader,) = children_of(site.processes["ingest"].pid)
            os.kill(reader, signal.SIGKILL)
            assert site.processes.pop("ingest").wait(20) == 1
            site.start_ingest()
    wait_until(lambda: site.receipted() == set(range(1, total + 1)), "all receipts", 60)
    assert site.rows("select count(*), count(distinct seq) from report") == [(total, total)]
    assert "the reading process ended" in (site.folder / "ingest.log").read_text()
    assert not site.early


def test_a_service_manager_that_tells_all_processes_to_stop_costs_no_receipt(
    site: Site, agent: Agent
) -> None:
    (reader,) = children_of(site.processes["ingest"].pid)
    os.kill(reader, signal.SIGTERM)
    agent.publish(issue(1))
    wait_until(lambda: site.receipted() == {1}, "the receipt")


def test_a_second_ingest_of_the_same_name_is_refused(site: Site) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "central_ingest", "ingest", "--data", str(site.folder / "data")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert second.returncode == 1
    assert "another ingest named 'ingest' works on" in second.stderr


def test_the_receipt_carries_the_centres_time(site: Site, agent: Agent) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    agent.publish(issue(1))
    wait_until(lambda: bool(site.receipts), "the receipt")
    told = site.receipts[0].centre_time
    assert before <= told <= datetime.now(UTC), format_utc(told)
