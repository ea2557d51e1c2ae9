"""The agent's one SQLite: issue state, outbox, evidence queue. The only SQL.

Numbered promises of docs/design that are kept here:
1. `commit` puts a camera's issue state and its reports into one transaction, through to the disk
   (WAL, synchronous=FULL), before anything is offered to the network.
2. A report leaves the disk only by `settle`, on the centre's receipt, or under promise 7.
6. Sequence numbers never repeat: the counter moves in the transaction that uses it.
7. At the quota, superseded `updated` reports go first, then clips, then stills, then reports;
   what was given up is counted.
A picture is written and synced before the row that names it; a file without a row is an orphan of
a crash and deleted at the next start.

Plain sqlite3 and not sqlite-utils, which commits by itself in places that differ between its
versions: the promises above need every transaction's bounds in this file.
"""

import fcntl
import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from contract.messages import Canary, EvidenceRef, IssueReport, Phase, Receipt, encode
from edge_agent.errors import StoreError
from edge_agent.ledger import Ledger
from edge_agent.spool import Spool

# At the quota so much of it is freed at once, not one report at a time.
HEADROOM = 0.05

RAISED_LANE, OTHERS_LANE = 0, 1
# A clip weighs ten stills and says little more.
GO_FIRST = "media_type NOT LIKE 'video/%', place"
SEQ_MAX = 2**63 - 1  # SQLite's largest number; a receipt may name larger ones

