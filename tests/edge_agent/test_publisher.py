"""Reports through a real Mosquitto that is killed, to a centre that is not always there."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract.messages import (
    AgentStatus,
    CameraHealth,
    CameraState,
    Command,
    CommandKind,
    CommandResult,
    IssueReport,
    Phase,
    Receipt,
    encode,
)
from contract.topics import AgentAddress, Leaf
from edge_agent import publisher as publisher_module
from edge_agent.clock import SystemClock
from edge_agent.config import Broker
from edge_agent.errors import DeliveryError, DeliveryRefused
from edge_agent.publisher import Publisher, try_broker, wait_s
from edge_agent.store import Store

EXAMPLE = Path(__file__).parents[2] / "contract" / "examples" / "issue-1.0-raised.json"
ADDRESS = AgentAddress("demo", "gw-01")
NOW = datetime(2026, 7, 1, tzinfo=UTC)
Until = Callable[..., None]


class Agent:
    """What the publisher asks of the rest."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.unsent: list[bytes] = []

    def status(self, state: Literal["online", "offline"]) -> AgentStatus:
        return AgentStatus(city="demo", agent_id="gw-01", state=state, since=NOW, version="0")

    def command(self, command: Command) -> None:
        self.commands.append(command)
        result = CommandResult(
            agent_id="gw-01", command_id=command.command_id, done_at=NOW, ok=True, detail="done"
        )
        self.unsent.append(encode(result))

    def answers(self, limit: int) -> list[bytes]:
        taken, self.unsent = self.unsent[:limit], self.unsent[limit:]
        return taken


class Centre:
    """A subscriber that writes receipts when it is told to."""

    def __init__(self, port: int, *, receipts: bool = True, stays: bool = False) -> None:
        self.issues: list[tuple[int, bytes, dict[str, str]]] = []
        self.others: list[tuple[Leaf, dict[str, Any]]] = []
        self._receipts = receipts
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "centre", protocol=paho.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 3600 if stays else 0
        self._client.connect("127.0.0.1", port, clean_start=not stays, properties=lasting)
        self._client.loop_start()
        self._client.subscribe("gridwatch/1/demo/gw-01/#", qos=1)
        assert self._subscribed.wait(10)

    def send(self, leaf: Leaf, payload: bytes) -> None:
        self._client.publish(ADDRESS.topic(leaf), payload, qos=1).wait_for_publish(5)

    def receipt(self, outbox_id: str, seq: int) -> None:
        message = Receipt(
            agent_id="gw-01",
            outbox_id=UUID(outbox_id),
            ranges=((seq, seq),),
            centre_time=datetime.now(UTC) + timedelta(seconds=5),
        )
        self._client.publish(ADDRESS.topic(Leaf.RECEIPT), encode(message), qos=1)

    def seqs(self) -> list[int]:
        return [seq for seq, _, _ in self.issues]

    def said(self, leaf: Leaf, field: str) -> list[Any]:
        return [body[field] for which, body in self.others if which is leaf]

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        leaf = Leaf(message.topic.rpartition("/")[2])
        if leaf is Leaf.ISSUE:
            assert message.properties is not None
            properties = dict(message.properties.UserProperty)
            seq = int(properties["seq"])
            self.issues.append((seq, message.payload, properties))
            if self._receipts:
                self.receipt(properties["outbox-id"], seq)
        elif leaf not in (Leaf.RECEIPT, Leaf.COMMAND):
            self.others.append((leaf, json.loads(message.payload)))


class Running:
    """A publisher in its thread."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.store = Store(folder, 10_000_000)
        self.agent = Agent()
        self.publisher = Publisher(ADDRESS, broker, self.store, SystemClock(), self.agent)
        self.stop = threading.Event()
        self.ended = False
        self.thread = threading.Thread(target=self.publisher.run, args=(self.stop,))
        self.thread.start()

    def report(self, count: int = 1, phase: Phase = Phase.RAISED) -> None:
        base = IssueReport.model_validate(json.loads(EXAMPLE.read_text()))

        def draft(outbox_id: UUID, seq: int) -> IssueReport:
            named = {"outbox_id": outbox_id, "seq": seq, "issue_id": UUID(int=seq)}
            return base.model_copy(update=named | {"phase": phase})

        self.store.commit("cam-01", b"", [draft] * count)
        self.publisher.wake()

    def waiting(self) -> int:
        return self.store.counts().reports

    def sent(self) -> int:
        return self.store.counts().sent

    def end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.stop.set()
        self.publisher.wake()
        self.thread.join(timeout=10)
        assert not self.thread.is_alive()
        self.publisher.close()
        self.store.close()


@pytest.fixture
def run(tmp_path: Path, mosquitto: Any) -> Iterator[Callable[..., Running]]:
    """Start a publisher against the broker; stopped at the end."""
    started: list[Running] = []

    def start(**broker: Any) -> Running:
        settings = Broker(port=mosquitto.port, **broker)
        started.append(Running(tmp_path / "state", settings))
        return started[-1]

    yield start
    for running in started:
        running.end()


@pytest.fixture
def centre(mosquitto: Any) -> Iterator[Callable[..., Centre]]:
    """Connect a centre; it leaves at the end."""
    connected: list[Centre] = []

    def connect(**how: bool) -> Centre:
        connected.append(Centre(mosquitto.port, **how))
        return connected[-1]

    yield connect
    for one in connected:
        one.leave()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer again after fractions of a second instead of a minute."""
    monkeypatch.setattr(publisher_module, "RECEIPT_WITHIN_S", 0.6)
    monkeypatch.setattr(publisher_module, "REFUSED_AGAIN_S", 0.2)
    monkeypatch.setattr(publisher_module, "BACKOFF_FIRST_S", 0.1)
    monkeypatch.setattr(publisher_module, "IDLE_S", 0.1)


