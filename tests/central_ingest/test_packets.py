"""MQTT as bytes: whatever the pieces, the same packets; hostile bytes end nothing but themselves."""

from typing import Any

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest import packets
from central_ingest.errors import MalformedPacket
from central_ingest.packets import Outgoing, PacketReader, Publish, pubacks

QOS_1 = mqtt5.QoS.AT_LEAST_ONCE
PROPERTIES = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3)
MESSAGES = st.tuples(
    st.sampled_from(["gridwatch/1/demo/gw-01/issue", "路口", "a" * 200]),
    st.binary(max_size=300) | st.just(b"x" * 20_000),
    st.integers(1, 65_535),
    PROPERTIES,
)


def written(topic: str, body: bytes, mid: int, properties: list[tuple[str, str]]) -> bytes:
    return mqtt5.PublishPacket(
        topic, body, qos=QOS_1, packet_id=mid, user_properties=properties,
        content_type="application/json", message_expiry_interval=9, subscription_ids=[],
    ).write()  # fmt: skip


def read(data: bytes, cuts: list[int]) -> list[Any]:
    reader, found, at = PacketReader(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found += reader.feed(data[at:cut])
        at = max(at, cut)
    return found


@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(0, 60_000), max_size=8))
def test_however_the_bytes_are_cut_the_packets_are_the_same(
    messages: list[tuple[str, bytes, int, list[tuple[str, str]]]], cuts: list[int]
) -> None:
    messages = [(t, b, m, [(n, v) for n, v in p if "\0" not in n + v]) for t, b, m, p in messages]
    data = b"".join(written(*one) + mqtt5.PingRespPacket().write() for one in messages)
    found = read(data, [cut for cut in cuts if cut < len(data)])
    told = [one for one in found if isinstance(one, Publish)]
    assert len(found) == 2 * len(told) == 2 * len(messages)
    assert [(one.topic, one.body, one.mid) for one in told] == [one[:3] for one in messages]
    assert [dict(one.properties) for one in told] == [dict(one[3]) for one in messages]


def test_a_message_at_qos_0_expects_no_puback() -> None:
    (found,) = PacketReader().feed(mqtt5.PublishPacket("t", b"body").write())
    assert (found.topic, found.body, found.mid, len(found.properties)) == ("t", b"body", None, 0)


@pytest.mark.parametrize(("length", "remembered"), [(256, 1), (257, 0)])
def test_no_long_topic_is_remembered(length: int, remembered: int) -> None:
    before = packets._short_topic.cache_info().currsize
    topic = "no other test's topic".ljust(length, "t")
    (found,) = PacketReader().feed(mqtt5.PublishPacket(topic, b"body").write())
    assert found.topic == topic
    assert packets._short_topic.cache_info().currsize == before + remembered


def test_a_topic_and_properties_that_are_no_text_are_still_a_message() -> None:
    properties = b"\x26\x00\x01\xff\x00\x01b" + b"\x26\x00\x03seq\x00\x017"
    head = b"\x00\x02\xff\xfe" + b"\x00\x05" + bytes([len(properties)]) + properties
    (found,) = PacketReader().feed(b"\x32" + bytes([len(head) + 1]) + head + b"!")
    assert (found.topic, found.body, found.mid) == (r"b'\xff\xfe'", b"!", 5)
    assert found.properties["seq"] == "7"


@pytest.mark.parametrize("properties", [b"\x99\x00", b"\x26\x00\x09ab", b"\x03\x00", b"\x0b"])
def test_properties_end_where_they_make_no_sense(properties: bytes) -> None:
    head = b"\x00\x01t" + b"\x00\x05" + bytes([len(properties)]) + properties
    (found,) = PacketReader().feed(b"\x32" + bytes([len(head)]) + head)
    assert dict(found.properties) in ({}, {"": ""})


@pytest.mark.parametrize(
    "data",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x32\x02\x00\x09",  # a topic beyond the end
        b"\x32\x06\x00\x01t\x00\x05\x20",  # properties beyond the end
        b"\xf1\x00",  # a flag that no packet has
        b"\x40\x01\x00",  # a PUBACK of one byte
    ],
)
def test_what_is_no_mqtt_ends_the_connection(data: bytes) -> None:
    with pytest.raises(MalformedPacket):
        list(PacketReader().feed(data))


@given(st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_packets_or_that_error(data: bytes) -> None:
    try:
        list(PacketReader().feed(data.replace(b"\x10", b"\x30")))
    except MalformedPacket:
        return


def test_pubacks_follow_the_messages_that_wait_before_them() -> None:
    outgoing = Outgoing(window=1)
    outgoing.publish("t", b"1")
    outgoing.publish("t", b"2")
    outgoing.acknowledge([7, 65_535])
    first = outgoing.take()
    (sent,) = PacketReader().feed(first)
    assert (sent.body, outgoing.take(), len(outgoing)) == (b"1", b"", 2)
    outgoing.acknowledged(sent.mid)
    second, *acknowledged = PacketReader().feed(outgoing.take())
    assert second.body == b"2"
    assert [one.packet_id for one in acknowledged] == [7, 65_535]
    assert not len(outgoing)


def test_a_packet_identifier_under_way_is_not_used_again() -> None:
    outgoing = Outgoing()
    outgoing.publish("t", b"kept")
    outgoing.take()
    seen = set()
    for _ in range(65_534):
        outgoing.publish("t", b"")
        (sent,) = PacketReader().feed(outgoing.take())
        outgoing.acknowledged(sent.mid)
        seen.add(sent.mid)
    assert len(seen) == 65_534
    assert 2 not in seen


def test_pubacks_are_the_codecs() -> None:
    assert pubacks([1, 513]) == b"".join(mqtt5.PubAckPacket(mid).write() for mid in (1, 513))
