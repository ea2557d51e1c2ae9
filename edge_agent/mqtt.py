"""One connection to the broker: MQTT 5, QoS 1, a window, and plain values instead of callbacks.

The only home of paho-mqtt; its failures become DeliveryError here. A connection that ended is not
used again: the next one is a new object, so nothing of the old one's state can leak into it.
"""

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from contract.enrolment import BrokerAccess
from contract.topics import AgentAddress, Leaf
from edge_agent.config import Broker
from edge_agent.enrolment import TlsFiles, enrolled_context, read_enrolment
from edge_agent.errors import ConfigError, DeliveryError, DeliveryRefused
from edge_agent.yaml_file import resolve_secrets

KEEPALIVE_S = 20
CONNECT_S = 5.0
# So long the broker keeps receipts and commands for an agent that is away.
SESSION_EXPIRY_S = 86_400
WINDOW = 100
FAILED = 0x80
NO_SUBSCRIBERS = 0x10
SESSION_TAKEN_OVER = 0x8E
NOT_ALLOWED = {0x86, 0x87, 0x8C}


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker's answer to one message; `code` 0 means that somebody will get it."""

    mid: int
    code: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that came in."""

    leaf: Leaf
    payload: bytes


@dataclass(frozen=True, slots=True)
class Access:
    """What proves the agent to the broker: from an enrolment, or from keys of its file."""

    shown: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    files: TlsFiles | None = None
    enrolled: BrokerAccess | None = None

    @classmethod
    def of(cls, broker: Broker, shown: str) -> "Access":
        """Read it. Raises ConfigError when a secret or the enrolment is not there."""
        if broker.enrolment is not None:
            given = read_enrolment(broker.enrolment).broker
            password = given.password.get_secret_value() if given.password else None
            return cls(shown, given.username, password, enrolled=given)
        password = resolve_secrets(broker.password or "", shown) or None
        files = TlsFiles(broker.tls_ca, broker.tls_cert, broker.tls_key) if broker.tls_ca else None
        return cls(shown, broker.username, password, files)

    def tls(self) -> ssl.SSLContext | None:
        """Make the context of TLS 1.2 or newer, where TLS is spoken. Raises DeliveryError."""
        try:
            if self.enrolled is not None and self.enrolled.ca is not None:
                return enrolled_context(self.enrolled)
            return self.files.context() if self.files else None
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{self.shown}: TLS files cannot be used ({error})") from None


class Wakeup:
    """Lets any thread end another's wait on its sockets."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def ring(self) -> None:
        """End the wait, now or when it begins."""
        # Full: it has been rung often enough. Closed: nobody waits any more.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Forget earlier rings."""
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(4096):
                pass

    def close(self) -> None:
        """Give the sockets back; ringing does nothing from now on."""
        self.reader.close()
        self._writer.close()


