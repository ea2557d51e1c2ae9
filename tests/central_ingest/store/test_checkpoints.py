"""The log is brought over beside the filing: afterwards the file alone holds everything."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from central_ingest.store.checkpoints import Checkpoints
from central_ingest.store.database import open_engine


def rows_without_log(path: Path, folder: Path) -> int:
    """What the database file holds by itself."""
    alone = folder / "alone.db"
    shutil.copy(path, alone)
    with closing(sqlite3.connect(alone)) as connection:
        return int(connection.execute("SELECT count(*) FROM made").fetchone()[0])


def filing(path: Path, after_reports: int) -> tuple[Checkpoints, Callable[[str], None]]:
    """Checkpoints that were started, and what files one row."""
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE made (x TEXT)")
    checkpoints = Checkpoints(engine, after_reports)
    checkpoints.start()

    def file(row: str) -> None:
        checkpoints.wait()
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("INSERT INTO made VALUES (?)", (row,))
        checkpoints.filed(1)

    return checkpoints, file


def test_what_was_filed_is_brought_over_and_the_rest_between_two_batches(tmp_path: Path) -> None:
    path = tmp_path / "centre.db"
    checkpoints, file = filing(path, after_reports=10)
    for _ in range(10):
        file("x" * 5000)
    assert checkpoints._passes is not None
    checkpoints._passes.result(20)
    file("last")
    checkpoints.wait()
    assert rows_without_log(path, tmp_path) == 11
    checkpoints.stop()


def test_they_can_be_stopped_at_every_moment(tmp_path: Path) -> None:
    for filed in range(8):
        checkpoints, file = filing(tmp_path / f"{filed}.db", after_reports=1)
        for _ in range(filed):
            file("x" * 100_000)
        stopping = threading.Thread(target=checkpoints.stop, daemon=True)
        stopping.start()
        stopping.join(20)
        assert not stopping.is_alive()


def test_on_postgresql_nothing_is_done() -> None:
    checkpoints = Checkpoints(open_engine("postgresql+psycopg://nobody@nowhere/none"), 1)
    checkpoints.start()
    checkpoints.filed(5)
    checkpoints.wait()
    checkpoints.stop()
    assert checkpoints._passes is None
