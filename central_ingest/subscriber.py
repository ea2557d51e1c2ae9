"""MQTT → deliveries in batches; PUBACK only when told that a batch is committed.

The network thread puts deliveries into a queue; the broker sends at most `receive_maximum` of
them without a PUBACK, and more than that are not taken, so the queue is bounded: back-pressure
goes to the broker, not into memory. PUBACKs are sent in the order in which messages came. One
belongs to the connection on which its message came: after a reconnect the broker sends the message
again, and the old PUBACK is not sent.
"""

import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from central_ingest.clock import Now
from central_ingest.config import BrokerSettings, IngestSettings
from central_ingest.errors import SubscriberStopped
from central_ingest.intake import READ_LEAVES, Delivery
from contract.messages import Command, encode
from contract.topics import AgentAddress, Leaf, subscription

_log = logging.getLogger(__name__)
_RECEIPTS_WAITING_MAX = 10_000
_LOOK_S = 0.005


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery, with what its PUBACK needs."""

    delivery: Delivery
    connection_id: int
    mid: int
    qos: int


class Subscriber:
    """One MQTT session that survives broker and centre: same client id, no clean start."""

    def __init__(
        self, client_id: str, broker: BrokerSettings, limits: IngestSettings, now: Now
    ) -> None:
        self._broker = broker
        self._limits = limits
        self._now = now
        self._queue: deque[Received] = deque()
        self._arrived = threading.Event()
        # Held while PUBACKs and receipts are handed to the client and while a connection ends,
        # so that nothing of an old connection reaches a new one.
        self._lock = threading.Lock()
        self._connection_id = 0
        self._connected = False
        self._stopping = threading.Event()
        self.detail = f"connecting to {broker.host}:{broker.port}"
        self._client = self._make_client(client_id)

    def _make_client(self, client_id: str) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.max_queued_messages_set(_RECEIPTS_WAITING_MAX)
        # Receipts must not wait for each other: PUBACKs follow them in order.
        client.max_inflight_messages_set(0)
        client.reconnect_delay_set(1, self._broker.reconnect_max_s)
        if self._broker.username is not None:
            secret = self._broker.password
            client.username_pw_set(
                self._broker.username, secret.get_secret_value() if secret else None
            )
        if self._broker.tls_ca is not None:
            client.tls_set_context(ssl.create_default_context(cafile=str(self._broker.tls_ca)))
        return client

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._connected

    def start(self) -> None:
        """Connect, and reconnect for ever with growing pauses; returns at once."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._broker.session_expiry_s
        properties.ReceiveMaximum = self._limits.receive_maximum
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            keepalive=self._broker.keepalive_s,
            clean_start=False,
            properties=properties,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Leave the broker; what was not acknowledged stays with it."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, wait_s: float) -> list[Received]:
        """The next batch; empty when nothing came for `wait_s`.

        A batch ends at `batch_size` deliveries, or `batch_ms` after its first, or when as many
        came as the broker sends without a PUBACK. Raises SubscriberStopped.
        """
        if not self._queue and not self._arrived.wait(wait_s):
            self._check_thread()
            return []
        ends_s = time.monotonic() + self._limits.batch_ms / 1000
        while len(self._queue) < self._limits.batch_size and not self._stopping.is_set():
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                break
            self._stopping.wait(min(left_s, _LOOK_S))
        self._arrived.clear()
        return [
            self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch_size))
        ]

    def acknowledge(self, batch: Sequence[Received]) -> int:
        """PUBACK what came on the present connection; returns how many that were."""
        with self._lock:
            mine = [
                one for one in batch if self._connected and one.connection_id == self._connection_id
            ]
            for one in mine:
                self._client.ack(one.mid, one.qos)
        return len(mine)

    def send_receipts(self, receipts: Sequence[tuple[AgentAddress, bytes]]) -> int:
        """Publish receipts; while disconnected they are dropped, for agents ask again."""
        with self._lock:
            if not self._connected:
                return 0
            for address, body in receipts:
                self._client.publish(address.topic(Leaf.RECEIPT), body, qos=1)
        return len(receipts)

    def send_commands(self, commands: Sequence[tuple[AgentAddress, Command]]) -> int:
        """Publish commands; those that are lost on the way are offered again by who asks."""
        with self._lock:
            if not self._connected:
                return 0
            for address, command in commands:
                self._client.publish(address.topic(Leaf.COMMAND), encode(command), qos=1)
        return len(commands)

    def _check_thread(self) -> None:
        names = {thread.name for thread in threading.enumerate()}
        if not any(name.startswith("paho-mqtt-client") for name in names):
            raise SubscriberStopped("the MQTT network thread ended; ingest must start again")

    def _on_connect(
        self,
        client: Client,
        userdata: Any,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del userdata, properties
        if reason.is_failure:
            self._lose(f"the broker refused the connection: {reason}")
            return
        with self._lock:
            self._connected = True
            self.detail = f"connected to {self._broker.host}:{self._broker.port}"
        _log.info("%s, session present: %s", self.detail, flags.session_present)
        options = SubscribeOptions(qos=1)
        client.subscribe(
            [(subscription(leaf, share=self._broker.share), options) for leaf in READ_LEAVES]
        )

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        del client, userdata
        self._lose(f"no broker answers at {self._broker.host}:{self._broker.port}; trying again")

    def _on_disconnect(
        self,
        client: Client,
        userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del client, userdata, flags, properties
        self._lose(f"the broker is away: {reason}")

    def _lose(self, detail: str) -> None:
        with self._lock:
            self._connected = False
            self._connection_id += 1
            if detail != self.detail and not self._stopping.is_set():
                _log.warning("%s", detail)
            self.detail = detail

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        """Wait where the queue is full: that is the back-pressure on the broker."""
        del client, userdata
        properties = dict(getattr(message.properties, "UserProperty", []))
        delivery = Delivery(_topic(message), bytes(message.payload), self._now(), properties)
        received = Received(delivery, self._connection_id, message.mid, message.qos)
        while len(self._queue) >= self._limits.receive_maximum and not self._stopping.is_set():
            self._stopping.wait(_LOOK_S)
        self._queue.append(received)
        self._arrived.set()


def _topic(message: MQTTMessage) -> str:
    try:
        return str(message.topic)
    except UnicodeDecodeError:
        return repr(message)
