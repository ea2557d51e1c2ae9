"""MQTT → deliveries in batches; PUBACK only when told that a batch is committed.

The network thread only moves bytes: it connects, reads what comes into a queue and sends what
waits. Packets are taken apart by the thread that takes batches, so that the two do not fight for
the interpreter. The broker sends at most `receive_maximum` messages without a PUBACK, and beyond
`_HELD_MAX` bytes nothing is read: back-pressure goes to the broker, not into memory. PUBACKs are
sent in the order in which messages came. One belongs to the connection on which its message came:
after a reconnect the broker sends the message again, and the old PUBACK is not sent.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from random import SystemRandom

import mqtt5
from msgspec import Struct

from central_ingest.config import BrokerSettings, IngestSettings
from central_ingest.errors import BrokerAway, MalformedPacket, SubscriberStopped
from central_ingest.intake import READ_LEAVES, Delivery
from central_ingest.mqtt import Connection, Wakeup
from central_ingest.packets import SUBSCRIBE_MID, Outgoing, PacketReader, Publish
from contract.topics import subscription

_log = logging.getLogger(__name__)
_WAITING_MAX = 10_000
_HELD_MAX = 64 << 20
_IDLE_S = 5.0
_LOOK_S = 0.005
_STOP_S = 10.0
_FAILED = 0x80
_chance = SystemRandom()


class Received(Struct, frozen=True, gc=False):
    """A delivery, with what its PUBACK needs."""

    delivery: Delivery
    connection_id: int
    mid: int | None


class _Chunk(Struct, frozen=True, gc=False):
    """Bytes as they came."""

    connection_id: int
    data: bytes


class Subscriber:
    """One MQTT session that survives broker and centre: same client id, no clean start."""

    def __init__(self, client_id: str, broker: BrokerSettings, limits: IngestSettings) -> None:
        self._client_id = client_id
        self._broker = broker
        self._limits = limits
        self._chunks: deque[_Chunk] = deque()
        self._came_bytes = self._taken_bytes = 0
        self._ready: deque[Received] = deque()
        self._reader = PacketReader()
        self._reader_of = 0
        self._arrived = threading.Event()
        # Held while PUBACKs and receipts are handed over and while a connection begins or ends,
        # so that nothing of an old connection reaches a new one.
        self._lock = threading.Lock()
        self._outgoing = Outgoing()
        self._connection_id = 0
        self._connected = False
        self._given_up: tuple[int, str] | None = None
        self._stopping = threading.Event()
        self._wakeup = Wakeup()
        self._thread = threading.Thread(target=self._run, name="mqtt")
        self.detail = f"connecting to {broker.host}:{broker.port}"

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._connected

    def start(self) -> None:
        """Connect, and reconnect for ever with growing pauses; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, leave the broker; what was not acknowledged stays with it."""
        self._stopping.set()
        self._wakeup.ring()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self._wakeup.close()

    def take(self, most: int, wait_s: float) -> list[Received]:
        """What came, at most so many; empty when nothing came for `wait_s`.

        Raises SubscriberStopped.
        """
        self._arrived.clear()
        self._unpack(most)
        if not self._ready and self._arrived.wait(wait_s):
            self._unpack(most)
        self._check_thread()
        return [self._ready.popleft() for _ in range(min(len(self._ready), most))]

    def acknowledge(self, batch: Sequence[Received]) -> int:
        """PUBACK what came on the present connection; returns how many that were."""
        with self._lock:
            if not self._connected:
                return 0
            mine = [
                one.mid
                for one in batch
                if one.connection_id == self._connection_id and one.mid is not None
            ]
            self._outgoing.acknowledge(mine)
        self._wakeup.ring()
        return len(mine)

    def send(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Publish messages, each a topic and a body; returns how many will go.

        While disconnected all are dropped: agents ask for receipts again, and commands are offered
        again.
        """
        if not messages:
            return 0
        with self._lock:
            if not self._connected or len(self._outgoing) + len(messages) > _WAITING_MAX:
                return 0
            for topic, body in messages:
                self._outgoing.publish(topic, body)
        self._wakeup.ring()
        return len(messages)

    def start_over(self, detail: str) -> None:
        """Have the broker send again what it has no PUBACK for, by a new connection."""
        with self._lock:
            if not self._connected:  # the next connection has it sent again anyway
                return
            given_up = self._connection_id
            # From here on no PUBACK goes out for what came by this connection.
            self._lost(detail)
        self._give_up(given_up, detail)

    def _check_thread(self) -> None:
        if not self._thread.is_alive():
            raise SubscriberStopped("the MQTT network thread ended; ingest must start again")

    # -- what came, on the thread that takes it

    def _unpack(self, most: int) -> None:
        """Take apart what came, until so many are ready."""
        while self._chunks and len(self._ready) < most:
            chunk = self._chunks.popleft()
            self._taken_bytes += len(chunk.data)
            if chunk.connection_id != self._reader_of:
                self._reader, self._reader_of = PacketReader(), chunk.connection_id
            try:
                for packet in self._reader.feed(chunk.data):
                    self._note(packet, chunk)
            except MalformedPacket as error:
                self._give_up(chunk.connection_id, f"the broker is away: {error}")

    def _note(self, packet: object, chunk: _Chunk) -> None:
        if isinstance(packet, Publish):
            delivery = Delivery(packet.topic, packet.body, packet.properties)
            self._ready.append(Received(delivery, chunk.connection_id, packet.mid))
        elif isinstance(packet, mqtt5.PubAckPacket):
            with self._lock:
                if chunk.connection_id == self._connection_id:
                    self._outgoing.acknowledged(packet.packet_id)
                waiting = len(self._outgoing) > 0
            if waiting:
                self._wakeup.ring()
        elif isinstance(packet, mqtt5.SubAckPacket):
            refused = [code.name for code in packet.reason_codes if int(code) >= _FAILED]
            if refused:
                self._give_up(chunk.connection_id, f"the broker refuses to deliver: {refused[0]}")
        elif isinstance(packet, mqtt5.DisconnectPacket):
            said = packet.reason_code.name if packet.reason_code is not None else "no reason"
            self._give_up(chunk.connection_id, f"the broker is away: {said}")

    def _give_up(self, connection_id: int, detail: str) -> None:
        """Let the network thread end this connection and begin another one."""
        self._given_up = (connection_id, detail)
        self._wakeup.ring()

    # -- the network thread

    def _run(self) -> None:
        pause_s = 1.0
        while not self._stopping.is_set():
            try:
                line = Connection(
                    self._broker, self._client_id, self._limits.receive_maximum, self._wakeup
                )
            except BrokerAway as error:
                self._lose(str(error))
                self._stopping.wait(pause_s * _chance.uniform(0.75, 1.0))
                pause_s = min(2 * pause_s, self._broker.reconnect_max_s)
                continue
            pause_s = 1.0
            try:
                self._pump(line, self._begin(line))
            except BrokerAway as error:
                self._lose(str(error))
                self._stopping.wait(_chance.uniform(0.0, 1.0))
            finally:
                line.close()

    def _begin(self, line: Connection) -> int:
        with self._lock:
            self._outgoing = Outgoing(line.window)
            self._connected = True
            self.detail = f"connected to {self._broker.host}:{self._broker.port}"
            _log.info("%s, session present: %s", self.detail, line.session_present)
            return self._connection_id

    def _pump(self, line: Connection, connection_id: int) -> None:
        """Move bytes until told to stop. Raises BrokerAway when the connection ended."""
        unsent = self._subscribe_packet()
        while True:
            if self._given_up is not None and self._given_up[0] == connection_id:
                raise BrokerAway(self._given_up[1])
            if line.all_sent:
                with self._lock:
                    unsent += self._outgoing.take()
            if self._stopping.is_set():
                line.leave(unsent)
                return
            taking = self._came_bytes - self._taken_bytes < _HELD_MAX
            data = line.exchange(_IDLE_S if taking else _LOOK_S, unsent, taking=taking)
            unsent = b""
            if data:
                self._came_bytes += len(data)
                self._chunks.append(_Chunk(connection_id, data))
                self._arrived.set()

    def _subscribe_packet(self) -> bytes:
        qos = mqtt5.QoS.AT_LEAST_ONCE
        filters = [subscription(leaf, share=self._broker.share) for leaf in READ_LEAVES]
        return mqtt5.SubscribePacket(
            SUBSCRIBE_MID, [mqtt5.TopicFilter(one, max_qos=qos) for one in filters]
        ).write()

    def _lose(self, detail: str) -> None:
        with self._lock:
            self._lost(detail)

    def _lost(self, detail: str) -> None:
        self._connected = False
        self._connection_id += 1
        if detail != self.detail and not self._stopping.is_set():
            _log.warning("%s", detail)
        self.detail = detail
