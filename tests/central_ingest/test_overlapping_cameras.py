"""What the demo's two overlapping cameras really reported: one case a problem, in any order.

`recorded/` holds the reports of `edge-agent replay` on the demo's clips, made with
`edge-agent replay camera_configs/demo/demo-east.mp4 --camera camera_configs/demo/demo-east.yaml
--reports recorded/demo-east.jsonl --start 2026-07-01T00:00:00Z --runtime onnxruntime`, and the same
for demo-west. Here each camera is of an agent of its own.
"""

import json
import random
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from central_ingest.intake import Delivery, Readable, Unreadable, read
from central_ingest.store import tables as t
from central_ingest.store.batches import file_batch
from central_ingest.store.database import open_engine, reading
from central_ingest.store.filing import FilingRules
from contract.messages import format_utc

RECORDED = Path(__file__).parent / "recorded"
NOW = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
TIMES = ("first_seen_at", "last_seen_at", "captured_at")
AGENTS = {"demo-east": "gw-east", "demo-west": "gw-west"}
METRE_DEG = 1 / 111_195
Body = dict[str, Any]


def recorded(camera: str, clock_s: float = 0.0) -> list[Body]:
    """A camera's reports, by an agent of its own whose clock is off by so many seconds."""
    bodies = []
    for line in (RECORDED / f"{camera}.jsonl").read_text().splitlines():
        body = json.loads(line)
        body.pop("clip_s")
        body |= {"agent_id": AGENTS[camera], "evidence": []}
        for name in TIMES:
            moved = datetime.fromisoformat(body[name]) + timedelta(seconds=clock_s)
            body[name] = format_utc(moved)
        bodies.append(body)
    return bodies


def as_message(body: Body) -> Readable | Unreadable:
    topic = f"gridwatch/1/{body['city']}/{body['agent_id']}/issue"
    return read(Delivery(topic, json.dumps(body).encode()), 1 << 18)


def cases_of(
    folder: Path, migrated: Path, batches: Iterable[Sequence[Body]]
) -> set[frozenset[UUID]]:
    """Which issues are one case after these batches."""
    path = folder / "centre.db"
    path.unlink(missing_ok=True)
    shutil.copy(migrated, path)
    engine = open_engine(f"sqlite:///{path}")
    for batch in batches:
        done = file_batch(engine, [as_message(body) for body in batch], FilingRules(), NOW)
        assert not any(outcome == "quarantined" for _, outcome in done.outcomes)
    held: dict[int, set[UUID]] = {}
    with reading(engine) as connection:
        for row in connection.execute(select(t.sighting.c.case_id, t.sighting.c.issue_id)):
            held.setdefault(row.case_id, set()).add(row.issue_id)
    engine.dispose()
    return {frozenset(issues) for issues in held.values()}


def problems(bodies: Iterable[Body]) -> set[frozenset[UUID]]:
    """The truth of the demo: all vendors are the one cart, all bins the one bin."""
    held: dict[str, set[UUID]] = {}
    for body in bodies:
        held.setdefault(body["family"], set()).add(UUID(body["issue_id"]))
    return {frozenset(issues) for issues in held.values()}


def cut(bodies: Sequence[Body], seed: int) -> list[Sequence[Body]]:
    """In batches of one to five, as the broker hands them over."""
    chance, at, batches = random.Random(seed), 0, []
    while at < len(bodies):
        size = chance.randrange(1, 6)
        batches.append(bodies[at : at + size])
        at += size
    return batches


def test_both_cameras_saw_the_cart() -> None:
    east, west = recorded("demo-east"), recorded("demo-west")
    for bodies in (east, west):
        assert "vendor" in {body["family"] for body in bodies}
    assert "bin" in {body["family"] for body in east}


@pytest.mark.parametrize("clock_s", [0.0, 5.0, -5.0])
@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_in_any_order_they_are_one_case_a_problem(
    data: st.DataObject, clock_s: float, tmp_path: Path, migrated: Path
) -> None:
    bodies = [*recorded("demo-east"), *recorded("demo-west", clock_s)]
    order = data.draw(st.permutations(bodies))
    batches = cut(order, data.draw(st.integers(0, 99)))
    assert cases_of(tmp_path, migrated, batches) == problems(bodies)


def row_of_stalls(bodies: Sequence[Body], count: int, apart_m: float) -> list[Body]:
    """What the cameras would say of so many carts in a row, as each is really placed by them."""
    made = []
    for number in range(count):
        for body in bodies:
            if body["family"] == "vendor" and body["position"] is not None:
                moved = json.loads(json.dumps(body))
                moved["issue_id"] = str(UUID(int=UUID(body["issue_id"]).int ^ (number << 8)))
                moved["position"]["lat"] += number * apart_m * METRE_DEG
                made.append(moved)
    return made


@pytest.mark.parametrize("seed", range(12))
def test_a_row_of_stalls_three_metres_apart_stays_a_row_of_cases(
    seed: int, tmp_path: Path, migrated: Path
) -> None:
    seen = [*recorded("demo-east"), *recorded("demo-west", 5.0)]
    bodies = row_of_stalls(seen, 6, 3.0)
    random.Random(seed).shuffle(bodies)
    found = cases_of(tmp_path, migrated, cut(bodies, seed))
    stall_of = {
        UUID(int=UUID(body["issue_id"]).int ^ (number << 8)): number
        for number in range(6)
        for body in seen
        if body["family"] == "vendor"
    }
    assert [sorted({stall_of[issue] for issue in case}) for case in found if len(
        {stall_of[issue] for issue in case}) > 1] == []  # fmt: skip
    assert len(found) == 6
