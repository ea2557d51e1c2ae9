"""Keys and numbers of new cases: rising, without gaps in the numbers, written with their cases."""

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from central_ingest.store import tables as t
from central_ingest.store.bulk import is_sqlite

_AT_ONCE_MAX = 64


class CaseNumbers:
    """Counts in memory, and writes the end of the count; the counter's row is locked meanwhile."""

    def __init__(self, connection: Connection, template: str, source: str, day: str) -> None:
        self._connection = connection
        self._template, self._source, self._day = template, source, day
        self._prefix = template.format(source=source, yyyymmdd=day, sequence=0)
        self._sequence: int | None = None
        self._case_id: int | None = None
        self._case_ids: list[int] = []
        self._many = 16

    def next_id(self) -> int:
        """The key of the next case."""
        if not is_sqlite(self._connection):
            return self._next_of_sequence()
        if self._case_id is None:
            # The transaction holds the file's only write lock, so nobody counts beside us.
            query = text("SELECT seq FROM sqlite_sequence WHERE name = 'case'")
            self._case_id = self._connection.execute(query).scalar_one_or_none() or 0
        self._case_id += 1
        return self._case_id

    def _next_of_sequence(self) -> int:
        """PostgreSQL's sequence, asked for many at a time; what is left over is a gap."""
        if not self._case_ids:
            query = text(
                "SELECT nextval(pg_get_serial_sequence('\"case\"', 'case_id'))"
                " FROM generate_series(1, :many)"
            )
            found = self._connection.execute(query, {"many": self._many}).scalars()
            self._case_ids = sorted(found, reverse=True)
            self._many = min(2 * self._many, _AT_ONCE_MAX)
        return self._case_ids.pop()

    def next_number(self) -> str:
        """The number of the next case."""
        if self._sequence is None:
            self._sequence = self._locked()
        self._sequence += 1
        return self._template.format(
            source=self._source, yyyymmdd=self._day, sequence=self._sequence
        )

    def write(self) -> None:
        """Remember how far the count went."""
        if self._sequence is not None:
            mine = t.case_number.c.prefix == self._prefix
            self._connection.execute(
                update(t.case_number).where(mine).values(last_sequence=self._sequence)
            )

    def _locked(self) -> int:
        dialect = sqlite if is_sqlite(self._connection) else postgresql
        first = dialect.insert(t.case_number).values(prefix=self._prefix, last_sequence=0)
        self._connection.execute(first.on_conflict_do_nothing())
        query = select(t.case_number.c.last_sequence).where(t.case_number.c.prefix == self._prefix)
        return int(self._connection.execute(query.with_for_update()).scalar_one())
