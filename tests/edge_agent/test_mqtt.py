"""One connection to a real broker: its will, its window, its failures."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from contract.topics import AgentAddress, Leaf
from edge_agent.config import Broker
from edge_agent.errors import DeliveryError, DeliveryRefused
from edge_agent.mqtt import Connection, Wakeup

ADDRESS = AgentAddress("demo", "gw-01")
Until = Callable[..., None]


@pytest.fixture
def heard(mosquitto: Any) -> Iterator[list[tuple[str, bytes]]]:
    """What an onlooker hears of the agent."""
    messages: list[tuple[str, bytes]] = []
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, "onlooker", protocol=paho.MQTTv5)
    client.on_message = lambda _c, _d, m: messages.append((m.topic.rpartition("/")[2], m.payload))
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", mosquitto.port)
    client.subscribe("gridwatch/1/demo/gw-01/#", qos=1)
    client.loop_start()
    assert ready.wait(10)
    yield messages
    client.disconnect()
    client.loop_stop()


def test_the_will_is_published_when_a_connection_breaks(
    mosquitto: Any, heard: list[tuple[str, bytes]], until: Until
) -> None:
    Connection(Broker(port=mosquitto.port), ADDRESS, will=b"gone").drop()
    until(lambda: heard == [("status", b"gone")], "the will")


def test_the_last_status_stands_instead_of_the_will_after_a_goodbye(
    mosquitto: Any, heard: list[tuple[str, bytes]], until: Until
) -> None:
    connection = Connection(Broker(port=mosquitto.port), ADDRESS, will=b"gone")
    connection.close(b"stopped")
    until(lambda: heard, "the last status")
    assert heard == [("status", b"stopped")]


def test_no_more_is_in_flight_than_the_broker_receives(mosquitto: Any, until: Until) -> None:
    connection = Connection(Broker(port=mosquitto.port), ADDRESS, will=None)
    window = connection.room
    assert window == 20  # Mosquitto's receive maximum
    for _ in range(window):
        connection.publish(Leaf.HEALTH, b"x")
    assert connection.room == 0

    def answered() -> bool:
        connection.turn(0.05)
        return connection.room == window

    until(answered, "PUBACKs make room again")
    assert len(connection.pubacks()) == window
    connection.close()


def test_a_ring_from_another_thread_ends_the_wait(mosquitto: Any) -> None:
    connection, wakeup = Connection(Broker(port=mosquitto.port), ADDRESS, will=None), Wakeup()
    threading.Timer(0.05, wakeup.ring).start()
    connection.turn(60, wakeup)  # the test's own time limit would end it
    connection.close()
    wakeup.close()


def test_a_ring_after_the_end_does_nothing() -> None:
    wakeup = Wakeup()
    wakeup.close()
    wakeup.ring()


def test_a_refused_subscription_is_named(mosquitto: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Mosquitto's ACL files do not refuse subscriptions; EMQX does, with this answer.
    connection = Connection(Broker(port=mosquitto.port), ADDRESS, will=None)
    refused = ReasonCode(PacketTypes.SUBACK, identifier=0x87)

    def subscribe(_topic: str, qos: int) -> tuple[int, int]:
        connection._granted[qos] = [refused]
        return 0, qos

    monkeypatch.setattr(connection._client, "subscribe", subscribe)
    with pytest.raises(DeliveryRefused, match="may not read gridwatch/1/demo/gw-01/receipt"):
        connection.subscribe([Leaf.RECEIPT])
    connection.close()


def test_the_brokers_own_reason_for_the_end_is_kept(mosquitto: Any) -> None:
    # Mosquitto 2.0 only cuts the line when another client takes the name over; others say why.
    connection = Connection(Broker(port=mosquitto.port), ADDRESS, will=None)
    taken_over = ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E)
    connection._on_disconnect(connection._client, None, None, taken_over, None)
    cut = ReasonCode(PacketTypes.DISCONNECT, identifier=0x80)
    connection._on_disconnect(connection._client, None, None, cut, None)
    with pytest.raises(DeliveryError, match="another agent connects as gw-01"):
        connection.turn(0)
    connection.drop()


def make_certificates(folder: Path) -> None:
    """A CA and a broker's certificate for 127.0.0.1, signed by it."""
    names = {who: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)]) for who in ("ca", "b")}
    keys = {who: ec.generate_private_key(ec.SECP256R1()) for who in names}
    for who, name in names.items():
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(names["ca"], name, keys[who].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=who == "ca", path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(keys["ca"], hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (folder / f"{who}.pem").write_bytes(certificate.public_bytes(pem))
        (folder / f"{who}.key").write_bytes(
            keys[who].private_bytes(
                pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
def test_tls_is_spoken_and_a_certificate_of_another_ca_refused(
    mosquitto: Any, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    for folder in (tmp_path, tmp_path / "other"):
        make_certificates(folder)
    mosquitto.kill()
    files = f"certfile {tmp_path / 'b.pem'}", f"keyfile {tmp_path / 'b.key'}"
    mosquitto.configure("allow_anonymous true", *files)
    mosquitto.start()
    good = Broker(port=mosquitto.port, tls_ca=tmp_path / "ca.pem")
    connection = Connection(good, ADDRESS, will=None)
    connection.subscribe([Leaf.RECEIPT, Leaf.COMMAND])
    connection.close(b"bye")
    bad = Broker(port=mosquitto.port, tls_ca=tmp_path / "other" / "ca.pem")
    with pytest.raises(DeliveryError, match="certificate verify failed"):
        Connection(bad, ADDRESS, will=None)


def test_tls_files_that_are_missing_are_named(mosquitto: Any, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="TLS files"):
        Connection(Broker(port=mosquitto.port, tls_ca=tmp_path / "no.pem"), ADDRESS, will=None)
