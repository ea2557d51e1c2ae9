"""What enrolment gives and takes, on a real Mosquitto with TLS: one's own subtree, nothing else."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from site_processes import answers, wait_for
from typer.testing import CliRunner

from benchmarks.broker import find_mosquitto
from benchmarks.ports import free_port
from central_ingest.__main__ import app
from contract.topics import AgentAddress, Leaf
from edge_agent.config import Broker
from edge_agent.enrolment import read_enrolment
from edge_agent.errors import DeliveryError
from edge_agent.mqtt import NO_SUBSCRIBERS, Connection

# paho leaves the socket of a failed handshake to the garbage collector.
pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket"),
]
CITY = "bengbu"
NOT_AUTHORISED = 0x87


class Guarded:
    """A broker with the files that the centre writes, on ports of the test's own."""

    def __init__(self, folder: Path, user: str = "root") -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("8883", "8884", "1883")}
        self.run("broker", "127.0.0.1", "localhost")
        config = folder / "data" / "broker" / "mosquitto.conf"
        text = config.read_text().replace("/var/lib/mosquitto", str(folder))
        for name, port in self.ports.items():
            text = text.replace(f"listener {name}", f"listener {port}")
        config.write_text(f"user {user}\n{text}")
        if user != "root":  # as the guide says: chgrp -R mosquitto …/broker
            for path in (config.parent, *config.parent.iterdir()):
                shutil.chown(path, group=user)
        with (folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [find_mosquitto(), "-c", config], stdout=log, stderr=log
            )
        wait_for(lambda: answers(self.ports["1883"]), "the broker")

    def run(self, *arguments: str) -> str:
        """Run central-ingest on this site's data."""
        done = CliRunner().invoke(app, [*arguments, "--data", str(self.folder / "data")])
        assert done.exit_code == 0, done.output
        return done.output

    def enrol(self, agent_id: str, credentials: str = "certificate") -> Path:
        """Enrol an agent and have the broker read its files again."""
        out = self.folder / f"{agent_id}.json"
        port = self.ports["8883" if credentials == "certificate" else "8884"]
        self.run("enrol", agent_id, "--city", CITY, "--credentials", credentials,
                 "--broker-port", str(port), "--out", str(out))  # fmt: skip
        self.reload()
        return out

    def reload(self) -> None:
        """As `systemctl reload mosquitto` does."""
        log = self.folder / "broker.log"
        before = log.read_text().count("Reloading config")
        self._process.send_signal(signal.SIGHUP)
        wait_for(lambda: log.read_text().count("Reloading config") > before, "the reload")

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Centre:
    """The centre's account on its own listener; hears everything."""

    def __init__(self, guarded: Guarded) -> None:
        self.heard: list[str] = []
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "w1", protocol=paho.MQTTv5)
        secret = guarded.folder / "data" / "authority" / "secrets" / "MQTT_CENTRE"
        self._client.username_pw_set("centre", secret.read_text())
        self._client.on_message = lambda _c, _d, m: self.heard.append(m.topic)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", guarded.ports["1883"])
        self._client.loop_start()
        self._client.subscribe("gridwatch/1/+/+/issue", qos=1)
        assert self._ready.wait(10)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def apart() -> Iterator[Guarded]:
    """A broker that runs as a user of its own, as a distribution's service does."""
    if os.geteuid() != 0:
        pytest.skip("only root may start a broker as another user")
    try:
        pwd.getpwnam("mosquitto")
    except KeyError:
        pytest.skip("there is no user mosquitto here")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o711)
        made = Guarded(Path(folder), "mosquitto")
        yield made
        made.stop()


@pytest.fixture
def centre(guarded: Guarded) -> Iterator[Centre]:
    made = Centre(guarded)
    yield made
    made.leave()


def settings(enrolment: Path) -> Broker:
    given = read_enrolment(enrolment).broker
    return Broker(host=given.host, port=given.port, enrolment=enrolment)


def puback(connection: Connection, address: AgentAddress, leaf: Leaf) -> int:
    """The broker's answer to a message on a topic of `address`, whoever publishes it."""
    info = connection._client.publish(address.topic(leaf), b"x", qos=1)
    codes: list[int] = []

    def answered() -> bool:
        connection.turn(0.05)
        codes.extend(answer.code for answer in connection.pubacks() if answer.mid == info.mid)
        return bool(codes)

    wait_for(answered, "the PUBACK")
    return codes[0]


@pytest.mark.parametrize("credentials", ["certificate", "password"])
def test_an_agent_writes_its_own_subtree_and_nothing_else(
    guarded: Guarded, centre: Centre, credentials: str
) -> None:
    own, other = AgentAddress(CITY, "gw-01"), AgentAddress(CITY, "gw-02")
    guarded.enrol("gw-02")
    mine = settings(guarded.enrol("gw-01", credentials))
    connection = Connection(mine, own, will=b"gone")
    assert puback(connection, own, Leaf.ISSUE) == 0
    for leaf in (Leaf.STATUS, Leaf.HEALTH, Leaf.RESULT):
        assert puback(connection, own, leaf) in (0, NO_SUBSCRIBERS)
    connection.close()
    refused = [(own, Leaf.RECEIPT), (own, Leaf.COMMAND), *((other, leaf) for leaf in Leaf),
               (AgentAddress("elsewhere", "gw-01"), Leaf.ISSUE)]  # fmt: skip
    for address, leaf in refused:  # Mosquitto 2.0 cuts off who tried
        tries = Connection(mine, own, will=None)
        assert puback(tries, address, leaf) == NOT_AUTHORISED, (address, leaf)
        tries.drop()
    assert centre.heard == [own.topic(Leaf.ISSUE)]


