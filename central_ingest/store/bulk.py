"""Many rows in one statement, on both databases, without the cost of a statement a row.

SQLite: one prepared statement, run for each row inside the driver. PostgreSQL: one statement for
all rows, which travel as one array a column, in the protocol's binary form: what is a text has to
be quoted here and parsed there. Values are Python's own (UUID, aware datetime, bool, lists for
JSON) and are kept exactly as `tables` would keep them: a test compares the two.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import JSON, Column, Connection, Double, String, Table, Uuid
from sqlalchemy.dialects import postgresql, sqlite

from central_ingest.store.tables import UtcDateTime

_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode
_PG = postgresql.dialect()  # type: ignore[no-untyped-call]
Values = Sequence[Any]
_Coder = Callable[[Values], list[Any]]


def is_sqlite(connection: Connection) -> bool:
    """Whether this is SQLite, where one writer at a time holds the whole file."""
    return connection.dialect.name == "sqlite"


def insert_rows(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    rows: Sequence[Values],
    *,
    keep: bool = False,
) -> None:
    """Insert rows of these columns; with `keep`, those whose key is there are passed over."""
    if not rows:
        return
    lite = is_sqlite(connection)
    statement = _insert_statement(table, names, lite, keep)
    _run(connection, statement, _columns(table, names), rows)


def insert_new(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row unless its key is there already; says whether it was new."""
    dialect = sqlite if is_sqlite(connection) else postgresql
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    # Row counts of inserts are not told by every driver; what is returned was inserted.
    return connection.execute(statement.returning(*table.primary_key)).first() is not None


def update_rows(
    connection: Connection, table: Table, key: str, names: tuple[str, ...], rows: Sequence[Values]
) -> None:
    """Update rows by their key: each holds the values of `names`, then the key."""
    if not rows:
        return
    statement = _update_statement(table, key, names, is_sqlite(connection))
    _run(connection, statement, _columns(table, (*names, key)), rows)


def select_rows(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    where: str,
    keys: Iterable[Any],
    *,
    beside: tuple[Table, tuple[str, ...], str] | None = None,
) -> list[tuple[Any, ...]]:
    """Rows whose condition `where` holds for any of `keys`.

    Keys are UUIDs, integers or texts, all of one kind. `where` has them once, as what a column is
    compared with (`{keys}`) or as a table of one column, `value` (`{given}`). `beside` is another
    table, what to read of it too, and the column by which its one row is found.
    """
    listed = list(keys)
    if not listed:
        return []
    columns = _columns(table, names) + (_columns(*beside[:2]) if beside else ())
    source = _source(table, beside)
    if is_sqlite(connection):
        plain = [key.hex for key in listed] if isinstance(listed[0], UUID) else listed
        statement = _select_statement(columns, source, True, where).format(
            keys="IN (SELECT value FROM json_each(?))", given="json_each(?) AS given"
        )
        found = connection.exec_driver_sql(statement, (_dump(plain),))
        return _coded(found.all(), _coders(columns)[1])
    array = f"%b::{_array_type(listed[0])}[]"
    statement = _select_statement(columns, source, False, where).format(
        keys=f"= ANY({array})", given=f"unnest({array}) AS given(value)"
    )
    found = connection.exec_driver_sql(statement, (listed,))
    return [tuple(row) for row in found]


def _run(
    connection: Connection, statement: str, columns: tuple[Column[Any], ...], rows: Sequence[Values]
) -> None:
    if is_sqlite(connection):
        connection.exec_driver_sql(statement, _coded(rows, _coders(columns)[0]))
        return
    arrays = zip(columns, zip(*rows, strict=True), strict=True)
    connection.exec_driver_sql(statement, tuple(_array_of(*one) for one in arrays))


@cache
def _columns(table: Table, names: tuple[str, ...]) -> tuple[Column[Any], ...]:
    return tuple(table.c[name] for name in names)


@cache
def _insert_statement(table: Table, names: tuple[str, ...], lite: bool, keep: bool) -> str:  # noqa: FBT001 -- keys of a cache
    into = f"INSERT INTO {_quoted(table.name)} ({_listed(names)})"
    end = " ON CONFLICT DO NOTHING" if keep else ""
    if lite:
        return f"{into} VALUES ({', '.join('?' * len(names))}){end}"
    columns = _columns(table, names)
    values = ", ".join(map(_value, columns))
    return f"{into} SELECT {values} FROM {_arrays(columns)}{end}"  # noqa: S608 -- our own names


@cache
def _update_statement(table: Table, key: str, names: tuple[str, ...], lite: bool) -> str:  # noqa: FBT001 -- a key of a cache
    change = f"UPDATE {_quoted(table.name)} SET"
    if lite:
        return f"{change} {', '.join(f'{_quoted(n)} = ?' for n in names)} WHERE {_quoted(key)} = ?"
    columns = _columns(table, (*names, key))
    values = ", ".join(f"{_quoted(c.name)} = {_value(c)}" for c in columns[:-1])
    mine = f"{_quoted(table.name)}.{_quoted(key)} = v.{_quoted(key)}"
    return f"{change} {values} FROM {_arrays(columns)} WHERE {mine}"


