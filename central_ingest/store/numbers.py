"""Keys and numbers of new cases.

SQLite counts within the transaction, so numbers have no gaps. On PostgreSQL, where several workers
open cases at the same time, each takes as many keys and numbers at once as a batch may need, and
uses what is left over for the next one; what it ends with, or a day does, is a gap.
"""

from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event, select, text, update
from sqlalchemy.dialects import sqlite

from central_ingest.store import tables as t
from central_ingest.store.bulk import is_sqlite


class CaseName(NamedTuple):
    """How a case is called: by the database, and by people."""

    case_id: int
    number: str


# In a transaction of its own, so that the counter's row is not held until the cases commit. It does
# not wait for the disk: should the server lose it, it loses the cases, too, which commit later.
_TAKE = text(
    "WITH counted AS (INSERT INTO case_number (prefix, last_sequence) VALUES (:prefix, :many)"
    " ON CONFLICT (prefix) DO UPDATE SET last_sequence = case_number.last_sequence + :many"
    " RETURNING last_sequence)"
    " SELECT last_sequence,"
    " ARRAY(SELECT nextval(pg_get_serial_sequence('\"case\"', 'case_id'))"
    " FROM generate_series(1, :many)) AS case_ids,"
    " set_config('synchronous_commit', 'off', true) FROM counted"
)


class _Reserve:
    """What a process took of a day's keys and numbers and has not used; for any of its threads.

    It is forgotten when a connection is made: a server that took over from another one, or was
    restored, may not know what that one gave away.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._connections = 0
        self._taken_for: tuple[str, int] | None = None
        self._left: list[tuple[int, int]] = []

    def forget(self, *_: object) -> None:
        """Use nothing any more of what was taken until now."""
        self._connections += 1

    def next(self, engine: Engine, prefix: str, expected: int) -> tuple[int, int]:
        """A key and a number; where none is left, as many are taken as are expected."""
        with self._lock:
            mine = prefix, self._connections
            if mine != self._taken_for or not self._left:
                self._taken_for, self._left = mine, _taken(engine, prefix, max(1, expected))
            return self._left.pop()


_reserves: WeakKeyDictionary[Engine, _Reserve] = WeakKeyDictionary()
_making = Lock()


def _reserve_of(engine: Engine) -> _Reserve:
    with _making:
        if (reserve := _reserves.get(engine)) is None:
            reserve = _reserves[engine] = _Reserve()
            event.listen(engine, "connect", reserve.forget)
    return reserve


def _taken(engine: Engine, prefix: str, many: int) -> list[tuple[int, int]]:
    """So many keys and numbers, the lowest one last."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as own:
        taken = own.execute(_TAKE, {"prefix": prefix, "many": many}).one()
    last = int(taken.last_sequence)
    return sorted(zip(taken.case_ids, range(last - many + 1, last + 1), strict=True), reverse=True)


class CaseNumbers:
    """Hands out keys and numbers; `write` remembers the end of the count."""

    def __init__(self, connection: Connection, template: str, source: str, day: str) -> None:
        self._connection = connection
        self._template, self._source, self._day = template, source, day
        self._prefix = template.format(source=source, yyyymmdd=day, sequence=0)
        self._expected = 0
        self._last: tuple[int, int] | None = None

    def expect(self, cases: int) -> None:
        """Be told how many cases may be opened at most."""
        self._expected = cases

    def next(self) -> CaseName:
        """The name of the next case."""
        case_id, sequence = self._count() if is_sqlite(self._connection) else self._take()
        number = self._template.format(source=self._source, yyyymmdd=self._day, sequence=sequence)
        return CaseName(case_id, number)

    def write(self) -> None:
        """Remember how far the count went, where that is not done yet."""
        if self._last is not None:
            mine = t.case_number.c.prefix == self._prefix
            self._connection.execute(
                update(t.case_number).where(mine).values(last_sequence=self._last[1])
            )

    def _count(self) -> tuple[int, int]:
        """The transaction holds the file's only write lock, so nobody counts beside us."""
        case_id, sequence = self._last or self._read_last()
        self._last = case_id + 1, sequence + 1
        return self._last

    def _read_last(self) -> tuple[int, int]:
        query = text("SELECT seq FROM sqlite_sequence WHERE name = 'case'")
        case_id = self._connection.execute(query).scalar_one_or_none() or 0
        first = sqlite.insert(t.case_number).values(prefix=self._prefix, last_sequence=0)
        self._connection.execute(first.on_conflict_do_nothing())
        row = t.case_number.c
        of_prefix = select(row.last_sequence).where(row.prefix == self._prefix)
        return case_id, int(self._connection.execute(of_prefix).scalar_one())

    def _take(self) -> tuple[int, int]:
        engine = self._connection.engine
        taken = _reserve_of(engine).next(engine, self._prefix, self._expected)
        self._expected -= 1
        return taken
