"""Moving a database: everything arrives, counting goes on, nothing is mixed, both ways."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from central_ingest.errors import RefusedToStart
from central_ingest.store import tables as t
from central_ingest.store.access import Actor, Role, put_user
from central_ingest.store.arranging import Arranging
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, open_engine, reading, writing
from central_ingest.store.filing import FilingRules
from central_ingest.store.moving import copy_database

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
