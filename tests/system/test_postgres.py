"""The tests' own PostgreSQL: each test gets an empty database, and a kill is survived."""

import pytest
from postgres import Postgres, PostgresMissing, cluster
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

pytestmark = pytest.mark.system


def test_every_test_gets_an_empty_database(postgres: Postgres) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    assert first != second
    with create_engine(first, poolclass=NullPool).connect() as connection:
        assert (
            connection.execute(
                text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            ).scalar()
            == 0
        )


def test_what_was_committed_survives_a_kill() -> None:
    try:
        with cluster() as server:
            engine = create_engine(server.new_database(), pool_pre_ping=True)
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE held AS SELECT 7 AS number"))
            server.kill()
            server.start()
            with engine.connect() as connection:
                assert connection.execute(text("SELECT number FROM held")).scalar() == 7
            engine.dispose()
    except PostgresMissing as error:
        pytest.skip(str(error))
