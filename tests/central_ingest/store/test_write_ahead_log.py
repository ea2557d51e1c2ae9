"""The log: on disk when told so, and brought over beside the filing."""

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from central_ingest.errors import StoreError
from central_ingest.store import write_ahead_log
from central_ingest.store.database import open_engine, taking_turn, writing
from central_ingest.store.write_ahead_log import WriteAheadLog


def rows_without_log(path: Path, folder: Path) -> int:
    """What the database file holds by itself."""
    alone = folder / "alone.db"
    shutil.copy(path, alone)
    with closing(sqlite3.connect(alone)) as connection:
        return int(connection.execute("SELECT count(*) FROM made").fetchone()[0])


def filing(path: Path, after_reports: int = 1000) -> tuple[WriteAheadLog, Callable[[str], None]]:
    """A log that was started, and what files one row."""
    engine = open_engine(f"sqlite:///{path}")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE made (x TEXT)")
    log = WriteAheadLog(engine, after_reports)
    log.start()

    def file(row: str) -> None:
        assert log.wait() == log.flush
        with writing(engine, durable=False) as connection:
            connection.exec_driver_sql("INSERT INTO made VALUES (?)", (row,))
        log.filed(1)

    return log, file


def test_what_was_filed_is_brought_over_and_the_rest_between_two_batches(tmp_path: Path) -> None:
    path = tmp_path / "centre.db"
    log, file = filing(path, after_reports=10)
    for _ in range(10):
        file("x" * 5000)
    assert log._passes is not None
    log._passes.result(20)
    file("last")
    log.wait()
    assert rows_without_log(path, tmp_path) == 11
    log.stop()


def test_filing_does_not_wait_for_a_pass_while_the_disk_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, file = filing(tmp_path / "centre.db", after_reports=1)
    clock, passes_s = [0.0], [5.0, 1.0, 1.0, 0.5, 0.01, 7.0]

    def slow_pass() -> bool:
        clock[0] += passes_s.pop(0)
        return False

    monkeypatch.setattr(write_ahead_log.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(log, "_bring_over", slow_pass)
    file("x")
    assert log._passes is not None
    log._passes.result(20)
    assert passes_s == [7.0]  # the quick one was the last
    log.stop()


def test_no_commit_brings_the_log_over_by_itself(tmp_path: Path) -> None:
    log, _ = filing(tmp_path / "centre.db")
    with writing(log._engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()
    assert pages == 0
    log.stop()


def test_no_pass_follows_one_that_left_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, file = filing(tmp_path / "centre.db", after_reports=1)
    passes, bring_over = [], log._bring_over
    monkeypatch.setattr(log, "_bring_over", lambda: passes.append(bring_over()) or passes[-1])
    monkeypatch.setattr(write_ahead_log, "_QUICK_S", 0.0)  # none is
    file("x")
    assert log._passes is not None
    log._passes.result(20)
    assert passes == [True]
    log.stop()


def test_the_last_pass_waits_for_who_writes(tmp_path: Path) -> None:
    log, file = filing(tmp_path / "centre.db", after_reports=1)
    file("x")
    assert log._passes is not None
    log._passes.result(20)
    with taking_turn(log._engine):
        log.filed(1)
        assert log._last is not None
        with pytest.raises(TimeoutError):
            log._last.result(0.05)
    log.wait()
    log.stop()


def test_it_can_be_stopped_at_every_moment(tmp_path: Path) -> None:
    for filed in range(8):
        log, file = filing(tmp_path / f"{filed}.db", after_reports=1)
        for _ in range(filed):
            file("x" * 100_000)
        stopping = threading.Thread(target=log.stop, daemon=True)
        stopping.start()
        stopping.join(20)
        assert not stopping.is_alive()


def test_what_an_earlier_worker_left_in_the_log_is_brought_over_at_the_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "centre.db"
    log, file = filing(path)
    file("left")
    assert rows_without_log(path, tmp_path) == 0
    again = WriteAheadLog(open_engine(f"sqlite:///{path}"))
    again.start()
    assert rows_without_log(path, tmp_path) == 1
    again.stop()
    log.stop()


def test_a_flush_waits_for_the_file_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "centre.db"
    log, file = filing(path)
    file("x")
    flushed: list[Path] = []
    monkeypatch.setattr(os, "fdatasync", lambda n: flushed.append(Path(f"/proc/self/fd/{n}")))
    log.flush()
    assert [one.resolve() for one in flushed] == [tmp_path / "centre.db-wal"]
    log.stop()


def test_a_disk_that_refuses_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log, file = filing(tmp_path / "centre.db")
    file("x")
    monkeypatch.setattr(os, "fdatasync", refuse)
    with pytest.raises(StoreError, match=r"centre\.db-wal cannot be written.*start the centre"):
        log.flush()
    log.stop()
