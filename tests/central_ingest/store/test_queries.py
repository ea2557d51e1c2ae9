"""Lists and decisions: keyset pages, plans that use indexes, and who did what."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from central_ingest.cases import OPEN_STATES, CaseState, Presence
from central_ingest.config import CaseSettings
from central_ingest.errors import IllegalStep, NotFound, ReasonMissing
from central_ingest.store import tables as t
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.policy import Policy, write_policy
from central_ingest.store.queries import (
    changes_since,
    count_by_state,
    decide,
    get_case,
    last_change_id,
    list_cases,
)
from contract.catalogue import Category

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)


@pytest.fixture
def put(engine: Engine) -> Callable[..., None]:
    def insert_cases(*states: str, **changes: Any) -> None:
        values = {
            "category": "street_vendor",
            "family": "vendor",
            "severity": "normal",
            "presence": "present",
            "presence_since": NOW,
            "cell_official": False,
            "opened_at": NOW,
            "first_seen_at": NOW,
            "last_seen_at": NOW,
            "sighting_count": 1,
            "cameras": ["cam-01"],
            "updated_at": NOW,
        } | changes
        with writing(engine) as connection:
            first = list_cases(connection, states=CaseState, limit=1)
            start = first[0].case_id if first else 0
            for number, state in enumerate(states, start=start + 1):
                row = values | {"number": f"N{number}", "state": state}
                connection.execute(insert(t.case).values(**row))

    return insert_cases


def ids(engine: Engine, **wanted: Any) -> list[int]:
    with reading(engine) as connection:
        return [case.case_id for case in list_cases(connection, **wanted)]


def test_open_cases_come_newest_first(engine: Engine, put: Callable[..., None]) -> None:
    put("pending", "closed", "filed", "rejected", "handling", "void")
    assert ids(engine) == [5, 3, 1]


def test_pages_follow_each_other_without_gap_or_repeat(
    engine: Engine, put: Callable[..., None]
) -> None:
    put(*["pending", "filed", "closed"] * 7)
    seen: list[int] = []
    while page := ids(engine, limit=4, after=seen[-1] if seen else None):
        seen += page
    assert seen == [n for n in range(21, 0, -1) if n % 3]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"category": Category.BIN_OVERFLOW}, [2]),
        ({"cell": "340302001001001"}, [3]),
        ({"presence": Presence.GONE}, [4]),
        ({"states": [CaseState.CLOSED]}, [5]),
        ({"states": []}, []),
        ({"limit": 2}, [4, 3]),
        ({"presence": Presence.GONE, "category": Category.BIN_OVERFLOW}, []),
    ],
)
def test_filters_choose(
    engine: Engine, put: Callable[..., None], wanted: dict[str, Any], found: list[int]
) -> None:
    put("pending")
    put("pending", category="bin_overflow", family="bin")
    put("pending", cell_code="340302001001001")
    put("pending", presence="gone")
    put("closed")
    assert ids(engine, **wanted) == found


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"after": 500},
        {"category": Category.BIN_OVERFLOW},
        {"cell": "340302001001001"},
        {"presence": Presence.GONE},
    ],
)
def test_a_list_walks_indexes_and_never_sorts_all_cases(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("reads the plans of SQLite")
    plans: list[str] = []
    with reading(engine) as connection:
        whole = connection.execute

        def explained(statement: Any, *rest: Any) -> Any:
            compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
            rows = whole(text(f"EXPLAIN QUERY PLAN {compiled}"))
            plans.extend(row.detail for row in rows)
            return whole(statement, *rest)

        monkeypatch.setattr(connection, "execute", explained)
        list_cases(connection, **wanted)
    assert not [plan for plan in plans if plan.startswith("SCAN case")]
    assert sum("SEARCH case USING" in plan for plan in plans) >= len(OPEN_STATES)


def test_a_decision_is_kept_with_who_when_and_why(engine: Engine, put: Callable[..., None]) -> None:
    put("pending")
    with writing(engine) as connection:
        decide(connection, 1, "reject", "li.wei", " 是固定摊位 a licensed stall ", NOW)
    with reading(engine) as connection:
        found = get_case(connection, 1)
    (made,) = found.decisions
    assert found.summary.state is CaseState.REJECTED
    assert (made.who, made.at, made.action) == ("li.wei", NOW, "reject")
    assert made.reason == "是固定摊位 a licensed stall"
    assert made.detail == "待核实 → 不予立案 pending → rejected"
    assert found.actions == ("restore",)


@pytest.mark.parametrize(
    ("category", "limit"),
    [
        ("street_vendor", timedelta(hours=2)),
        # 16:30 in the city: 1.5 work hours today, 2.5 tomorrow from 08:00 on.
        ("bin_overflow", timedelta(hours=18)),
    ],
)
def test_filing_starts_the_deadline_of_the_category(
    engine: Engine, put: Callable[..., None], category: str, limit: timedelta
) -> None:
    put("pending", category=category)
    now = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    settings = CaseSettings()
    with writing(engine) as connection:
        write_policy(connection, Policy(settings.deadlines, settings.calendar))
        filed = decide(connection, 1, "confirm", "li.wei", None, now)
    assert filed.state is CaseState.FILED
    assert filed.deadline_at == now + limit


@pytest.mark.parametrize(
    ("case_id", "action", "reason", "error"),
    [
        (1, "close", None, IllegalStep),
        (1, "reject", "", ReasonMissing),
        (99, "confirm", None, NotFound),
    ],
)
def test_a_refused_step_changes_nothing(
    engine: Engine,
    put: Callable[..., None],
    case_id: int,
    action: str,
    reason: str | None,
    error: type[Exception],
) -> None:
    put("pending")
    with pytest.raises(error), writing(engine) as connection:
        decide(connection, case_id, action, "li.wei", reason, NOW)
    with reading(engine) as connection:
        assert get_case(connection, 1).summary.state is CaseState.PENDING
        assert last_change_id(connection) == 0


def test_every_decision_is_a_change_that_others_can_follow(
    engine: Engine, put: Callable[..., None]
) -> None:
    put("pending", "pending")
    with writing(engine) as connection:
        decide(connection, 1, "confirm", "li", None, NOW)
        decide(connection, 2, "reject", "li", "no", NOW)
    with reading(engine) as connection:
        first, second = changes_since(connection, 0)
        assert changes_since(connection, first.change_id) == [second]
        assert (second.case_id, second.kind) == (2, "decided")
        assert last_change_id(connection) == second.change_id


def test_open_cases_are_counted_by_state(engine: Engine, put: Callable[..., None]) -> None:
    put("pending", "pending", "filed", "closed")
    with reading(engine) as connection:
        counts = count_by_state(connection)
    assert counts[CaseState.PENDING] == 2
    assert counts[CaseState.FILED] == 1
    assert CaseState.CLOSED not in counts
