"""The log is brought over beside the filing: afterwards the file alone holds everything."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from central_ingest.store.checkpoints import Checkpoints
from central_ingest.store.database import open_engine


def wait_until(condition: Callable[[], bool], within_s: float = 20) -> None:
    ends_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_s
        threading.Event().wait(0.01)


def rows_without_log(path: Path, folder: Path) -> int:
    """What the database file holds by itself."""
    alone = folder / "alone.db"
    shutil.copy(path, alone)
    with closing(sqlite3.connect(alone)) as connection:
        return int(connection.execute("SELECT count(*) FROM made").fetchone()[0])


def test_what_was_filed_is_brought_over_and_the_rest_between_two_batches(tmp_path: Path) -> None:
    path = tmp_path / "centre.db"
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE made (x TEXT)")
    checkpoints = Checkpoints(engine, after_reports=10)
    checkpoints.start()
    for _ in range(10):
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("INSERT INTO made VALUES (?)", ("x" * 5000,))
        checkpoints.filed(1)
    wait_until(checkpoints._nearly.is_set)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("INSERT INTO made VALUES ('last')")
    checkpoints.filed(1)
    checkpoints.wait()
    assert rows_without_log(path, tmp_path) == 11
    checkpoints.stop()
    engine.dispose()


def test_on_postgresql_nothing_is_done() -> None:
    checkpoints = Checkpoints(open_engine("postgresql+psycopg://nobody@nowhere/none"), 1)
    checkpoints.start()
    checkpoints.filed(5)
    checkpoints.stop()
    assert not checkpoints._thread.is_alive()
