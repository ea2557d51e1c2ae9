"""The last seconds of a stream as packets, in memory only: what clips and stills are made from.

Undecoded video costs little to keep (4 Mbit/s: half a megabyte a second) and is never written.
"""

import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from edge_agent.clock import Instant


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a decoder needs to know before the first packet; `tick` is seconds a timestamp."""

    codec: str
    extradata: bytes | None
    tick: Fraction


@dataclass(frozen=True, slots=True)
class RingPacket:
    """One packet, and when it arrived."""

    at: Instant
    pts: int | None
    dts: int | None
    is_keyframe: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Footage:
    """Packets that decode from the first on; it is a key frame."""

    format: StreamFormat
    packets: tuple[RingPacket, ...]


class PacketRing:
    """Keeps at least `seconds` of packets, from a key frame on, in at most `max_bytes`.

    One thread adds, others read. What exceeds the bytes goes, oldest key frame first; the oldest
    packet is always a key frame, so that all of it can be decoded.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._format: StreamFormat | None = None
        self._packets: deque[RingPacket] = deque()
        self._keyframes: deque[Instant] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How much is held now."""
        return self._bytes

    def begin(self, stream: StreamFormat) -> None:
        """Start anew with another connection, whose packets do not follow those before."""
        with self._lock:
            self._format = stream
            self._clear()

    def add(self, packet: RingPacket) -> None:
        """Take the next packet; what no key frame precedes is left out."""
        if not packet.data:
            return
        with self._lock:
            if packet.is_keyframe:
                self._keyframes.append(packet.at)
            elif not self._keyframes:
                return
            self._packets.append(packet)
            self._bytes += len(packet.data)
            while self._bytes > self._max_bytes or self._second_suffices(packet.at):
                self._drop_first_group()

    def footage(self, since: Instant, until: Instant) -> Footage | None:
        """Everything from the last key frame before `since`, or the oldest one, to `until`.

        None when nothing of that time is here.
        """
        with self._lock:
            if self._format is None:
                return None
            start = max((at for at in self._keyframes if _precedes(at, since)), key=_seconds,
                        default=self._keyframes[0] if self._keyframes else None)  # fmt: skip
            if start is None or not _precedes(start, until):
                return None
            chosen = tuple(
                packet
                for packet in self._packets
                if _precedes(start, packet.at) and _precedes(packet.at, until)
            )
            return Footage(self._format, chosen)

    # -- inside, under the lock

    def _second_suffices(self, now: Instant) -> bool:
        return len(self._keyframes) > 1 and now.seconds_since(self._keyframes[1]) >= self._seconds

    def _drop_first_group(self) -> None:
        self._keyframes.popleft()
        if not self._keyframes:  # one group alone exceeds the bytes
            self._clear()
            return
        dropped = False
        while not (dropped and self._packets[0].is_keyframe):
            self._bytes -= len(self._packets.popleft().data)
            dropped = True

    def _clear(self) -> None:
        self._packets.clear()
        self._keyframes.clear()
        self._bytes = 0


def _seconds(at: Instant) -> float:
    return at.monotonic_s


def _precedes(earlier: Instant, later: Instant) -> bool:
    """Whether it is no later; a ring lives within one boot."""
    return earlier.monotonic_s <= later.monotonic_s
