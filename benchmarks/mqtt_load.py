"""Simulated agents on real MQTT connections: bytes straight to sockets, so that they cost little.

Just enough of MQTT 5: CONNECT, SUBSCRIBE to one's own receipts, PUBLISH at QoS 1, PUBACK. What is
to be sent is written down as whole packets beforehand (`Recording`), so that the run only moves
bytes. One thread serves all agents by `selectors`; what a library or the making of reports would
cost belongs to neither side of the measurement.
"""

import mmap
import os
import selectors
import socket
import struct
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from benchmarks.traffic import Sent, outbox_of

_CONNACK, _PUBLISH, _PUBACK, _SUBACK = 2, 3, 4, 9
_KEEPALIVE_S: Final = 0
_READ_BYTES: Final = 1 << 16
_WRITE_PIECES: Final = 512
_MIDS: Final = 65_535


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


def _properties(outbox: str, seq: int) -> bytes:
    """The user properties that agents of ours send along."""
    told = (("published-at", "2026-07-01T08:00:00.000Z"), ("replayed", "false"),
            ("outbox-id", outbox), ("seq", str(seq)))  # fmt: skip
    listed = b"".join(b"\x26" + _text(name) + _text(value) for name, value in told)
    return _length(len(listed)) + listed


def agent_name(agent: int) -> str:
    """An agent's name in topics and reports."""
    return f"gw-{agent:04d}"


def topic_of(agent: int, leaf: str) -> str:
    """A topic of one agent."""
    return f"gridwatch/1/bench/{agent_name(agent)}/{leaf}"


@cache
def _issue_topic(agent: int) -> bytes:
    return _text(topic_of(agent, "issue"))


class Recording:
    """Reports as packets in memory, in the order in which they are to be sent.

    Not in a file: a kernel that is short of memory, or was told to save some, drops what it holds
    of a file, and who sends would wait for the disk.
    """

    def __init__(self, sent: Iterable[Sent], mids: list[int]) -> None:
        """`mids` holds the last packet identifier of each agent, and is counted on."""
        self.agents, self.seqs, self._ends = array("H"), array("L"), array("Q", [0])
        with os.fdopen(os.memfd_create("gridwatch-bench"), "w+b") as file:
            for one in sent:
                mids[one.agent] = mids[one.agent] % _MIDS + 1
                head = _issue_topic(one.agent) + mids[one.agent].to_bytes(2, "big")
                told = _properties(str(outbox_of(one.agent)), one.seq)
                size = file.write(_packet(0x32, head + told + one.body))
                self.agents.append(one.agent)
                self.seqs.append(one.seq)
                self._ends.append(self._ends[-1] + size)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self.agents else b""
            self._packets = memoryview(mapped)

    def __len__(self) -> int:
        return len(self.agents)

    def packet(self, number: int) -> memoryview:
        """The bytes of one report."""
        return self._packets[self._ends[number] : self._ends[number + 1]]


@dataclass(slots=True)
class AgentConnection:
    """One agent's connection; `receipt` is called with each receipt's body."""

    number: int
    socket: socket.socket
    receipt: Callable[[int, bytes], None]
    ready: bool = False
    pubacks: int = 0
    _incoming: bytes = b""
    _outgoing: list[bytes | memoryview] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._outgoing.append(connect_packet(f"bench-{self.number}"))
        self._outgoing.append(subscribe_packet(topic_of(self.number, "receipt")))

    def offer(self, packet: bytes | memoryview) -> None:
        """Let a packet wait for the next `write`."""
        self._outgoing.append(packet)

    def write(self) -> None:
        """Send as much as the socket takes."""
        while self._outgoing:
            pieces = self._outgoing[:_WRITE_PIECES]
            try:
                sent = self.socket.sendmsg(pieces)
            except BlockingIOError:
                return
            whole = 0
            while whole < len(pieces) and sent >= len(pieces[whole]):
                sent -= len(pieces[whole])
                whole += 1
            del self._outgoing[:whole]
            if sent:
                self._outgoing[0] = self._outgoing[0][sent:]

    def read(self) -> None:
        """Take in PUBACKs and receipts."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError(f"the broker closed the connection of agent {self.number}")
        data, at = self._incoming + data, 0
        while (found := _frame(data, at)) is not None:
            begins, ends = found
            self._handle(data[at], data[begins:ends])
            at = ends
        self._incoming = data[at:]

    def _handle(self, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind == _PUBACK:
            self.pubacks += 1
        elif kind == _SUBACK:
            self.ready = True
        elif kind == _PUBLISH:
            self._take_publish(body)
        elif kind == _CONNACK and body[1]:
            raise ConnectionError(f"the broker refused agent {self.number}: reason {body[1]}")

    def _take_publish(self, body: bytes) -> None:
        (topic_size,) = struct.unpack_from("!H", body)
        at = 2 + topic_size
        packet_id = body[at : at + 2]
        # The properties of a receipt are few: their length fits one byte.
        properties = body[at + 2]
        self._outgoing.append(b"\x40\x02" + packet_id)
        self.receipt(self.number, body[at + 3 + properties :])


def _frame(data: bytes, at: int) -> tuple[int, int] | None:
    """Where a packet's content begins and ends; None while it is not there as a whole."""
    size, shift = 0, 0
    for place in range(at + 1, min(at + 5, len(data))):
        size |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:
            return (place + 1, place + 1 + size) if place + 1 + size <= len(data) else None
        shift += 7
    return None


class Fleet:
    """All simulated agents, on one thread."""

    def __init__(self, port: int, agents: int, receipt: Callable[[int, bytes], None]) -> None:
        self._selector = selectors.DefaultSelector()
        self.agents: list[AgentConnection] = []
        for number in range(agents):
            opened = socket.create_connection(("127.0.0.1", port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setblocking(False)
            agent = AgentConnection(number, opened, receipt)
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
        """Read what came, waiting for it at most `wait_s`, and send what waits."""
        for key, _ in self._selector.select(wait_s):
            key.data.read()
        for agent in self.agents:
            agent.write()

    def close(self) -> None:
        """Leave the broker."""
        for agent in self.agents:
            agent.socket.close()
        self._selector.close()
