"""A rejection reaches its agent over a real broker, also when the agent was away."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from central_ingest.store.commands import follow_up, list_suppressions
from central_ingest.store.database import open_engine, reading, writing
from central_ingest.store.queries import decide
from contract.messages import AgentStatus, Command, CommandResult, encode
from contract.topics import AgentAddress, Leaf
from tests.central_ingest.test_ingest import Site, issue, wait_until

pytestmark = pytest.mark.system
ADDRESS = AgentAddress("demo", "gw-01")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.start_broker()
    made.start_ingest()
    yield made
    made.stop()


class Gateway:
    """An agent that takes commands and answers them."""

    def __init__(self, port: int) -> None:
        self.commands: list[Command] = []
        self._subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, "gateway", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_message = lambda _c, _u, message: self.commands.append(
            Command.model_validate_json(message.payload)
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(ADDRESS.topic(Leaf.COMMAND), 1)
        assert self._subscribed.wait(10)

    def say(self, leaf: Leaf, payload: bytes) -> None:
        self._client.publish(ADDRESS.topic(leaf), payload, qos=1).wait_for_publish(10)

    def status(self, state: str) -> None:
        said = {"city": "demo", "agent_id": "gw-01", "state": state, "since": datetime.now(UTC)}
        self.say(Leaf.STATUS, encode(AgentStatus.model_validate(said | {"version": "0"})))

    def answer(self, command: Command) -> None:
        result = CommandResult(
            agent_id="gw-01", command_id=command.command_id, done_at=datetime.now(UTC), ok=True
        )
        self.say(Leaf.RESULT, encode(result))

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_a_rejection_reaches_the_agent_when_it_is_back_and_holds_once_it_answered(
    site: Site,
) -> None:
    gateway = Gateway(site.port)
    gateway.say(Leaf.ISSUE, issue(1))
    wait_until(lambda: site.held() == {1}, "the report")
    gateway.status("offline")
    wait_until(lambda: bool(site.rows("select 1 from agent where state = 'offline'")), "its status")
    gateway.leave()
    engine = open_engine(f"sqlite:///{site.folder / 'data' / 'centre.db'}")
    now = datetime.now(UTC)
    with writing(engine) as connection:
        decide(connection, 1, "reject", "li", "误报 False alarm", now)
        assert follow_up(connection, 1, ("reject", "not_an_issue"), "li", now) == 1

    back = Gateway(site.port)
    back.status("online")
    wait_until(lambda: bool(back.commands), "the command")
    assert back.commands[0].category == "street_vendor"
    back.answer(back.commands[0])
    wait_until(lambda: bool(site.rows("select 1 from command_result where ok")), "the answer")
    with reading(engine) as connection:
        assert [one.holds_at_agent for one in list_suppressions(connection, now)] == [True]
    back.leave()
    engine.dispose()