def test_an_agent_hears_its_own_receipts_and_nobody_elses(guarded: Guarded, centre: Centre) -> None:
    first, second = AgentAddress(CITY, "gw-01"), AgentAddress(CITY, "gw-02")
    ears = Connection(settings(guarded.enrol("gw-01")), first, will=None)
    ears.subscribe([Leaf.RECEIPT, Leaf.COMMAND])
    ears._client.subscribe([("#", 1), ("gridwatch/1/+/+/receipt", 1), ("$SYS/#", 1)])
    for address in (second, first):
        centre._client.publish(address.topic(Leaf.RECEIPT), address.agent_id, qos=1)
    heard: list[bytes] = []

    def listen() -> bool:
        ears.turn(0.05)
        heard.extend(message.payload for message in ears.arrived())
        return bool(heard)

    wait_for(listen, "the receipt")
    assert set(heard) == {b"gw-01"}
    ears.close()


def test_an_agent_cannot_push_another_one_off_by_its_client_id(
    guarded: Guarded, centre: Centre
) -> None:
    first = AgentAddress(CITY, "gw-01")
    victim = Connection(settings(guarded.enrol("gw-01")), first, will=None)
    intruder = Connection(settings(guarded.enrol("gw-02")), first, will=None)
    assert puback(intruder, first, Leaf.ISSUE) == NOT_AUTHORISED
    assert puback(victim, first, Leaf.ISSUE) == 0
    victim.close()
    intruder.close()


def test_without_credentials_nobody_gets_in(guarded: Guarded) -> None:
    ca = guarded.folder / "data" / "broker" / "ca.pem"
    address = AgentAddress(CITY, "gw-01")
    for broker in (
        Broker(port=guarded.ports["8883"], tls_ca=ca),
        Broker(port=guarded.ports["8884"], tls_ca=ca),
        Broker(port=guarded.ports["8884"], tls_ca=ca, username="gw-01", password="guess"),
        Broker(port=guarded.ports["1883"]),
        Broker(port=guarded.ports["8883"]),
    ):
        with pytest.raises(DeliveryError):
            Connection(broker, address, will=None)


@pytest.mark.parametrize("credentials", ["certificate", "password"])
@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_what_was_revoked_or_replaced_gets_in_no_more(
    guarded: Guarded, centre: Centre, credentials: str, end: str
) -> None:
    address = AgentAddress(CITY, "gw-01")
    old = Path(shutil.copy(guarded.enrol("gw-01", credentials), guarded.folder / "old.json"))
    Connection(settings(old), address, will=None).close()
    if end == "revoke":
        guarded.run("revoke", "gw-01")
        guarded.reload()
    else:
        new = guarded.enrol("gw-01", credentials)
        connection = Connection(settings(new), address, will=None)
        assert puback(connection, address, Leaf.ISSUE) == 0
        connection.close()
    with pytest.raises(DeliveryError):
        Connection(settings(old), address, will=None)


def test_a_revoked_agent_that_is_still_connected_may_do_nothing(
    guarded: Guarded, centre: Centre
) -> None:
    address = AgentAddress(CITY, "gw-01")
    connection = Connection(settings(guarded.enrol("gw-01")), address, will=None)
    assert puback(connection, address, Leaf.ISSUE) == 0
    guarded.run("revoke", "gw-01")
    guarded.reload()
    with contextlib.suppress(DeliveryError):  # cut off altogether: as good
        assert puback(connection, address, Leaf.ISSUE) == NOT_AUTHORISED
    connection.drop()


def test_a_broker_of_its_own_user_lets_agents_in_after_each_command(apart: Guarded) -> None:
    first, second = AgentAddress(CITY, "gw-01"), AgentAddress(CITY, "gw-02")
    enrolled = settings(apart.enrol("gw-01"))
    Connection(enrolled, first, will=None).close()
    Connection(settings(apart.enrol("gw-02", "password")), second, will=None).close()
    apart.run("revoke", "gw-02")
    apart.reload()
    Connection(enrolled, first, will=None).close()


def test_an_open_connection_of_a_replaced_certificate_ends_when_the_new_one_connects(
    guarded: Guarded, centre: Centre
) -> None:
    address = AgentAddress(CITY, "gw-01")
    old = Path(shutil.copy(guarded.enrol("gw-01"), guarded.folder / "old.json"))
    before = Connection(settings(old), address, will=None)
    new = settings(guarded.enrol("gw-01"))
    assert puback(before, address, Leaf.ISSUE) == 0  # Mosquitto asks who connects, nobody else
    after = Connection(new, address, will=None)
    with pytest.raises(DeliveryError):
        puback(before, address, Leaf.ISSUE)
    after.close()
    before.drop()


def test_an_open_connection_of_a_replaced_password_ends_with_the_reload(
    guarded: Guarded, centre: Centre
) -> None:
    address = AgentAddress(CITY, "gw-01")
    old = Path(shutil.copy(guarded.enrol("gw-01", "password"), guarded.folder / "old.json"))
    before = Connection(settings(old), address, will=None)
    guarded.enrol("gw-01", "password")
    with pytest.raises(DeliveryError):
        puback(before, address, Leaf.ISSUE)
    before.drop()
