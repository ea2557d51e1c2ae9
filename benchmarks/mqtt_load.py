"""Simulated agents on real MQTT connections: bytes straight to sockets, so that they cost little.

Just enough of MQTT 5: CONNECT, SUBSCRIBE to one's own receipts, PUBLISH at QoS 1, PUBACK, PING.
One thread serves all agents by `selectors`; what a library would cost belongs to neither side of
the measurement.
"""

import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_CONNACK, _PUBLISH, _PUBACK, _SUBACK = 2, 3, 4, 9
_KEEPALIVE_S: Final = 0
_READ_BYTES: Final = 1 << 16


def _length(value: int) -> bytes:
    """MQTT's variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def _packet(head: int, body: bytes) -> bytes:
    return bytes((head,)) + _length(len(body)) + body


def connect_packet(client_id: str) -> bytes:
    """CONNECT with a clean start and no limits of one's own."""
    return _packet(
        0x10, _text("MQTT") + b"\x05\x02" + struct.pack("!H", _KEEPALIVE_S) + b"\0"
        + _text(client_id),
    )  # fmt: skip


def subscribe_packet(topic: str) -> bytes:
    """SUBSCRIBE to one topic at QoS 1."""
    return _packet(0x82, b"\0\x01\0" + _text(topic) + b"\x01")


def publish_packet(topic: bytes, packet_id: int, body: bytes) -> bytes:
    """PUBLISH at QoS 1, without properties."""
    return _packet(0x32, topic + struct.pack("!HB", packet_id, 0) + body)


@dataclass(slots=True)
class AgentConnection:
    """One agent's connection; `receipt` is called with each receipt's body."""

    number: int
    agent_id: str
    socket: socket.socket
    receipt: Callable[[int, bytes], None]
    ready: bool = False
    pubacks: int = 0
    _incoming: bytearray = field(default_factory=bytearray)
    _outgoing: bytearray = field(default_factory=bytearray)
    _packet_id: int = 0
    _topic: bytes = b""

    def __post_init__(self) -> None:
        base = f"gridwatch/1/bench/{self.agent_id}/"
        self._topic = _text(base + "issue")
        self._outgoing += connect_packet(f"bench-{self.agent_id}")
        self._outgoing += subscribe_packet(base + "receipt")

    @property
    def backed_up(self) -> bool:
        """Whether the broker does not take what was offered."""
        return len(self._outgoing) > _READ_BYTES

    def publish(self, body: bytes) -> None:
        """Offer a report."""
        self._packet_id = self._packet_id % 65_535 + 1
        self._outgoing += publish_packet(self._topic, self._packet_id, body)

    def write(self) -> None:
        """Send as much as the socket takes."""
        if self._outgoing:
            try:
                sent = self.socket.send(memoryview(self._outgoing)[: 1 << 18])
            except BlockingIOError:
                return
            del self._outgoing[:sent]

    def read(self) -> None:
        """Take in PUBACKs and receipts."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError(f"the broker closed the connection of {self.agent_id}")
        self._incoming += data
        while self._take_packet():
            pass

    def _take_packet(self) -> bool:
        incoming, size, shift, at = self._incoming, 0, 0, 1
        while True:
            if at >= len(incoming):
                return False
            byte = incoming[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not byte & 0x80:
                break
        if len(incoming) < at + size:
            return False
        body = bytes(incoming[at : at + size])
        head = incoming[0]
        del incoming[: at + size]
        self._handle(head, body)
        return True

    def _handle(self, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind == _PUBACK:
            self.pubacks += 1
        elif kind == _SUBACK:
            self.ready = True
        elif kind == _PUBLISH:
            self._take_publish(body)
        elif kind == _CONNACK and body[1]:
            raise ConnectionError(f"the broker refused {self.agent_id}: reason {body[1]}")

    def _take_publish(self, body: bytes) -> None:
        (topic_size,) = struct.unpack_from("!H", body)
        at = 2 + topic_size
        packet_id = body[at : at + 2]
        # The properties of a receipt are few: their length fits one byte.
        properties = body[at + 2]
        self._outgoing += b"\x40\x02" + packet_id
        self.receipt(self.number, body[at + 3 + properties :])


class Fleet:
    """All simulated agents, on one thread."""

    def __init__(self, port: int, agents: int, receipt: Callable[[int, bytes], None]) -> None:
        self._selector = selectors.DefaultSelector()
        self.agents: list[AgentConnection] = []
        for number in range(agents):
            opened = socket.create_connection(("127.0.0.1", port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setblocking(False)
            agent = AgentConnection(number, f"gw-{number:04d}", opened, receipt)
            self.agents.append(agent)
            self._selector.register(opened, selectors.EVENT_READ, agent)
            agent.write()

    def wait_ready(self, within_s: float = 30.0) -> None:
        """Serve until every agent listens for its receipts. Raises TimeoutError."""
        ends_s = time.monotonic() + within_s
        while not all(agent.ready for agent in self.agents):
            self.serve(0.05)
            if time.monotonic() > ends_s:
                raise TimeoutError("not all simulated agents could connect")

    def serve(self, wait_s: float) -> None:
        """Read what came, and send what waits."""
        for key, _ in self._selector.select(wait_s):
            key.data.read()
        for agent in self.agents:
            agent.write()

    def close(self) -> None:
        """Leave the broker."""
        for agent in self.agents:
            agent.socket.close()
        self._selector.close()
