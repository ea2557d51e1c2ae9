"""A whole database into an empty one, of either kind: for moving a site, for backup and restore.

Guarantee: all or nothing. The copy is one transaction, read from one consistent view, and is
counted on both sides before it commits; the source is not changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text, update

from central_ingest.errors import RefusedToStart, StoreError
from central_ingest.store import tables as t
from central_ingest.store.database import (
    Engine,
    check_version,
    migrate,
    reading,
    translated,
    writing,
)

_AT_ONCE = 2000
# Cases name each other in both directions: those columns are filled once all cases are there.
_LATER = {"case": ("merged_into", "recurs_of")}
# A start fills these by itself; what the others hold, people or agents brought.
_OF_A_START = (t.setting, t.worker)


def copy_database(source: Engine, target: Engine) -> dict[str, int]:
    """Copy every row of every table; returns how many each table has.

    The target is brought to this version first. Raises RefusedToStart where it holds rows, or the
    source is of another version; StoreError where the copies differ; StoreUnavailable.
    """
    check_version(source)
    migrate(target)
    with _snapshot(source) as held, writing(target) as connection:
        _refuse_filled(connection)
        for table in _OF_A_START:  # the copy brings its own
            connection.execute(table.delete())
        counts = {table.name: _copy(held, connection, table) for table in _tables()}
        _continue_counting(connection)
        for table in _tables():
            _compare(held, connection, table)
    return counts


def refuse_filled(target: Engine) -> None:
    """Refuse a database that holds rows; it is brought to this version first.

    Raises RefusedToStart, StoreUnavailable.
    """
    migrate(target)
    with reading(target) as connection:
        _refuse_filled(connection)


def count_rows(engine: Engine) -> dict[str, int]:
    """How many rows each table of a backup has. Raises RefusedToStart if of another version."""
    check_version(engine, "restore it with the program that wrote it, and migrate then")
    with _snapshot(engine) as connection:
        return {table.name: _count(connection, table) for table in _tables()}


def _tables() -> list[Table]:
    """Every table, those that others refer to first."""
    return list(t.metadata.sorted_tables)


@contextmanager
def _snapshot(source: Engine) -> Iterator[Connection]:
    """One consistent view of the whole source, for reading."""
    with translated(), source.connect() as opened:
        if source.dialect.name == "sqlite":  # whose transactions are snapshots by themselves
            yield opened
        else:
            yield opened.execution_options(isolation_level="REPEATABLE READ")


def _refuse_filled(connection: Connection) -> None:
    for table in _tables():
        if table in _OF_A_START:
            continue
        if connection.execute(select(*table.primary_key).limit(1)).first() is not None:
            raise RefusedToStart(
                f"the new database holds rows of '{table.name}' already; an empty one is needed: "
                "name another in database.url, or another folder with --data"
            )


def _copy(source: Connection, target: Connection, table: Table) -> int:
    later = _LATER.get(table.name, ())
    count = 0
    for rows in _pages(source, table):
        first = [{k: v for k, v in row.items() if k not in later} for row in rows]
        target.execute(insert(table), first)
        count += len(rows)
    for name in later:
        _fill_later(source, target, table, name)
    return count


def _pages(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    found = source.execution_options(yield_per=_AT_ONCE).execute(
        select(table).order_by(*table.primary_key)
    )
    for page in found.mappings().partitions():
        yield [dict(row) for row in page]


def _fill_later(source: Connection, target: Connection, table: Table, name: str) -> None:
    (key,) = table.primary_key
    rows = source.execute(select(key, table.c[name]).where(table.c[name].is_not(None)))
    for row in rows.all():
        target.execute(update(table).where(key == row[0]).values({name: row[1]}))


def _continue_counting(connection: Connection) -> None:
    """Let PostgreSQL count on behind the highest key; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables():
        column = table.autoincrement_column
        if column is None:
            continue
        highest = connection.execute(select(func.max(column))).scalar_one()
        if highest is not None:
            query = text("SELECT setval(pg_get_serial_sequence(:name, :key), :highest)")
            values = {"name": f'"{table.name}"', "key": column.name, "highest": highest}
            connection.execute(query, values)


def _compare(source: Connection, target: Connection, table: Table) -> None:
    there, here = (_count(held, table) for held in (source, target))
    if there != here:
        raise StoreError(f"table '{table.name}': {there} rows were to be copied, {here} were")


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
