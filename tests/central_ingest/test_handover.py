"""What crosses from the process that reads to the one that files arrives as it was."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest.handover import (
    Acknowledge,
    Asked,
    Forget,
    Next,
    Ready,
    Send,
    State,
    decode_asked,
    decode_batch,
    decode_told,
    encode,
    encode_batch,
    pack,
)
from central_ingest.intake import Delivery, Readable, Unreadable, read
from contract import messages

EXAMPLES = Path(messages.__file__).parent / "examples"
LIMIT = 1 << 18
TOPIC = "gridwatch/1/demo/gw-01/"
BODIES = [
    (f"{TOPIC}{path.name.split('-')[0].replace('canary', 'issue')}", path.read_bytes())
    for path in sorted(EXAMPLES.glob("*.json"))
]
RAISED: dict[str, Any] = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text())
BARE = {"position": None, "cells": [], "component": None, "evidence": []}


def crossed(*deliveries: Delivery) -> list[Readable | Unreadable]:
    packed = [pack(one, LIMIT) for one in deliveries]
    data = encode_batch(7, 2, packed)
    batch = decode_batch(memoryview(data), LIMIT)
    assert (batch.number, batch.passed_over) == (7, 2)
    return batch.messages


def known(one: Readable | Unreadable) -> tuple[Any, ...]:
    """All of it, with user properties as a dict: they travel as one."""
    told = one.delivery.topic, one.delivery.body, dict(one.delivery.properties)
    if isinstance(one, Readable):
        # A report that was read leaves its properties behind: they are only asked for what was not.
        return (*told[:2], one.address, one.message, one.sha256)
    return (*told, one.reason, one.address, one.place)


@pytest.mark.parametrize(("topic", "body"), BODIES)
@pytest.mark.parametrize("properties", [{}, {"seq": "4", "outbox-id": str(RAISED["outbox_id"])}])
def test_every_golden_example_arrives_as_it_is_read(
    topic: str, body: bytes, properties: dict[str, str]
) -> None:
    delivery = Delivery(topic, body, properties)
    assert [known(one) for one in crossed(delivery)] == [known(read(delivery, LIMIT))]


@pytest.mark.parametrize("without", BARE)
def test_a_report_without_a_part_arrives_as_it_is_read(without: str) -> None:
    body = json.dumps(RAISED | {without: BARE[without]}).encode()
    delivery = Delivery(f"{TOPIC}issue", body)
    assert [known(one) for one in crossed(delivery)] == [known(read(delivery, LIMIT))]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from([f"{TOPIC}issue", f"{TOPIC}status", "x/y"]), st.text()),
            st.one_of(st.binary(), st.sampled_from([body for _, body in BODIES])),
            st.dictionaries(st.text(), st.text(), max_size=2),
        ),
        max_size=4,
    )
)
def test_whatever_is_delivered_arrives_in_its_order(
    told: list[tuple[str, bytes, dict[str, str]]],
) -> None:
    deliveries = [Delivery(*one) for one in told]
    alone = [known(read(one, LIMIT)) for one in deliveries]
    assert [known(one) for one in crossed(*deliveries)] == alone


@pytest.mark.parametrize("told", [Ready(5), State(connected=True, detail="已连接")])
def test_what_the_reader_tells_arrives(told: Ready | State) -> None:
    assert decode_told(encode(told)) == told


@pytest.mark.parametrize(
    "asked", [Next(), Acknowledge((1, 2)), Forget((3,)), Send((("a/b", b"\x00"),))]
)
def test_what_the_reader_is_asked_arrives(asked: Asked) -> None:
    assert decode_asked(encode(asked)) == asked
