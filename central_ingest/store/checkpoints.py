"""SQLite's write-ahead log, brought over into the database beside the filing instead of within it.

SQLite does that work inside a commit, which then takes half a second where thousands of scattered
pages wait. Here a thread with a connection of its own copies them while filing goes on, pass after
pass, each with less to do; the few that are left are copied between two batches, for the log can
only begin anew when all of it was brought over. On PostgreSQL nothing of this is needed, and
nothing is done.
"""

import contextlib
import sqlite3
import threading

from sqlalchemy.pool import PoolProxiedConnection

from central_ingest.store.database import Engine

# A report changes about three pages: at 20,000 reports the log holds some 250 MB. Sooner, pages
# that change again and again are copied as often, and filing waits for the disk between batches.
AFTER_REPORTS = 20_000
_PASSES = 3


class Checkpoints:
    """Counts what was filed, and has the log brought over when that is much."""

    def __init__(self, engine: Engine, after_reports: int = AFTER_REPORTS) -> None:
        self._engine = engine
        self._after_reports = after_reports
        self._filed = 0
        self._wanted, self._nearly, self._last, self._ended, self._resting = (
            threading.Event() for _ in range(5)
        )
        self._resting.set()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        # Of its own: filing keeps the connection whose memory holds what it read last.
        self._own: PoolProxiedConnection | None = None

    def start(self) -> None:
        """Begin to follow what is filed."""
        if self._engine.dialect.name == "sqlite":
            self._own = self._engine.raw_connection()
            self._thread.start()

    def stop(self) -> None:
        """End after the pass under way."""
        self._ended.set()
        self._wanted.set()
        self._last.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._own is not None:
            self._own.close()
            self._own = None

    def filed(self, reports: int) -> None:
        """Right after a commit: count these, and let the thread finish what it has nearly done."""
        self._filed += reports
        if self._nearly.is_set():
            self._nearly.clear()
            self._resting.clear()
            self._last.set()
        elif self._filed >= self._after_reports and not self._wanted.is_set():
            self._filed = 0
            self._wanted.set()

    def wait(self) -> None:
        """Before the next transaction: let the last pass end."""
        self._resting.wait()

    def _run(self) -> None:
        while self._wanted.wait() and not self._ended.is_set():
            for _ in range(_PASSES):
                self._bring_over()
            self._nearly.set()
            self._last.wait()
            self._last.clear()
            try:
                self._bring_over()
            finally:  # whatever happens here, filing goes on
                self._wanted.clear()
                self._resting.set()

    def _bring_over(self) -> None:
        """Copy what is there now.

        What cannot be copied, since somebody still reads an older state or the disk is full, is no
        harm: it stays in the log until the next time.
        """
        if self._own is None:
            return
        with contextlib.suppress(sqlite3.Error):
            self._own.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