class Connection:
    """Connects, subscribes and publishes for one agent; belongs to one thread."""

    def __init__(
        self, broker: Broker, address: AgentAddress, *, will: bytes | None, suffix: str = ""
    ) -> None:
        """Connect and wait for the broker's word. Raises DeliveryError.

        `will` is published as retained status when this connection breaks without `close`.
        `suffix` tells a probe from the agent itself, which the broker would else disconnect; a
        probe leaves no session behind, an agent resumes its own (`resumed`).
        """
        self._shown = f"broker {broker.host}:{broker.port}"
        self._address = address
        self._arrived: list[Arrived] = []
        self._pubacks: list[Puback] = []
        self._granted: dict[int, list[ReasonCode]] = {}
        self._connack: ReasonCode | None = None
        self._lost: str | None = None
        self._window = WINDOW
        self._in_flight: set[int] = set()
        self.resumed = False
        self._client = self._make_client(broker, f"{address.city}-{address.agent_id}{suffix}")
        if will is not None:
            topic = address.topic(Leaf.STATUS)
            self._client.will_set(topic, will, qos=1, retain=True)
        self._connect(broker, session_s=0 if suffix else SESSION_EXPIRY_S)

    def subscribe(self, leaves: Iterable[Leaf]) -> None:
        """Subscribe this agent's own topics. Raises DeliveryError when one is refused."""
        for leaf in leaves:
            topic = self._address.topic(leaf)
            mid = self._client.subscribe(topic, qos=1)[1] or 0
            self._await(lambda mid=mid: mid in self._granted, f"answer to subscribing {topic}")
            if any(code.value >= FAILED for code in self._granted.pop(mid, [])):
                raise DeliveryRefused(
                    f"{self._shown}: account may not read {topic}; check the broker's ACL"
                )

    def publish(
        self,
        leaf: Leaf,
        payload: bytes,
        *,
        properties: Iterable[tuple[str, str]] = (),
        retain: bool = False,
    ) -> int:
        """Hand a message over and return its id, which its Puback will carry."""
        user = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        user.UserProperty = list(properties)
        info = self._client.publish(
            self._address.topic(leaf), payload, qos=1, retain=retain, properties=user
        )
        self._in_flight.add(info.mid)
        return info.mid

    @property
    def room(self) -> int:
        """How many messages may be published now: the broker cuts off who sends more."""
        return self._window - len(self._in_flight)

    def turn(self, timeout_s: float, wakeup: Wakeup | None = None) -> None:
        """Wait for the network (or a ring) and do what is to do. Raises DeliveryError when lost."""
        sock: Any = self._client.socket()
        if sock is None or self._lost is not None:
            raise self._broken()
        readers = [sock] if wakeup is None else [sock, wakeup.reader]
        writers = [sock] if self._client.want_write() else []
        # TLS may hold decrypted bytes that no select on the socket shows.
        if getattr(sock, "pending", lambda: 0)():
            timeout_s = 0
        readable, writable, _ = select.select(readers, writers, [], timeout_s)
        if wakeup is not None and wakeup.reader in readable:
            wakeup.clear()
        if sock in readable or timeout_s == 0:
            self._client.loop_read()
        if sock in writable:
            self._client.loop_write()
        self._client.loop_misc()
        if self._lost is not None:
            raise self._broken()

    def arrived(self) -> list[Arrived]:
        """Take the messages that came."""
        taken, self._arrived = self._arrived, []
        return taken

    def pubacks(self) -> list[Puback]:
        """Take the broker's answers."""
        taken, self._pubacks = self._pubacks, []
        return taken

    def close(self, last_status: bytes | None = None, patience_s: float = 0.5) -> None:
        """Say goodbye, so that the will is not published; `last_status` stands instead of it."""
        with contextlib.suppress(DeliveryError):
            if last_status is not None:
                mid = self.publish(Leaf.STATUS, last_status, retain=True)
                deadline_s = time.monotonic() + patience_s
                while all(answer.mid != mid for answer in self._pubacks):
                    if time.monotonic() > deadline_s:
                        break
                    self.turn(0.05)
        self._client.disconnect()
        self.drop()

    def drop(self) -> None:
        """Cut the connection without goodbye: the broker publishes the will."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    # -- inside

    def _make_client(self, broker: Broker, client_id: str) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(0)  # `room` is the window, for all messages together
        try:
            access = Access.of(broker, self._shown)
        except ConfigError as error:  # put right while we run, it serves at the next try
            raise DeliveryRefused(str(error)) from None
        if access.username is not None:
            client.username_pw_set(access.username, access.password)
        if (context := access.tls()) is not None:
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _connect(self, broker: Broker, session_s: int) -> None:
        lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        lasting.SessionExpiryInterval = session_s
        try:
            self._client.connect(
                broker.host,
                broker.port,
                KEEPALIVE_S,
                clean_start=session_s == 0,
                properties=lasting,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DeliveryError(
                f"{self._shown}: no connection ({reason}); check that it runs, host and port"
            ) from None
        self._await(lambda: self._connack is not None, "answer to CONNECT")

    def _await(self, condition: Any, what: str) -> None:
        deadline_s = time.monotonic() + CONNECT_S
        while not condition():
            if time.monotonic() > deadline_s:
                self.drop()
                raise DeliveryError(f"{self._shown}: no {what} within {CONNECT_S:.0f} s")
            self.turn(0.1)

    def _broken(self) -> DeliveryError:
        code = self._connack.value if self._connack is not None else 0
        if code in NOT_ALLOWED:
            return DeliveryRefused(
                f"{self._shown}: refused the account ({self._connack}); check username and password"
            )
        return DeliveryError(f"{self._shown}: connection lost ({self._lost or 'closed'})")

    def _on_connect(
        self, _client: paho.Client, _data: Any, flags: Any, code: ReasonCode, given: Any
    ) -> None:
        self._connack = code
        self.resumed = bool(flags.session_present)
        if code.is_failure:
            self._lost = str(code)
        self._window = min(WINDOW, getattr(given, "ReceiveMaximum", WINDOW))

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _given: Any
    ) -> None:
        if self._lost is None:  # the broker's own reason comes before the socket's end
            taken_over = code.value == SESSION_TAKEN_OVER
            other = f"another agent connects as {self._address.agent_id}"
            self._lost = other if taken_over else str(code)

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, code: ReasonCode, _given: Any
    ) -> None:
        self._in_flight.discard(mid)
        self._pubacks.append(Puback(mid, code.value))

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, mid: int, codes: list[ReasonCode], _given: Any
    ) -> None:
        self._granted[mid] = codes

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        leaf = Leaf(message.topic.rpartition("/")[2])
        self._arrived.append(Arrived(leaf, bytes(message.payload)))
