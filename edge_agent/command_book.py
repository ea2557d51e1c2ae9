"""What the centre asked for and what was answered, in tables of their own in the agent's SQLite.

Guarantees: a suppression and its answer commit together, through to the disk; a command that comes
again is answered from here and not carried out twice. Both are bounded: answers are kept for
ANSWER_KEPT, suppressions until they expire or are revoked.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from contract.catalogue import Category
from contract.messages import CommandResult, encode
from edge_agent.errors import StoreError
from edge_agent.suppressions import Suppression

ANSWER_KEPT = timedelta(days=7)
BUSY_S = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS suppression (
  suppression_id TEXT PRIMARY KEY, camera_id TEXT NOT NULL, category TEXT NOT NULL,
  box_xyxyn TEXT NOT NULL, radius_m REAL NOT NULL, until TEXT NOT NULL,
  preset_id TEXT) STRICT;
CREATE TABLE IF NOT EXISTS answer (
  command_id TEXT PRIMARY KEY, body BLOB NOT NULL, done_at TEXT NOT NULL,
  sent INTEGER NOT NULL DEFAULT 0) STRICT;
"""


class CommandBook:
    """Suppressions and answers; every method may be called anywhere, and raises StoreError."""

    def __init__(self, folder: Path) -> None:
        """Open or create the tables in the agent's database. Raises StoreError."""
        self._lock = threading.RLock()
        self._path = folder / "agent.db"
        with self._translated():
            folder.mkdir(parents=True, exist_ok=True)
            self._conn = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                self._conn.execute(f"PRAGMA {pragma}")
            self._conn.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._conn.close()

    # -- suppressions

    def suppress(self, one: Suppression, answer: CommandResult) -> None:
        """Keep a suppression together with its answer."""
        values = (
            str(one.suppression_id), one.camera_id, one.category, json.dumps(one.box_xyxyn),
            one.radius_m, _utc(one.until), one.preset_id,
        )  # fmt: skip
        with self._transaction():
            self._conn.execute("INSERT OR REPLACE INTO suppression VALUES (?,?,?,?,?,?,?)", values)
            self._keep(answer)

    def revoke(self, suppression_id: UUID, answer: CommandResult) -> None:
        """Drop a suppression together with keeping the answer."""
        with self._transaction():
            self._conn.execute(
                "DELETE FROM suppression WHERE suppression_id = ?", (str(suppression_id),)
            )
            self._keep(answer)

    def suppressions(self, now: datetime) -> tuple[Suppression, ...]:
        """Return those that hold, the one that ends first in front; what is over is dropped."""
        with self._lock, self._translated():
            held = _held(self._conn)
        holding = tuple(one for one in held if one.holds(now))
        if len(holding) < len(held):
            with self._transaction():
                self._conn.execute("DELETE FROM suppression WHERE until <= ?", (_utc(now),))
        return holding

    # -- answers

    def answer(self, result: CommandResult) -> None:
        """Keep an answer until it is sent, and for repeats after that."""
        with self._transaction():
            self._keep(result)

    def is_answered(self, command_id: UUID) -> bool:
        """Say whether a command was answered before; if so, the answer is sent again."""
        with self._transaction():
            done = self._conn.execute(
                "UPDATE answer SET sent = 0 WHERE command_id = ?", (str(command_id),)
            )
            return done.rowcount > 0

    def take_unsent(self, limit: int) -> list[bytes]:
        """Return answers to send, oldest first, and take them for sent.

        One that is lost on the way is asked for again by the centre, which repeats its command.
        """
        with self._lock, self._translated():
            rows = self._conn.execute(
                "SELECT command_id, body FROM answer WHERE sent = 0 ORDER BY done_at LIMIT ?",
                (limit,),
            ).fetchall()
        if rows:
            with self._transaction():
                self._conn.executemany(
                    "UPDATE answer SET sent = 1 WHERE command_id = ?", [(row[0],) for row in rows]
                )
        return [row[1] for row in rows]

    # -- inside

    def _keep(self, answer: CommandResult) -> None:
        oldest = _utc(answer.done_at - ANSWER_KEPT)
        self._conn.execute("DELETE FROM answer WHERE sent = 1 AND done_at < ?", (oldest,))
        self._conn.execute(
            "INSERT OR REPLACE INTO answer (command_id, body, done_at) VALUES (?,?,?)",
            (str(answer.command_id), encode(answer), _utc(answer.done_at)),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._translated():
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._conn.execute("COMMIT")
            finally:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._path}: commands cannot be read or written ({error}); "
                "check free disk space and permissions"
            ) from None


def read_suppressions(folder: Path, now: datetime) -> tuple[Suppression, ...]:
    """Read what holds beside a running agent, without changing anything. Raises StoreError."""
    path = folder / "agent.db"
    try:
        conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_S)
        try:
            return tuple(one for one in _held(conn) if one.holds(now))
        finally:
            conn.close()
    except sqlite3.Error as error:
        raise StoreError(
            f"{path}: suppressions cannot be read ({error}); an agent makes this file when it "
            "runs for the first time"
        ) from None


def _held(conn: sqlite3.Connection) -> tuple[Suppression, ...]:
    rows = conn.execute(
        "SELECT suppression_id, camera_id, category, box_xyxyn, radius_m, until, preset_id"
        " FROM suppression ORDER BY until, suppression_id"
    ).fetchall()
    return tuple(
        Suppression(
            UUID(suppression_id), camera_id, Category(category), tuple(json.loads(box)),
            radius_m, datetime.fromisoformat(until), preset_id,
        )
        for suppression_id, camera_id, category, box, radius_m, until, preset_id in rows
    )  # fmt: skip


def _utc(at: datetime) -> str:
    """Write a time so that text sorts as time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