@cache
def _source(table: Table, beside: tuple[Table, tuple[str, ...], str] | None) -> str:
    mine = _quoted(table.name)
    if beside is None:
        return mine
    other, _, key = beside
    theirs, key = _quoted(other.name), _quoted(key)
    return f"{mine} JOIN {theirs} ON {theirs}.{key} = {mine}.{key}"


@cache
def _select_statement(columns: tuple[Column[Any], ...], source: str, lite: bool, where: str) -> str:  # noqa: FBT001 -- a key of a cache
    named = ", ".join(f"{_quoted(c.table.name)}.{_quoted(c.name)}" for c in columns)
    for_dialect = where.replace("{open}", "open = 1" if lite else "open")
    return f"SELECT {named} FROM {source} WHERE {for_dialect}"  # noqa: S608 -- our own names


def _quoted(name: str) -> str:
    return f'"{name}"'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


def _arrays(columns: Iterable[Column[Any]]) -> str:
    """The rows of these arrays, under the name `v`."""
    sent = ", ".join(f"%b::{_sent_as(c)}[]" for c in columns)
    return f"unnest({sent}) AS v({_listed(c.name for c in columns)})"


def _sent_as(column: Column[Any]) -> str:
    """The type of an array's elements; the table's own limit on a text stands, uncut."""
    if isinstance(column.type, String | JSON):
        return "TEXT"
    return str(column.type.compile(dialect=_PG))


def _value(column: Column[Any]) -> str:
    name = f"v.{_quoted(column.name)}"
    return f"{name}::{column.type.compile(dialect=_PG)}" if isinstance(column.type, JSON) else name


def _array_of(column: Column[Any], values: Values) -> list[Any]:
    """A column's values, each of the one type that the driver expects in an array."""
    if isinstance(column.type, JSON):
        return _each(_dump)(values)
    if isinstance(column.type, Double):
        return _each(float)(values)
    return _each(str)(values) if isinstance(column.type, String) else list(values)


def _array_type(key: Any) -> str:
    return {UUID: "UUID", int: "BIGINT"}.get(type(key), "TEXT")


def _dump(value: Any) -> str:
    return _encode_json(value).decode()


@lru_cache(maxsize=16_384)  # an issue's reports name the same beginning again and again
def _text_of(time: datetime) -> str:
    """A time as SQLite keeps it; all of ours are UTC."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return time.isoformat(" ", "microseconds")[:26]  # without "+00:00"


def _texts_of_times(times: Values) -> list[str | None]:
    """A batch writes its own moment thousands of times, which is made a text once."""
    texts: list[str | None] = []
    last, text = None, None
    for time in times:
        if time is not last:
            last, text = time, None if time is None else _text_of(time)
        texts.append(text)
    return texts


def _times_of(texts: Values) -> list[datetime | None]:
    return [None if text is None else datetime.fromisoformat(text + "+00:00") for text in texts]


def _each(convert: Callable[[Any], Any]) -> _Coder:
    """Convert a column's values one by one; what is missing stays so."""
    return lambda values: [None if value is None else convert(value) for value in values]


def _texts_of(uuids: Values) -> list[str | None]:
    return [None if uuid is None else f"{uuid.int:032x}" for uuid in uuids]


def _uuids_of(texts: Values) -> list[UUID | None]:
    return msgspec.convert(texts, list[UUID | None])


_CODERS: tuple[tuple[type[Any], _Coder, _Coder], ...] = (
    (Uuid, _texts_of, _uuids_of),
    (UtcDateTime, _texts_of_times, _times_of),
    (JSON, _each(_dump), _each(_decode_json)),
)


@cache
def _coders(
    columns: tuple[Column[Any], ...],
) -> tuple[list[tuple[int, _Coder]], list[tuple[int, _Coder]]]:
    """How SQLite's values are written and read, for those columns where they differ from ours."""
    write, read = [], []
    for at, column in enumerate(columns):
        for kind, encode, decode in _CODERS:
            if isinstance(column.type, kind):
                write.append((at, encode))
                read.append((at, decode))
    return write, read


def _coded(rows: Sequence[Values], coders: list[tuple[int, _Coder]]) -> list[tuple[Any, ...]]:
    """The rows with these columns converted, a column at a time: a call a row costs more."""
    if not coders or not rows:
        return list(map(tuple, rows))
    columns: list[Values] = list(zip(*rows, strict=True))
    for at, code in coders:
        columns[at] = code(columns[at])
    return list(zip(*columns, strict=True))
