"""One connection: what the broker says at first, bytes both ways, and every way in which it ends."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mqtt5
import pytest

from central_ingest.config import BrokerSettings
from central_ingest.errors import BrokerAway
from central_ingest.mqtt import Connection, Wakeup

YES = mqtt5.ConnAckPacket(session_present=True, receive_max=17).write()
NO = mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.NOT_AUTHORIZED).write()


class Broker:
    """Answers one connection with given bytes, then does as the test says."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.settings = BrokerSettings(port=self.listening.getsockname()[1], keepalive_s=5)
        self.peer = socket.socket()

    def answer(self, data: bytes) -> None:
        """Accept on a thread: CONNECT in, `data` out; without data the connection is closed."""

        def serve() -> None:
            self.peer.close()
            self.peer, _ = self.listening.accept()
            self.peer.settimeout(10)
            self.peer.recv(1000)
            self.peer.sendall(data) if data else self.peer.close()

        threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        self.peer.close()
        self.listening.close()


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    made = Wakeup()
    yield made
    made.close()


@pytest.fixture
def connect(broker: Broker, wakeup: Wakeup) -> Iterator[Callable[[bytes], Connection]]:
    opened = []

    def make(answer: bytes) -> Connection:
        broker.answer(answer)
        opened.append(Connection(broker.settings, "w1", 8000, wakeup))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def talk(line: Connection, said: bytes) -> None:
    """Go on until the connection ends."""
    ends_s = time.monotonic() + 20
    while time.monotonic() < ends_s:
        line.exchange(1, said, taking=True)


def test_the_brokers_yes_tells_of_the_session_and_its_window(
    connect: Callable[[bytes], Connection],
) -> None:
    line = connect(YES)
    assert (line.session_present, line.window) == (True, 17)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NO, r"refused the connection: NOT_AUTHORIZED, as nobody; see broker\.username"),
        (b"", "closed the connection instead of answering"),
        (b"\xd0\x00", "answered with PingRespPacket"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no broker speaks MQTT 5"),
    ],
)
def test_what_is_no_yes_is_named(
    connect: Callable[[bytes], Connection], answer: bytes, said: str
) -> None:
    with pytest.raises(BrokerAway, match=said):
        connect(answer)


def test_where_nobody_listens_that_is_said(broker: Broker, wakeup: Wakeup) -> None:
    broker.close()
    with pytest.raises(BrokerAway, match="no broker answers at"):
        Connection(broker.settings, "w1", 8000, wakeup)


def test_a_ca_that_is_not_there_is_named(broker: Broker, wakeup: Wakeup, tmp_path: Path) -> None:
    settings = broker.settings.model_copy(update={"tls_ca": tmp_path / "ca.pem"})
    with pytest.raises(BrokerAway, match=r"broker\.tls_ca: .*ca\.pem cannot be read \(No such"):
        Connection(settings, "w1", 8000, wakeup)


def test_a_ca_that_is_no_certificate_is_named(
    broker: Broker, wakeup: Wakeup, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = broker.settings.model_copy(update={"tls_ca": tmp_path / "ca.pem"})
    with pytest.raises(BrokerAway, match=r"ca\.pem holds no certificate in PEM form"):
        Connection(settings, "w1", 8000, wakeup)


def test_what_follows_the_yes_at_once_is_not_lost(
    broker: Broker, connect: Callable[[bytes], Connection]
) -> None:
    line = connect(YES + b"\x30\x04\x00\x01t\x00")
    assert line.exchange(5, b"hello", taking=True) == b"\x30\x04\x00\x01t\x00"
    assert broker.peer.recv(100) == b"hello"
    assert line.all_sent


def test_without_taking_nothing_is_read_and_the_broker_waits(
    connect: Callable[[bytes], Connection],
) -> None:
    line = connect(YES + b"\xd0\x00")
    assert line.exchange(0.01, b"", taking=False) == b""
    assert line.exchange(5, b"", taking=True) == b"\xd0\x00"


def test_a_ring_ends_the_wait(connect: Callable[[bytes], Connection], wakeup: Wakeup) -> None:
    line, began_s = connect(YES), time.monotonic()
    wakeup.ring()
    assert line.exchange(60, b"", taking=True) == b""
    assert time.monotonic() - began_s < 30


def test_a_broker_that_closes_is_away(
    broker: Broker, connect: Callable[[bytes], Connection]
) -> None:
    line = connect(YES)
    broker.peer.close()
    with pytest.raises(BrokerAway, match="the broker is away"):
        talk(line, b"x")


def test_a_broker_that_says_nothing_is_asked_and_then_given_up(
    broker: Broker, connect: Callable[[bytes], Connection]
) -> None:
    line = connect(YES)
    line._keepalive_s = 0.1
    with pytest.raises(BrokerAway, match="said nothing for"):
        talk(line, b"")
    assert broker.peer.recv(2) == b"\xc0\x00"


def test_leaving_says_goodbye_after_what_is_left(
    broker: Broker, connect: Callable[[bytes], Connection]
) -> None:
    connect(YES).leave(b"left")
    assert broker.peer.recv(100) == b"left" + mqtt5.DisconnectPacket().write()
