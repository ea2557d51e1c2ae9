"""MQTT 5 as bytes: what comes is cut into packets, what goes waits for the broker's window. Pure.

What agents published is taken apart here, tolerantly and at speed, for nothing that an agent sends
may stop the centre: a topic or property that is no UTF-8 is still a message that goes to
quarantine. All other packets are the broker's own, and the codec `mqtt5` reads and writes them.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import mqtt5
from msgspec import Struct

from central_ingest.errors import MalformedPacket

_PUBLISH = 3
_USER_PROPERTY = 0x26
# Bytes of each property that a PUBLISH may carry; -1: a text or bytes with their own length,
# -2: a number of one to four bytes.
_PROPERTY_BYTES = {0x01: 1, 0x02: 4, 0x03: -1, 0x08: -1, 0x09: -1, 0x0B: -2, 0x23: 2}
_MIDS = 65_535
SUBSCRIBE_MID = 1


class Publish(Struct, frozen=True, gc=False):
    """A message as the broker hands it over; `mid` is None where no PUBACK is expected."""

    topic: str
    body: bytes
    mid: int | None
    properties: Mapping[str, str]


class UserProperties(Mapping[str, str]):
    """A message's user properties, taken apart only when somebody asks."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._known: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        if self._known is None:
            self._known = dict(_user_properties(self._raw))
        return self._known

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


_NONE: Mapping[str, str] = {}


class PacketReader:
    """Bytes in whatever pieces they come → whole packets."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = self._needed = 0

    def feed(self, data: bytes) -> Iterator[Publish | Any]:
        """Yield what is whole now; the rest waits for more. Raises MalformedPacket."""
        if self._pieces:
            self._pieces.append(data)
            self._held += len(data)
            if self._held < self._needed:
                return
            data = b"".join(self._pieces)
        at, length = 0, len(data)
        while True:
            begins, ends = _frame(data, at, length)
            if ends > length:
                break
            if data[at] >> 4 == _PUBLISH:
                yield _publish(data, at, begins, ends)
            else:
                yield _read_other(data[at:ends])
            at = ends
        self._pieces = [data[at:]] if at < length else []
        self._held, self._needed = length - at, ends - at


def _frame(data: bytes, at: int, length: int) -> tuple[int, int]:
    """Where the packet's content begins and ends; an end beyond `length` is not there yet."""
    size, shift = 0, 0
    for place in range(at + 1, min(at + 5, length)):
        byte = data[place]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return place + 1, place + 1 + size
        shift += 7
    if length > at + 4:
        raise MalformedPacket(f"a packet of type {data[at] >> 4} has no length")
    return length, length + 1


def _publish(data: bytes, at: int, begins: int, ends: int) -> Publish:
    try:
        topic_ends = begins + 2 + (data[begins] << 8 | data[begins + 1])
        topic, here, mid = data[begins + 2 : topic_ends], topic_ends, None
        if data[at] & 0x06:
            mid, here = data[here] << 8 | data[here + 1], here + 2
        size = data[here]
        if size >= 0x80:
            size, here = _number(data, here)
        else:
            here += 1
    except IndexError:
        raise MalformedPacket("a PUBLISH ends within its head") from None
    if here + size > ends:
        raise MalformedPacket("a PUBLISH is shorter than its properties")
    properties = UserProperties(data[here : here + size]) if size else _NONE
    return Publish(_topic(topic), data[here + size : ends], mid, properties)


def _topic(raw: bytes) -> str:
    return _short_topic(raw) if len(raw) <= _TOPIC_MAX else _decoded(raw)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return repr(raw)


# A city has few topics, and each of them comes again and again. None of ours is longer, so nobody
# can fill the memory with what is remembered.
_TOPIC_MAX = 256
_short_topic = lru_cache(maxsize=20_000)(_decoded)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer, and where it ends. Raises IndexError."""
    size = 0
    for shift in (0, 7, 14, 21):
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return size, at


def _user_properties(raw: bytes) -> Iterator[tuple[str, str]]:
    """Those that can be read, up to the first byte that makes no sense."""
    at = 0
    try:
        while at < len(raw):
            kind, at = raw[at], at + 1
            if kind == _USER_PROPERTY:
                name, at = _text(raw, at)
                value, at = _text(raw, at)
                yield name.decode(errors="replace"), value.decode(errors="replace")
                continue
            size = _PROPERTY_BYTES[kind]
            at = _text(raw, at)[1] if size == -1 else _number(raw, at)[1] if size < 0 else at + size
    except LookupError:
        return


def _text(raw: bytes, at: int) -> tuple[bytes, int]:
    ends = at + 2 + (raw[at] << 8 | raw[at + 1])
    return raw[at + 2 : ends], ends


def _read_other(packet: bytes) -> Any:
    try:
        found, _ = mqtt5.read(memoryview(packet))
    except (ValueError, IndexError) as error:
        raise MalformedPacket(
            f"a packet of type {packet[0] >> 4} cannot be read: {error}"
        ) from None
    return found


class Outgoing:
    """What waits to be sent, in order: messages as far as the broker's window allows, PUBACKs."""

    def __init__(self, window: int = _MIDS) -> None:
        """`window` is how many messages the broker takes without having acknowledged them."""
        self._window = window
        self._waiting: deque[tuple[str, bytes] | bytes] = deque()
        self._under_way: set[int] = set()
        self._mid = SUBSCRIBE_MID

    def __len__(self) -> int:
        return len(self._waiting)

    def publish(self, topic: str, body: bytes) -> None:
        """Let a message wait, at QoS 1."""
        self._waiting.append((topic, body))

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Let PUBACKs wait, behind what waits already."""
        if mids:
            self._waiting.append(pubacks(mids))

    def acknowledged(self, mid: int) -> None:
        """Note that the broker has a message of ours."""
        self._under_way.discard(mid)

    def take(self) -> bytes:
        """What may be sent now, as bytes; empty when nothing may."""
        taken = []
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, tuple):
                if len(self._under_way) >= self._window:
                    break
                first = self._publish(*first)
            taken.append(first)
            self._waiting.popleft()
        return b"".join(taken)

    def _publish(self, topic: str, body: bytes) -> bytes:
        self._mid = self._mid % _MIDS + 1
        while self._mid in self._under_way:
            self._mid = self._mid % _MIDS + 1
        self._under_way.add(self._mid)
        qos = mqtt5.QoS.AT_LEAST_ONCE
        return mqtt5.PublishPacket(topic, body, qos=qos, packet_id=self._mid).write()


def pubacks(mids: Iterable[int]) -> bytes:
    """One PUBACK after the other, in this order."""
    return b"".join(b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids)