Draft = Callable[[UUID, int], IssueReport]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS camera (camera_id TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
  seq INTEGER PRIMARY KEY, issue_id TEXT NOT NULL, revision INTEGER NOT NULL, phase TEXT NOT NULL,
  lane INTEGER NOT NULL, body BLOB NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  sent INTEGER NOT NULL DEFAULT 0, due_s REAL NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS outbox_lane ON outbox (lane, seq);
CREATE INDEX IF NOT EXISTS outbox_issue ON outbox (issue_id, revision);
CREATE TABLE IF NOT EXISTS evidence (
  place INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, media_type TEXT NOT NULL,
  bytes INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A masked picture: what the report says of it, and its bytes."""

    ref: EvidenceRef
    data: bytes


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """A report to be offered; `tries` counts earlier offers."""

    seq: int
    body: bytes
    tries: int


@dataclass(frozen=True, slots=True)
class WaitingPicture:
    """A picture to be uploaded."""

    sha256: str
    media_type: str
    bytes: int
    path: Path


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What the quota, the disk or the centre's refusal cost since the database was made."""

    reports: int = 0
    evidence: int = 0


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """What waits, and what was given up."""

    reports: int
    sent: int
    pictures: int
    bytes: int
    given_up: GivenUp


class Store:
    """Opens the agent's state folder for this process alone; every method may be called anywhere.

    All methods raise StoreError when the database cannot be read or written.
    """

    def __init__(self, folder: Path, quota_bytes: int, ledger: Path | None = None) -> None:
        """Open or create. Raises StoreError when it is damaged or used by another agent.

        What cannot be opened leaves the folder free: it may be tried again.
        """
        self._lock = threading.RLock()
        self._quota_bytes = quota_bytes
        self._doomed: set[str] = set()
        self._used_bytes = 0
        self._path = folder / "agent.db"
        with ExitStack() as opened, self._translated():
            folder.mkdir(parents=True, exist_ok=True)
            opened.callback(os.close, _take_lock(folder / "agent.lock"))
            self._spool = Spool(folder / "evidence")
            self._conn = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=10
            )
            opened.callback(self._conn.close)
            self._conn.row_factory = sqlite3.Row
            self._prepare()
            self.outbox_id = UUID(self._meta("outbox_id"))
            self._ledger = Ledger(ledger) if ledger else None
            if self._ledger:
                self._ledger.reconcile(int(self._meta("next_seq")))
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and let another agent have the folder."""
        with self._lock:
            self._opened.close()

    # -- issue state and reports: one transaction

    def commit(
        self,
        camera_id: str,
        state: bytes,
        drafts: Sequence[Draft] = (),
        evidence: Sequence[Evidence] = (),
    ) -> tuple[IssueReport, ...]:
        """Commit a camera's new state with its reports, numbered on from the last one.

        All of it is on the disk when this returns, or none of it. A picture that cannot be
        written is given up and counted; its report goes on without it.
        """
        with self._transaction():
            first = int(self._meta("next_seq"))
            numbered = enumerate(drafts, first)
            reports = tuple(draft(self.outbox_id, seq) for seq, draft in numbered)
            bodies = [encode(report) for report in reports]
            self._make_room(sum(map(len, bodies)) + sum(len(item.data) for item in evidence))
            for item in evidence:
                self._keep(item)
            if self._ledger and reports:
                self._ledger.intend(reports)
            self._conn.executemany(
                "INSERT INTO outbox (seq, issue_id, revision, phase, lane, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (r.seq, str(r.issue_id), r.revision, r.phase, _lane(r.phase), body)
                    for r, body in zip(reports, bodies, strict=True)
                ],
            )
            self._used_bytes += sum(map(len, bodies))
            self._set_meta("next_seq", str(first + len(reports)))
            self._conn.execute(
                "INSERT INTO camera (camera_id, state) VALUES (?, ?)"
                " ON CONFLICT (camera_id) DO UPDATE SET state = excluded.state",
                (camera_id, state),
            )
        return reports

    def keep_picture(self, item: Evidence) -> None:
        """Keep a picture that belongs to no report, to be uploaded like the others."""
        with self._transaction():
            self._make_room(len(item.data))
            self._keep(item)

    def states(self) -> dict[str, bytes]:
        """Return the issue state of every camera that has one."""
        rows = self._rows("SELECT camera_id, state FROM camera")
        return {row["camera_id"]: row["state"] for row in rows}

    def forget_camera(self, camera_id: str) -> None:
        """Drop a camera that is no longer configured; its reports stay until receipted."""
        with self._transaction():
            self._conn.execute("DELETE FROM camera WHERE camera_id = ?", (camera_id,))

    # -- outbox

    def add_canary(self, draft: Callable[[UUID, int], Canary]) -> None:
        """Commit a synthetic report; it waits among the others and is settled like them."""
        with self._transaction():
            seq = int(self._meta("next_seq"))
            body = encode(draft(self.outbox_id, seq))
            self._make_room(len(body))
            self._conn.execute(
                "INSERT INTO outbox (seq, issue_id, revision, phase, lane, body)"
                " VALUES (?, '', ?, 'canary', ?, ?)",
                (seq, seq, OTHERS_LANE, body),
            )
            self._used_bytes += len(body)
            self._set_meta("next_seq", str(seq + 1))

    def canary_waits(self) -> bool:
        """Whether a synthetic report has no receipt yet."""
        return bool(self._rows("SELECT 1 FROM outbox WHERE issue_id = '' LIMIT 1"))

    def due(self, now_s: float, limit: int) -> list[WaitingReport]:
        """Return reports to offer: half newest `raised`, a quarter each newest and oldest others.

        So a backlog of any length delays neither a live report nor its own end; what one lane
        lacks, the others fill. `now_s` is monotonic within this process; see `offered`.
        """
        query = "SELECT seq, body, tries FROM outbox WHERE lane = ? AND due_s <= ? ORDER BY seq"
        raised = iter(self._rows(f"{query} DESC LIMIT ?", RAISED_LANE, now_s, limit))
        newest = iter(self._rows(f"{query} DESC LIMIT ?", OTHERS_LANE, now_s, limit))
        oldest = iter(self._rows(f"{query} LIMIT ?", OTHERS_LANE, now_s, limit))
        turns = itertools.zip_longest(raised, newest, raised, oldest)
        chosen = {row["seq"]: row for turn in turns for row in turn if row is not None}
        return [WaitingReport(**row) for row in itertools.islice(chosen.values(), limit)]

    def offered(self, seqs: Sequence[int], again_s: float) -> None:
        """Note reports that are being offered; without a receipt they are due at `again_s`."""
        self._mark("tries = tries + 1, due_s = ?", again_s, seqs)

    def sent(self, seqs: Sequence[int]) -> None:
        """Note that the broker took these; they stay here until the centre's receipt."""
        self._mark("sent = ?", 1, seqs)

    def refused(self, seqs: Sequence[int], again_s: float) -> None:
        """Note that the broker did not take these, or that nobody was there to read them."""
        self._mark("sent = 0, due_s = ?", again_s, seqs)

    def offer_all_again(self) -> None:
        """Make every report due: a new connection, or a new process with its own clock."""
        with self._transaction():
            self._conn.execute("UPDATE outbox SET due_s = 0 WHERE due_s > 0")

    def settle(self, receipt: Receipt) -> list[int]:
        """Delete what the centre holds; returns the numbers of those reports.

        A receipt for another outbox (an earlier database) settles pictures only.
        """
        settled: list[int] = []
        with self._transaction():
            for first, last in receipt.ranges if receipt.outbox_id == self.outbox_id else ():
                bounds = (min(first, SEQ_MAX), min(last, SEQ_MAX))
                settled += self._delete_reports("seq BETWEEN ? AND ?", *bounds)
            for sha256 in receipt.evidence:
                self._drop_picture(sha256)
        return settled

    # -- evidence

    def next_picture(self) -> WaitingPicture | None:
        """Return the still that waits longest, or when no still waits the clip."""
        return next(iter(self.pictures("media_type LIKE 'video/%', place LIMIT 1")), None)

    def pictures(self, order: str = GO_FIRST) -> list[WaitingPicture]:
        """Return what waits to be uploaded; what goes first at the quota comes first."""
        rows = self._rows(f"SELECT sha256, media_type, bytes FROM evidence ORDER BY {order}")  # noqa: S608 -- ours
        return [WaitingPicture(**row, path=self._spool.path(row["sha256"])) for row in rows]

    def uploaded(self, sha256: str) -> None:
        """Delete a picture that the centre holds."""
        with self._transaction():
            self._drop_picture(sha256)

    def give_up_picture(self, sha256: str) -> None:
        """Delete a picture that the centre will never take, or that is gone; it is counted."""
        with self._transaction():
            self._drop_picture(sha256)
            self._count("given_up_evidence", 1)

    def postpone_picture(self, sha256: str) -> None:
        """Put a picture behind all others."""
        with self._transaction():
            self._conn.execute(
                "UPDATE evidence SET place = (SELECT max(place) + 1 FROM evidence)"
                " WHERE sha256 = ?",
                (sha256,),
            )

    # -- what there is

    def counts(self) -> StoreCounts:
        """Return what waits here and what was given up."""
        row = self._rows(
            "SELECT (SELECT count(*) FROM outbox) AS reports,"
            " (SELECT count(*) FROM outbox WHERE sent = 1) AS sent,"
            " (SELECT count(*) FROM evidence) AS pictures"
        )[0]
        given_up = GivenUp(
            int(self._meta("given_up_reports")), int(self._meta("given_up_evidence"))
        )
        return StoreCounts(**row, bytes=self._used_bytes, given_up=given_up)

    # -- inside

    def _prepare(self) -> None:
        self._conn.execute("PRAGMA journal_mode = WAL")
        self._conn.execute("PRAGMA synchronous = FULL")
        verdict = self._conn.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            raise self._damaged(verdict)
        self._conn.executescript(_SCHEMA)
        for name, value in (
            ("outbox_id", str(_uuid7())),
            ("next_seq", "1"),
            ("given_up_reports", "0"),
            ("given_up_evidence", "0"),
        ):
            self._conn.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))
        self._match_files_and_rows()
        self._measure()
        self.offer_all_again()

    def _match_files_and_rows(self) -> None:
        """Delete files that no row names, and rows whose file is gone."""
        files = self._spool.names()
        rows = {row["sha256"] for row in self._rows("SELECT sha256 FROM evidence")}
        for orphan in files - rows:
            self._spool.remove(orphan)
        for lost in rows - files:
            self.give_up_picture(lost)

    def _measure(self) -> None:
        row = self._rows(
            "SELECT (SELECT coalesce(sum(length(body)), 0) FROM outbox)"
            " + (SELECT coalesce(sum(bytes), 0) FROM evidence) AS used"
        )[0]
        self._used_bytes = int(row["used"])

    def _make_room(self, needed_bytes: int) -> None:
        """Free what a commit needs, in the order of promise 7."""
        if self._used_bytes + needed_bytes <= self._quota_bytes:
            return
        target = max(0, int(self._quota_bytes * (1 - HEADROOM)) - needed_bytes)
        superseded = (
            "seq IN (SELECT seq FROM outbox AS older WHERE phase = 'updated'"
            # One that names pictures says what no later one repeats.
            " AND coalesce(json_array_length(CAST(body AS TEXT), '$.evidence'), 0) = 0"
            " AND EXISTS ("
            " SELECT 1 FROM outbox WHERE issue_id = older.issue_id"
            " AND revision > older.revision) ORDER BY seq LIMIT 100)"
        )
        any_updated = (
            "seq IN (SELECT seq FROM outbox WHERE phase = 'updated' ORDER BY seq LIMIT 100)"
        )
        oldest = "seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT 100)"
        self._give_up_reports(superseded, target)
        while self._used_bytes > target and (gone := self.pictures(f"{GO_FIRST} LIMIT 1")):
            self.give_up_picture(gone[0].sha256)
        self._give_up_reports(any_updated, target)
        self._give_up_reports(oldest, target)

    def _give_up_reports(self, which: str, target_bytes: int) -> None:
        while self._used_bytes > target_bytes and (gone := self._delete_reports(which)):
            self._count("given_up_reports", len(gone))

    def _delete_reports(self, where: str, *values: object) -> list[int]:
        rows = self._rows(
            f"DELETE FROM outbox WHERE {where}"  # noqa: S608  (clauses of this module only)
            " RETURNING seq, length(body) AS bytes",
            *values,
        )
        self._used_bytes -= sum(row["bytes"] for row in rows)
        return [row["seq"] for row in rows]

    def _keep(self, item: Evidence) -> None:
        try:
            sha256 = self._spool.put(item.data)
        except OSError:
            self._count("given_up_evidence", 1)
            return
        self._doomed.discard(sha256)
        done = self._conn.execute(
            "INSERT OR IGNORE INTO evidence (sha256, media_type, bytes) VALUES (?, ?, ?)",
            (sha256, item.ref.media_type, len(item.data)),
        )
        self._used_bytes += done.rowcount * len(item.data)

    def _drop_picture(self, sha256: str) -> None:
        rows = self._rows("DELETE FROM evidence WHERE sha256 = ? RETURNING bytes", sha256)
        self._used_bytes -= sum(row["bytes"] for row in rows)
        self._doomed.add(sha256)

    def _mark(self, what: str, value: float, seqs: Sequence[int]) -> None:
        with self._transaction():
            self._conn.executemany(
                f"UPDATE outbox SET {what} WHERE seq = ?",  # noqa: S608  (this module's clauses)
                [(value, seq) for seq in seqs],
            )

    def _count(self, name: str, more: int) -> None:
        self._set_meta(name, str(int(self._meta(name)) + more))

    def _meta(self, name: str) -> str:
        return str(self._rows("SELECT value FROM meta WHERE name = ?", name)[0]["value"])

    def _set_meta(self, name: str, value: str) -> None:
        self._conn.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))

    def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self._lock, self._translated():
            return [dict(row) for row in self._conn.execute(query, values)]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what happens inside, or nothing of it; pictures' files go only after it."""
        with self._lock, self._translated():
            if self._conn.in_transaction:
                yield
                return
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._conn.execute("COMMIT")
            finally:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                    self._doomed.clear()
                    self._measure()
            while self._doomed:
                self._spool.remove(self._doomed.pop())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self._path}: cannot be read or written ({error}); "
                "check free disk space and permissions"
            ) from None
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from None
        except OSError as error:
            raise StoreError(f"{error.filename or self._path}: {error.strerror}") from None

    def _damaged(self, finding: str) -> StoreError:
        return StoreError(
            f"{self._path}: the database is damaged ({finding}); move it aside to start with an "
            "empty one, and keep it: reports that were not yet receipted are in it"
        )


def _lane(phase: Phase) -> int:
    return RAISED_LANE if phase is Phase.RAISED else OTHERS_LANE


def _take_lock(path: Path) -> int:
    """Lock the folder for this process. Raises StoreError when another one has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(
            f"{path.parent}: another agent is using this state folder; stop it, or give this "
            "one its own state_dir"
        ) from None
    return descriptor


def _uuid7() -> UUID:
    """Make a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, the rest random."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
