"""Whatever bytes come, on whatever topic: read or quarantined, filed or quarantined, never a crash."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central_ingest.intake import Delivery, Readable, Unreadable, read
from central_ingest.receipts import receipt_of
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine
from central_ingest.store.filing import FilingRules
from contract import messages
from contract.messages import encode

EXAMPLES = [
    json.loads(path.read_text())
    for path in sorted((Path(messages.__file__).parent / "examples").glob("*.json"))
]
NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**66)
    | st.floats()
    | st.text()
    | st.sampled_from(["", "\x00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "raised"])
    | st.sampled_from(["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
LEAVES = st.sampled_from(["issue", "status", "health", "result", "receipt", "command", "ufo"])
TOPICS = st.builds(
    "gridwatch/1/{}/{}/{}".format, st.just("demo") | st.text(), st.just("gw-01"), LEAVES
)
PROPERTIES = st.dictionaries(
    st.sampled_from(["outbox-id", "seq", "replayed"]), st.text(), max_size=3
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A golden example with some of its values, at any depth, replaced, removed or added."""
    body: Any = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(0, 3))):
        inside = body
        while True:
            keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            key = draw(st.sampled_from(keys))
            if not isinstance(inside[key], dict | list) or not inside[key] or draw(st.booleans()):
                break
            inside = inside[key]
        if isinstance(inside, dict) and len(inside) > 1 and draw(st.booleans()):
            del inside[key]
        else:
            inside[key] = draw(ANYTHING)
    whole = json.dumps(body).encode("utf-8", "surrogatepass")
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


BODIES = st.binary(max_size=300) | mutated() | ANYTHING.map(lambda v: json.dumps(v).encode())


@given(TOPICS | st.text(), BODIES, PROPERTIES)
def test_reading_never_raises(topic: str, body: bytes, properties: dict[str, str]) -> None:
    found = read(Delivery(topic, body, properties), 1 << 18)
    assert isinstance(found, Readable | Unreadable)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(TOPICS, BODIES, PROPERTIES), min_size=1, max_size=4))
def test_filing_never_raises_and_receipts_can_be_sent(
    engine: Engine, told: list[tuple[str, bytes, dict[str, str]]]
) -> None:
    found = [read(Delivery(topic, body, given), 1 << 18) for topic, body, given in told]
    filed = file_batch(engine, found, FilingRules(), NOW)
    for outbox, what in filed.told:
        assert encode(receipt_of(outbox, what, NOW))
