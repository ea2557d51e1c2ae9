"""What a PostgreSQL that is killed still holds, and whether it is known that it lost something."""

from collections.abc import Iterator

import pytest
from postgres import Postgres
from sqlalchemy import text

from central_ingest.errors import StoreUnavailable
from central_ingest.store.database import Engine, open_engine, reading, writing
from central_ingest.store.server_log import ServerLog


@pytest.fixture
def engine(lazy_server: Postgres) -> Iterator[Engine]:
    opened = open_engine(lazy_server.new_database())
    with writing(opened) as connection:
        connection.execute(text("CREATE TABLE made (x TEXT)"))
    yield opened
    opened.dispose()


def file(engine: Engine, row: str) -> None:
    with writing(engine, "a part", durable=False) as connection:
        connection.execute(text("INSERT INTO made VALUES (:row)"), {"row": row})


def rows(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [row[0] for row in connection.execute(text("SELECT x FROM made ORDER BY x"))]


def kill(server: Postgres) -> None:
    server.kill()
    server.start()


def test_what_was_flushed_survives_and_only_that_is_certain(
    lazy_server: Postgres, engine: Engine
) -> None:
    log = ServerLog(engine)
    flush = log.wait()
    file(engine, "flushed")
    flush()
    file(engine, "not flushed")
    assert rows(engine) == ["flushed", "not flushed"]
    kill(lazy_server)
    assert rows(engine) == ["flushed"]
    log.stop()


def test_whoever_writes_durably_brings_to_disk_what_came_before(
    lazy_server: Postgres, engine: Engine
) -> None:
    file(engine, "a report")
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO made VALUES ('by a person')"))
    kill(lazy_server)
    assert rows(engine) == ["a report", "by a person"]


def test_a_server_that_is_back_does_not_speak_for_what_it_lost(
    lazy_server: Postgres, engine: Engine
) -> None:
    log = ServerLog(engine)
    flush = log.wait()
    file(engine, "lost")
    kill(lazy_server)
    assert rows(engine) == []
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            flush()
    again = log.wait()
    file(engine, "kept")
    again()
    kill(lazy_server)
    assert rows(engine) == ["kept"]
    log.stop()


def test_a_session_that_another_process_answers_is_refused(engine: Engine) -> None:
    log = ServerLog(engine)
    flush = log.wait()
    assert log._session is not None
    log._session._process += 1
    with pytest.raises(StoreUnavailable, match="answers by another process"):
        flush()
    assert log.wait() != flush
    log.stop()


def test_a_server_that_is_away_is_said_and_tried_again(
    lazy_server: Postgres, engine: Engine
) -> None:
    log = ServerLog(engine)
    lazy_server.kill()
    with pytest.raises(StoreUnavailable):
        log.wait()
    lazy_server.start()
    log.wait()()
    log.stop()


def test_an_ordinary_role_may_do_so(lazy_server: Postgres, engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("CREATE ROLE plain LOGIN"))
    plain = open_engine(engine.url.set(username="plain").render_as_string(hide_password=False))
    log = ServerLog(plain)
    log.wait()()
    log.stop()
    plain.dispose()
