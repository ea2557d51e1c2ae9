"""The database: migrations match the tables, and transactions keep their word."""

import stat
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from postgres import Postgres
from sqlalchemy import select, text

from central_ingest.errors import RefusedToStart, StoreUnavailable
from central_ingest.store import database
from central_ingest.store import tables as t
from central_ingest.store.database import (
    Engine,
    check_version,
    migrate,
    open_engine,
    reading,
    writing,
)
from central_ingest.store.policy import read_setting, write_setting


def test_the_migrations_build_exactly_the_tables(engine: Engine) -> None:
    def of_this_database(_item: object, name: str, *_: object) -> bool:
        return engine.dialect.name == "postgresql" or name != "uq_report_issue_id_revision"

    with engine.connect() as connection:
        opts = {"include_object": of_this_database}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, t.metadata) == []


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        write_setting(connection, "kept", 1)
    migrate(engine)
    with reading(engine) as connection:
        assert read_setting(connection, "kept") == 1
    check_version(engine)


def test_tables_of_another_version_are_refused_with_the_command(tmp_path: Path) -> None:
    empty = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(RefusedToStart, match="run 'central-ingest migrate'"):
        check_version(empty)
    empty.dispose()


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_sqlite_is_set_up_to_survive_a_crash(engine: Engine, pragma: str, value: str | int) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("settings of SQLite")
    with reading(engine) as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_a_sqlite_file_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    made = open_engine(f"sqlite:///{file}")
    with reading(made):
        assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}
    made.dispose()


def test_another_process_that_leaves_takes_no_log_away(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    made = open_engine(f"sqlite:///{file}")
    migrate(made)
    with made.connect(), made.connect():
        look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM setting')"
        subprocess.run([sys.executable, "-c", look, file], check=True)
        assert file.with_name("new.db-wal").exists()
    made.dispose()


def test_only_who_says_so_does_not_wait_for_the_disk(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL always waits")
    found = []
    for durable in (True, False, True):
        with writing(engine, durable=durable) as connection:
            found.append(connection.execute(text("PRAGMA synchronous")).scalar_one())
    assert found == [2, 1, 2]


def test_each_connection_to_a_sqlite_file_gets_the_memory_that_was_asked_for(
    tmp_path: Path,
) -> None:
    opened = open_engine(f"sqlite:///{tmp_path / 'centre.db'}", cache_mb=64)
    with reading(opened) as connection:
        assert connection.execute(text("PRAGMA cache_size")).scalar_one() == -64 * 1024
    opened.dispose()


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    def fail_half_way() -> None:
        with writing(engine) as connection:
            write_setting(connection, "lost", 1)
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    with reading(engine) as connection:
        assert connection.execute(select(t.setting)).all() == []


def test_two_writers_take_turns_and_both_succeed(engine: Engine) -> None:
    def count_up() -> None:
        for _ in range(20):
            with writing(engine) as connection:
                held = read_setting(connection, "count") or 0
                write_setting(connection, "count", held + 1)

    threads = [threading.Thread(target=count_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert read_setting(connection, "count") == 40


@pytest.mark.parametrize("parts", [(), ("cover",), ("cover", "bin")])
def test_a_writer_that_fell_silent_holds_nobody_up(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]
) -> None:
    monkeypatch.setattr(database, "SILENT_MAX_S", 1)
    url = postgres.new_database()
    silent, waiting = open_engine(url), open_engine(url)

    def fall_silent() -> None:
        with writing(silent, *parts) as held:
            with writing(waiting, *parts) as connection:
                assert connection.execute(text("SELECT 1")).scalar_one() == 1
            held.execute(text("SELECT 1"))

    with pytest.raises(StoreUnavailable):
        fall_silent()
    with writing(silent, *parts) as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    silent.dispose()
    waiting.dispose()


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    nowhere = open_engine(f"sqlite:///{tmp_path / 'no' / 'folder' / 'centre.db'}")
    with pytest.raises(StoreUnavailable, match="cannot be used now"), reading(nowhere) as held:
        held.execute(text("select 1"))
    nowhere.dispose()


def test_a_database_whose_connections_are_all_taken_is_unavailable(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.pool, "_timeout", 0.01)
    with ExitStack() as taken:
        for _ in range(15):  # SQLAlchemy's own: five, and ten more
            taken.enter_context(reading(engine))
        with pytest.raises(StoreUnavailable, match="too busy"):
            taken.enter_context(reading(engine))
