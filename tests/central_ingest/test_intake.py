"""Bytes to values: what is read, what is not, and what can still be receipted."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest.intake import Delivery, OutboxSeq, Readable, Unreadable, read
from central_ingest.reports import Report
from contract import messages

EXAMPLES = Path(messages.__file__).parent / "examples"
NOW = datetime(2026, 7, 1, tzinfo=UTC)
OUTBOX = "01980000-0000-7000-8000-00000000beef"
LIMIT = 1 << 18
GOLDEN = sorted(
    path
    for path in EXAMPLES.glob("*.json")
    if path.name.split("-")[0] not in {"receipt", "command"}
)


def deliver(
    body: bytes | dict[str, Any],
    leaf: str = "issue",
    agent: str = "gw-01",
    properties: dict[str, str] | None = None,
) -> Readable | Unreadable:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read(Delivery(f"gridwatch/1/demo/{agent}/{leaf}", raw, properties or {}), LIMIT)


def raised(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text())
    return body | changes


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_example_is_read(path: Path) -> None:
    leaf = path.stem.split("-")[0].replace("canary", "issue")  # it takes the way of reports
    assert isinstance(deliver(path.read_bytes(), leaf), Readable)


def test_an_unknown_field_is_kept() -> None:
    found = deliver(raised(colour="red"))
    assert isinstance(found, Readable)
    assert json.loads(found.delivery.body)["colour"] == "red"


def test_a_later_minor_version_is_read_as_the_known_one() -> None:
    found = deliver(raised(schema="issue/1.7", new_in_1_7={"a": 1}))
    assert isinstance(found, Readable)
    assert isinstance(found.message, Report)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[1, 2]", "JSON list"),
        (b"[" * 100_000, "no JSON"),
        (b"null", "JSON NoneType"),
        (raised(schema="issue/2.0"), "schema: "),
        (raised(category="ufo"), "found 'ufo'"),
        (raised(family="bin"), "category street_vendor is not of family bin"),
        (raised(box_xyxyn=[0.5, 0.5, 0.4, 0.6]), "is empty"),
        (raised(score=float("nan")), "score"),
        (raised(seq=0), "seq"),
        (raised(issue_id="7"), "issue_id"),
        (raised(first_seen_at="2026-07-01T08:30:00"), "without zone"),
        (raised(first_seen_at="9999-12-31T23:59:59-10:00"), "years 1970 to 2199"),
        (raised(first_seen_at="0001-01-01T00:00:00+10:00"), "years 1970 to 2199"),
        (raised(last_seen_at="9999-12-31T23:59:59.000Z"), "years 1970 to 2199"),
        (raised(first_seen_at="1970-01-01T00:00:00+10:00"), "years 1970 to 2199"),
        (raised(component={"id": "a\0b", "standard": "x", "distance_m": 1}), "NUL"),
        (raised(agent_id="gw-02"), "the topic is of agent gw-01, the payload says gw-02"),
        (raised(city="other"), "the topic is of city demo, the payload says other"),
        (raised(padding="x" * LIMIT), "at most 262144 are taken"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_reason(
    body: bytes | dict[str, Any], reason: str
) -> None:
    found = deliver(body)
    assert isinstance(found, Unreadable)
    assert reason in found.reason
    assert len(found.reason) <= 500


@pytest.mark.parametrize("field", ["dropped_frames", "reconnects"])
def test_a_count_that_no_database_holds_is_not_read(field: str) -> None:
    health = json.loads((EXAMPLES / "health-1.0.json").read_text())
    found = deliver(health | {field: 2**63}, "health")
    assert isinstance(found, Unreadable)
    assert field in found.reason


def test_a_text_that_only_speaks_of_nul_is_read() -> None:
    health = json.loads((EXAMPLES / "health-1.0.json").read_text())
    assert isinstance(deliver(health | {"detail": "a \\u0000 in a log"}, "health"), Readable)


def test_a_reason_does_not_repeat_a_long_value() -> None:
    found = deliver(raised(category="x" * 10_000))
    assert isinstance(found, Unreadable)
    assert "x" * 100 not in found.reason


def test_the_agent_of_the_topic_is_told_although_the_payload_names_another() -> None:
    found = deliver(raised(), agent="gw-02")
    assert isinstance(found, Unreadable)
    assert found.address is not None
    assert found.address.agent_id == "gw-02"


def test_outbox_and_seq_come_from_the_properties_when_the_body_is_unreadable() -> None:
    found = deliver(b"\x00", properties={"outbox-id": OUTBOX, "seq": "17"})
    assert isinstance(found, Unreadable)
    assert found.place == OutboxSeq(UUID(OUTBOX), 17)


def test_outbox_and_seq_come_from_the_body_when_there_are_no_properties() -> None:
    found = deliver(raised(category="ufo", seq=18))
    assert isinstance(found, Unreadable)
    assert found.place == OutboxSeq(UUID(OUTBOX), 18)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"outbox-id": OUTBOX},
        {"outbox-id": OUTBOX, "seq": "0"},
        {"outbox-id": OUTBOX, "seq": str(2**63)},
        {"outbox-id": OUTBOX, "seq": "one"},
        {"outbox-id": "nobody", "seq": "1"},
    ],
)
def test_without_outbox_and_seq_there_is_no_receipt(properties: dict[str, str]) -> None:
    found = deliver(b"\x00", properties=properties)
    assert isinstance(found, Unreadable)
    assert found.place is None


@pytest.mark.parametrize("topic", ["", "other/topic", "gridwatch/2/demo/gw-01/issue"])
def test_a_topic_that_is_not_ours_is_not_read(topic: str) -> None:
    found = read(Delivery(topic, b"{}"), LIMIT)
    assert isinstance(found, Unreadable)
    assert found.address is None


def test_what_the_centre_writes_itself_is_not_read() -> None:
    found = deliver((EXAMPLES / "receipt-1.0.json").read_bytes(), "receipt")
    assert isinstance(found, Unreadable)
    assert "written by the centre" in found.reason


@given(st.binary(max_size=200), st.sampled_from(["issue", "status", "health", "result", "x"]))
def test_no_bytes_make_it_raise(body: bytes, leaf: str) -> None:
    assert isinstance(deliver(body, leaf), Unreadable)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(raised())), JSON)
def test_no_wrong_field_makes_it_raise(field: str, value: Any) -> None:
    assert isinstance(deliver(raised(**{field: value})), Readable | Unreadable)
