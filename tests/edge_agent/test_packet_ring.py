"""The ring always decodes from its first packet, and never holds more than it may."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.clock import Instant
from edge_agent.packet_ring import Footage, PacketRing, RingPacket, StreamFormat

FORMAT = StreamFormat("h264", b"x", Fraction(1, 90_000))
START = datetime(2026, 7, 1, tzinfo=UTC)


def at(seconds: float) -> Instant:
    return Instant(START + timedelta(seconds=seconds), seconds, "boot")


def packet(seconds: float, *, key: bool = False, size: int = 10) -> RingPacket:
    return RingPacket(at(seconds), None, None, key, b"p" * size)


def filled(seconds: float = 10.0, max_bytes: int = 10_000, *, until: int = 20) -> PacketRing:
    """Two packets a second, a key frame every two seconds."""
    ring = PacketRing(seconds, max_bytes)
    ring.begin(FORMAT)
    for tick in range(until * 2):
        ring.add(packet(tick / 2, key=tick % 4 == 0))
    return ring


def times(footage: Footage | None) -> list[float]:
    assert footage is not None
    return [one.at.monotonic_s for one in footage.packets]


def test_footage_begins_with_the_last_key_frame_before_the_moment_asked_for() -> None:
    assert times(filled().footage(at(15), at(16))) == [14, 14.5, 15, 15.5, 16]


def test_what_lies_before_the_ring_begins_with_its_oldest_key_frame() -> None:
    assert times(filled().footage(at(1), at(9)))[0] == 8
    assert filled().footage(at(1), at(7)) is None


def test_at_least_the_seconds_asked_for_are_kept_and_at_most_one_group_more() -> None:
    assert times(filled(10).footage(at(0), at(20)))[0] == 8
    assert times(filled(11).footage(at(0), at(20)))[0] == 8
    assert times(filled(12).footage(at(0), at(20)))[0] == 6


def test_the_bytes_are_kept_whatever_the_seconds_ask_for() -> None:
    ring = filled(10, 100)
    assert ring.bytes <= 100
    assert times(ring.footage(at(0), at(20)))[0] == 16


def test_a_group_that_alone_exceeds_the_bytes_is_given_up_until_the_next_key_frame() -> None:
    ring = PacketRing(10, 100)
    ring.begin(FORMAT)
    ring.add(packet(0, key=True, size=60))
    ring.add(packet(1, size=60))
    ring.add(packet(2, size=10))
    assert ring.bytes == 0
    assert ring.footage(at(0), at(3)) is None
    ring.add(packet(3, key=True))
    assert times(ring.footage(at(0), at(4))) == [3]


def test_a_new_connection_starts_anew() -> None:
    ring = filled()
    ring.begin(FORMAT)
    assert (ring.bytes, ring.footage(at(0), at(20))) == (0, None)
    ring.add(packet(21))
    assert ring.bytes == 0


def test_before_any_stream_there_is_nothing() -> None:
    assert PacketRing(10, 100).footage(at(0), at(1)) is None


def test_the_empty_packet_at_a_files_end_is_left_out() -> None:
    ring = filled(until=1)
    before = ring.bytes
    ring.add(packet(1, size=0))
    assert ring.bytes == before


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 80), st.floats(0.01, 3)), max_size=60),
    st.floats(0, 20),
    st.integers(50, 400),
)
@settings(max_examples=200, derandomize=True)
def test_whatever_comes_the_ring_is_bounded_and_starts_with_a_key_frame(
    packets: list[tuple[bool, int, float]], seconds: float, max_bytes: int
) -> None:
    ring, now_s = PacketRing(seconds, max_bytes), 0.0
    ring.begin(FORMAT)
    for key, size, step_s in packets:
        now_s += step_s
        ring.add(packet(now_s, key=key, size=size))
        footage = ring.footage(at(0), at(now_s))
        assert ring.bytes <= max_bytes
        if footage is None:
            assert ring.bytes == 0
            continue
        assert footage.packets[0].is_keyframe
        assert sum(len(one.data) for one in footage.packets) == ring.bytes
        keys = [one.at.monotonic_s for one in footage.packets if one.is_keyframe]
        assert len(keys) < 2 or now_s - keys[1] < max(seconds, 1e-9) or seconds == 0
