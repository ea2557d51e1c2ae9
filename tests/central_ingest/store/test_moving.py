"""Moving a database: everything arrives, counting goes on, nothing is mixed, both ways."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, create_engine, insert, select

from central_ingest.errors import RefusedToStart
from central_ingest.store import tables as t
from central_ingest.store.access import Actor, Role, put_user
from central_ingest.store.arranging import Arranging
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, migrate, open_engine, reading, writing
from central_ingest.store.filing import FilingRules
from central_ingest.store.moving import copy_database
from central_ingest.store.policy import Policy, read_policy, write_policy

NOW = datetime(2026, 7, 1, 8, 30, 10, 123456, tzinfo=UTC)
RULES = FilingRules()


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind."""
    url = f"sqlite:///{tmp_path / 'other.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    opened = open_engine(url)
    yield opened
    opened.dispose()


@pytest.fixture
def site(engine: Engine, message: Callable[..., Any]) -> Engine:
    """A site with cases, a merge, a quarantined message, a user."""
    bad = message(9, score=0.5, north_m=900)
    told = [message(n, camera_id=f"cam-{n}", north_m=40 * n) for n in (1, 2, 3)]
    file_batch(engine, [*told, bad, message(9, score=0.6, north_m=900)], RULES, NOW)
    with writing(engine) as connection:
        Arranging(connection, RULES, "li", "同一处", NOW).merge(1, 3)
        put_user(connection, Actor("li", Role.OFFICER), "correct horse", NOW)
    return engine


def rows(engine: Engine, table: Any) -> list[tuple[Any, ...]]:
    with reading(engine) as connection:
        return [
            tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))
        ]


def test_every_row_of_every_table_arrives_as_it_was(site: Engine, target: Engine) -> None:
    counts = copy_database(site, target)
    assert (counts["case"], counts["report"], counts["quarantine"], counts["user"]) == (4, 4, 1, 1)
    for table in t.metadata.sorted_tables:
        assert rows(target, table) == rows(site, table), table.name


def test_after_the_move_the_ingest_counts_on(
    site: Engine, target: Engine, message: Callable[..., Any]
) -> None:
    copy_database(site, target)
    before = rows(target, t.case)
    file_batch(target, [message(5, camera_id="cam-5", north_m=500)], RULES, NOW)
    *same, (case_id, number, *_) = rows(target, t.case)
    assert same == before
    # What a worker on PostgreSQL took for itself and did not need is a gap.
    assert case_id > max(row[0] for row in before)
    assert number > max(row[1] for row in before)


def test_the_way_back_gives_the_same_rows(site: Engine, target: Engine, tmp_path: Path) -> None:
    copy_database(site, target)
    back = open_engine(f"sqlite:///{tmp_path / 'back.db'}")
    copy_database(target, back)
    for table in t.metadata.sorted_tables:
        assert rows(back, table) == rows(site, table), table.name
    back.dispose()


def test_a_database_that_holds_cases_is_not_mixed_with_another(
    site: Engine, target: Engine, message: Callable[..., Any]
) -> None:
    copy_database(site, target)
    with pytest.raises(RefusedToStart, match="an empty one is needed"):
        copy_database(site, target)


# All that a start does not fill by itself.
BROUGHT = [table for table in t.metadata.sorted_tables if table.name not in {"setting", "worker"}]
SOME: dict[type, object] = {
    bool: False,
    bytes: b"x",
    float: 1.0,
    int: 1,
    object: {},  # JSON
    str: "x",
    UUID: UUID(int=1),
}


def put_a_row(engine: Engine, table: Table) -> None:
    """One row in one table, what it refers to not being there."""
    unchecked = {"options": "-c session_replication_role=replica"}
    bare = create_engine(
        engine.url, connect_args=unchecked if engine.dialect.name == "postgresql" else {}
    )
    row = {
        c.name: NOW if isinstance(c.type, t.UtcDateTime) else SOME[c.type.python_type]
        for c in table.columns
        if not c.nullable
    }
    with bare.begin() as connection:
        connection.execute(insert(table).values(row))
    bare.dispose()


@pytest.mark.parametrize("table", BROUGHT, ids=lambda table: table.name)
def test_a_table_that_holds_anything_is_named_and_keeps_it(
    site: Engine, target: Engine, table: Table
) -> None:
    migrate(target)
    put_a_row(target, table)
    with pytest.raises(RefusedToStart, match=f"rows of '{table.name}' already.*--data"):
        copy_database(site, target)
    assert len(rows(target, table)) == 1


def test_a_database_that_was_only_started_is_filled(site: Engine, target: Engine) -> None:
    migrate(target)
    with writing(target) as connection:
        write_policy(connection, Policy(suppress_days=7))
    copy_database(site, target)
    with reading(target) as connection:
        assert read_policy(connection) == Policy()
