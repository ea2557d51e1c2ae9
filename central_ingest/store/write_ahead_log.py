"""SQLite's write-ahead log: to disk, and over into the database, beside the filing.

A disk that is busy may take a second for what takes a hundredth otherwise. So filing does not wait
for it: a transaction that is not `durable` is in the log when it has committed, and on disk when
`flush` returns, which another thread calls while the next batch is filed.

What is in the log SQLite brings over within a commit, which then takes half a second where
thousands of scattered pages wait. Here a thread with a connection of its own copies them while
filing goes on, pass after pass, each with less to do; the few that are left are copied between two
batches, for the log can only begin anew when all of it was brought over.

When all was brought over, no pass follows that a commit could meet: a commit then begins the log
anew, and SQLite before 3.51.3 may take what it writes there for brought over, too, where a pass is
just beginning (https://sqlite.org/wal.html#walresetbug). What is lost so, no disk gives back.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import event
from sqlalchemy.pool import PoolProxiedConnection

from central_ingest.errors import StoreError, StoreUnavailable
from central_ingest.store.database import Engine, taking_turn

# A report changes about three pages: at 20,000 reports the log holds some 250 MB. Sooner, pages
# that change again and again are copied as often, and filing waits for the disk between batches.
AFTER_REPORTS = 20_000
# The last pass, for which filing waits, follows one that was quick: not while the disk pauses.
_QUICK_S = 0.1
_PASSES_MAX = 8


class WriteAheadLog:
    """Counts what was filed, and has the log brought over when that is much."""

    def __init__(self, engine: Engine, after_reports: int = AFTER_REPORTS) -> None:
        self._engine = engine
        self._after_reports = after_reports
        self._filed = 0
        self._beside = ThreadPoolExecutor(1, "write-ahead log")
        self._passes: Future[None] | None = None
        self._last: Future[None] | None = None
        # Of its own: filing keeps the connection whose memory holds what it read last. While it is
        # open, SQLite goes on with the same file.
        self._own: PoolProxiedConnection | None = None
        self._file: int | None = None

    def start(self) -> None:
        """Begin to follow what is filed. Raises StoreError where the log cannot be opened.

        All of the log is brought over first: what the disk refused once, to a worker before this
        one, the system does not write again.
        """
        # A commit would bring over what became much by itself, and wait for the disk.
        event.listen(self._engine, "connect", _leave_alone)
        self._engine.dispose()
        self._own = self._engine.raw_connection()
        self._bring_over("FULL")
        path = f"{self._engine.url.database}-wal"
        try:
            # Opened once: what the disk refuses to anybody's writes from now on is told here.
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError(f"{path} cannot be opened: {error.strerror}") from error

    def stop(self) -> None:
        """End after what was begun."""
        self._beside.shutdown()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._own is not None:
            self._own.close()
            self._own = None

    def flush(self) -> None:
        """Wait until everything that was committed is on disk. Any thread may.

        Raises StoreError when the disk refuses; what was committed may be lost with the machine
        then, and nobody may be told that it is held.
        """
        if self._file is None:
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            path = f"{self._engine.url.database}-wal"
            raise StoreError(
                f"{path} cannot be written to disk: {error.strerror}; what was not receipted "
                "comes again. Look after the disk, then start the centre again"
            ) from error

    def filed(self, reports: int) -> None:
        """Right after a commit: count these, and begin the last pass where the others are done."""
        self._filed += reports
        if self._own is None:
            return
        if self._passes is not None and self._passes.done():
            self._passes = None
            self._last = self._beside.submit(self._bring_rest)
        elif self._passes is None and self._filed >= self._after_reports:
            self._filed = 0
            self._passes = self._beside.submit(self._bring_most)

    def wait(self) -> Callable[[], None]:
        """Before the next transaction: let the last pass end. Returns `flush`."""
        if self._last is not None:
            self._last.result()
            self._last = None
        return self.flush

    def _bring_most(self) -> None:
        for _ in range(_PASSES_MAX):
            began_s = time.monotonic()
            if self._bring_over() or time.monotonic() - began_s < _QUICK_S:
                return

    def _bring_rest(self) -> None:
        """The last pass, while nobody writes, in whatever process."""
        with contextlib.suppress(StoreUnavailable), taking_turn(self._engine):
            self._bring_over()

    def _bring_over(self, how: str = "PASSIVE") -> bool:
        """Copy what is there now; says whether nothing was left.

        What cannot be copied, since somebody still reads an older state or the disk is full, is no
        harm: it stays in the log until the next time.
        """
        if self._own is not None:
            with contextlib.suppress(sqlite3.Error):
                query = f"PRAGMA wal_checkpoint({how})"
                ((busy, pages, brought),) = self._own.cursor().execute(query).fetchall()
                return not busy and pages == brought
        return False


def _leave_alone(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA wal_autocheckpoint=0")
