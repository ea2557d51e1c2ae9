"""SQLite's write-ahead log, brought over into the database beside the filing instead of within it.

SQLite does that work inside a commit, which then takes half a second where thousands of scattered
pages wait. Here a thread with a connection of its own copies them while filing goes on, pass after
pass, each with less to do; the few that are left are copied between two batches, for the log can
only begin anew when all of it was brought over. On PostgreSQL nothing of this is needed, and
nothing is done.
"""

import contextlib
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor

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
        self._beside = ThreadPoolExecutor(1, "checkpoints")
        self._passes: Future[None] | None = None
        self._last: Future[None] | None = None
        # Of its own: filing keeps the connection whose memory holds what it read last.
        self._own: PoolProxiedConnection | None = None

    def start(self) -> None:
        """Begin to follow what is filed."""
        if self._engine.dialect.name == "sqlite":
            self._own = self._engine.raw_connection()

    def stop(self) -> None:
        """End after what was begun."""
        self._beside.shutdown()
        if self._own is not None:
            self._own.close()
            self._own = None

    def filed(self, reports: int) -> None:
        """Right after a commit: count these, and begin the last pass where the others are done."""
        self._filed += reports
        if self._own is None:
            return
        if self._passes is not None and self._passes.done():
            self._passes = None
            self._last = self._beside.submit(self._bring_over)
        elif self._passes is None and self._filed >= self._after_reports:
            self._filed = 0
            self._passes = self._beside.submit(self._bring_over, _PASSES)

    def wait(self) -> None:
        """Before the next transaction: let the last pass end."""
        if self._last is not None:
            self._last.result()
            self._last = None

    def _bring_over(self, times: int = 1) -> None:
        """Copy what is there now.

        What cannot be copied, since somebody still reads an older state or the disk is full, is no
        harm: it stays in the log until the next time.
        """
        if self._own is None:
            return
        for _ in range(times):
            with contextlib.suppress(sqlite3.Error):
                self._own.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