Run = Callable[..., Running]
Connect = Callable[..., Centre]


def test_a_report_arrives_as_stored_and_leaves_the_disk_with_its_receipt(
    run: Run, centre: Connect, until: Until
) -> None:
    there, running = centre(), run()
    running.report()
    until(lambda: there.issues, "the report")
    seq, body, properties = there.issues[0]
    assert json.loads(body)["seq"] == seq == 1
    assert properties["outbox-id"] == str(running.store.outbox_id)
    assert properties["replayed"] == "false"
    assert datetime.fromisoformat(properties["published-at"]).tzinfo is not None
    until(lambda: running.waiting() == 0, "the receipt is taken in")


def test_puback_alone_marks_sent_and_deletes_nothing(
    run: Run, centre: Connect, until: Until
) -> None:
    centre(receipts=False)
    running = run()
    running.report(3)
    until(lambda: running.sent() == 3, "PUBACKs")
    assert running.waiting() == 3


@pytest.mark.usefixtures("impatient")
def test_puback_without_a_subscriber_is_not_sent_and_is_offered_until_one_comes(
    run: Run, centre: Connect, until: Until
) -> None:
    running = run()
    running.report()
    until(lambda: "not subscribed" in running.publisher.state.detail, "0x10 is noticed")
    assert running.sent() == 0
    there = centre()
    until(lambda: running.waiting() == 0, "the report arrives after all")
    assert there.issues[0][2]["replayed"] == "true"
    until(lambda: running.publisher.state.detail == "", "the state is good again")


@pytest.mark.usefixtures("impatient")
def test_without_a_receipt_a_report_is_offered_again_with_the_same_body(
    run: Run, centre: Connect, until: Until
) -> None:
    there, running = centre(receipts=False), run()
    running.report()
    until(lambda: len(there.issues) >= 3, "repeats")
    assert len({body for _, body, _ in there.issues}) == 1
    assert [p["replayed"] for _, _, p in there.issues[:3]] == ["false", "true", "true"]
    there.receipt(str(running.store.outbox_id), 1)
    until(lambda: running.waiting() == 0, "the late receipt")


@pytest.mark.usefixtures("impatient")
def test_a_broker_killed_with_acknowledged_reports_in_it_loses_nothing(
    run: Run, centre: Connect, mosquitto: Any, until: Until
) -> None:
    away = centre(stays=True)
    away.leave()
    running = run()
    running.report(30)
    until(lambda: running.sent() == 30, "the broker acknowledges for a centre that is away")
    mosquitto.kill()
    until(lambda: not running.publisher.state.connected, "the loss is noticed")
    running.report(10)
    mosquitto.start()
    there = centre()
    until(lambda: running.waiting() == 0, "all receipts")
    assert set(there.seqs()) == set(range(1, 41))
    assert {p["replayed"] for seq, _, p in there.issues if seq <= 30} == {"true"}


def test_a_backlog_comes_newest_raised_first_and_whole(
    run: Run, centre: Connect, mosquitto: Any, until: Until
) -> None:
    mosquitto.kill()
    running = run()
    running.report(200, Phase.RAISED)
    running.report(200, Phase.UPDATED)
    mosquitto.start()
    there = centre()
    until(lambda: running.waiting() == 0, "all receipts", 60)
    assert sorted(set(there.seqs())) == list(range(1, 401))


def test_status_is_retained_and_says_offline_after_a_stop(
    run: Run, centre: Connect, until: Until
) -> None:
    there, running = centre(), run()
    until(lambda: there.said(Leaf.STATUS, "state") == ["online"], "online")
    late = centre()
    until(lambda: late.said(Leaf.STATUS, "state") == ["online"], "it is retained")
    running.stop.set()
    running.publisher.wake()
    until(lambda: late.said(Leaf.STATUS, "state") == ["online", "offline"], "offline")


