"""Keys and numbers of new cases.

SQLite counts within the transaction, so numbers have no gaps. On PostgreSQL, where several workers
open cases at the same time, each takes a few keys and numbers at once, for as many as it opens;
what is left over is a gap.
"""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from central_ingest.store import tables as t
from central_ingest.store.bulk import is_sqlite
from central_ingest.store.database import end_when_silent

_AT_ONCE_MAX = 64


class CaseNumbers:
    """Hands out keys and numbers; `write` remembers the end of the count."""

    def __init__(self, connection: Connection, template: str, source: str, day: str) -> None:
        self._connection = connection
        self._template, self._source, self._day = template, source, day
        self._prefix = template.format(source=source, yyyymmdd=day, sequence=0)
        self._sequence: int | None = None
        self._case_id: int | None = None
        self._case_ids, self._sequences = _Taken(self._take_ids), _Taken(self._take_sequences)

    def next_id(self) -> int:
        """The key of the next case."""
        if not is_sqlite(self._connection):
            return self._case_ids.next()
        if self._case_id is None:
            # The transaction holds the file's only write lock, so nobody counts beside us.
            query = text("SELECT seq FROM sqlite_sequence WHERE name = 'case'")
            self._case_id = self._connection.execute(query).scalar_one_or_none() or 0
        self._case_id += 1
        return self._case_id

    def next_number(self) -> str:
        """The number of the next case."""
        return self._template.format(
            source=self._source, yyyymmdd=self._day, sequence=self._next_sequence()
        )

    def write(self) -> None:
        """Remember how far the count went, where that is not done yet."""
        if self._sequence is not None:
            mine = t.case_number.c.prefix == self._prefix
            self._connection.execute(
                update(t.case_number).where(mine).values(last_sequence=self._sequence)
            )

    def _next_sequence(self) -> int:
        if not is_sqlite(self._connection):
            return self._sequences.next()
        if self._sequence is None:
            first = sqlite.insert(t.case_number).values(prefix=self._prefix, last_sequence=0)
            self._connection.execute(first.on_conflict_do_nothing())
            row = t.case_number.c
            query = select(row.last_sequence).where(row.prefix == self._prefix)
            self._sequence = int(self._connection.execute(query).scalar_one())
        self._sequence += 1
        return self._sequence

    def _take_ids(self, many: int) -> Iterable[int]:
        query = text(
            "SELECT nextval(pg_get_serial_sequence('\"case\"', 'case_id'))"
            " FROM generate_series(1, :many)"
        )
        return self._connection.execute(query, {"many": many}).scalars()

    def _take_sequences(self, many: int) -> Iterable[int]:
        """In a transaction of its own: the counter's row is not held until the cases commit.

        It need not wait for the disk, for what commits later takes its record along.
        """
        row = t.case_number
        first = postgresql.insert(row).values(prefix=self._prefix, last_sequence=many)
        more = first.on_conflict_do_update(
            index_elements=[row.c.prefix], set_={"last_sequence": row.c.last_sequence + many}
        )
        with self._connection.engine.begin() as own:
            end_when_silent(own)
            own.execute(text("SET LOCAL synchronous_commit = off"))
            last = int(own.execute(more.returning(row.c.last_sequence)).scalar_one())
        return range(last - many + 1, last + 1)


class _Taken:
    """Numbers that were taken and not yet handed out; each time twice as many are taken."""

    def __init__(self, take: Callable[[int], Iterable[int]]) -> None:
        self._take = take
        self._left: list[int] = []
        self._many = 1

    def next(self) -> int:
        if not self._left:
            self._left = sorted(self._take(self._many), reverse=True)
            self._many = min(2 * self._many, _AT_ONCE_MAX)
        return self._left.pop()