def test_health_is_published_on_change_and_again_on_a_new_connection(
    run: Run, centre: Connect, mosquitto: Any, until: Until
) -> None:
    there, running = centre(), run()
    health = CameraHealth(
        agent_id="gw-01", camera_id="cam-01", state=CameraState.OFFLINE, since=NOW, detail="refused"
    )
    running.publisher.set_health(health)
    until(lambda: there.said(Leaf.HEALTH, "state") == ["offline"], "the health")
    mosquitto.kill()
    mosquitto.start()
    again = centre()
    until(lambda: again.said(Leaf.HEALTH, "detail") == ["refused"], "the health again")


def test_a_command_is_taken_and_its_answer_sent(run: Run, centre: Connect, until: Until) -> None:
    there, running = centre(), run()
    until(lambda: there.said(Leaf.STATUS, "state"), "online")
    command = Command(
        command_id=UUID(int=7), kind=CommandKind.RELOAD, issued_at=NOW, expires_at=NOW
    )
    there.send(Leaf.COMMAND, encode(command))
    until(lambda: there.said(Leaf.RESULT, "detail") == ["done"], "the result")
    assert running.agent.commands == [command]
    assert running.agent.unsent == []


def test_what_cannot_be_read_is_ignored(run: Run, centre: Connect, until: Until) -> None:
    there, running = centre(), run()
    until(lambda: there.said(Leaf.STATUS, "state"), "online")
    for payload in (b"", b"\xff\x00", b"{}", b'{"schema": "receipt/9.0"}'):
        there.send(Leaf.RECEIPT, payload)
        there.send(Leaf.COMMAND, payload)
    running.report()
    until(lambda: running.waiting() == 0, "work goes on")


def test_receipts_tell_how_far_the_clock_is_off(run: Run, centre: Connect, until: Until) -> None:
    centre()
    running = run()
    assert not running.publisher.clock_state().synced
    running.report()
    until(lambda: running.publisher.clock_state().synced, "a receipt")
    state = running.publisher.clock_state()
    assert abs(state.offset_s - 5) <= state.error_s + 0.05  # this centre is 5 s ahead


def test_a_receipt_that_came_while_the_agent_was_away_waits_in_its_session(
    run: Run, centre: Connect, until: Until
) -> None:
    there, running = centre(receipts=False), run()
    running.report()
    until(lambda: there.issues, "the report")
    outbox_id = str(running.store.outbox_id)
    running.end()
    there.receipt(outbox_id, 1)
    there.leave()
    again = run()
    until(lambda: again.waiting() == 0, "the receipt, though no centre is there any more")


def test_a_broker_that_is_not_there_is_named(run: Run, mosquitto: Any, until: Until) -> None:
    mosquitto.kill()
    running = run()
    until(lambda: "refused" in running.publisher.state.detail, "the reason")
    assert f"127.0.0.1:{mosquitto.port}" in running.publisher.state.detail


def test_a_refused_account_is_said_without_its_password(
    mosquitto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosquitto.kill()
    mosquitto.configure("allow_anonymous false")
    mosquitto.start()
    monkeypatch.setenv("MQTT_PASSWORD", "hunter2")
    broker = Broker(port=mosquitto.port, username="gw", password="${secret:MQTT_PASSWORD}")
    with pytest.raises(DeliveryRefused, match="refused the account") as caught:
        try_broker(broker, ADDRESS)
    assert "hunter2" not in str(caught.value)


def test_an_account_that_may_not_write_is_said_and_its_reports_wait(
    run: Run, mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    mosquitto.kill()
    (tmp_path / "acl").write_text("topic readwrite elsewhere/#\n")
    mosquitto.configure("allow_anonymous true", f"acl_file {tmp_path / 'acl'}")
    mosquitto.start()
    running = run()
    running.report()
    until(lambda: "reports are refused" in running.publisher.state.detail, "the refusal")
    assert running.sent() == 0
    assert running.waiting() == 1


def test_a_probe_does_not_push_the_agent_out(run: Run, mosquitto: Any, until: Until) -> None:
    running = run()
    until(lambda: running.publisher.state.connected, "connected")
    try_broker(Broker(port=mosquitto.port), ADDRESS)
    running.report()
    until(lambda: running.publisher.state.detail, "it still publishes")
    assert running.publisher.state.connected


def test_tries_stay_close_together_and_a_refused_account_is_tried_rarely() -> None:
    assert all(wait_s(n, DeliveryError("")) <= 5 for n in range(1, 99))
    assert all(15 <= wait_s(n, DeliveryRefused("")) <= 30 for n in range(1, 99))
