"""Opening the database: engine, transactions, migrations; where its exceptions are translated.

A commit waits for the disk unless who writes does so later (`write_ahead_log`, `server_log`).
SQLite: WAL, one writer by `BEGIN IMMEDIATE`, in turn. PostgreSQL: the same source, in READ
COMMITTED; transaction-level advisory locks say who may write beside whom. A transaction of `parts`
(a family's reports, say) runs beside those of other parts and waits for its own; one without parts
runs alone. One that only adds rows of which nobody's decision depends (`appending`) waits for
nobody.
"""

import fcntl
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import NullPool, QueuePool

from central_ingest.errors import ConfigError, RefusedToStart, StoreUnavailable

__all__ = [
    "Connection",
    "Engine",
    "PartTaken",
    "appending",
    "check_version",
    "keep_out",
    "lock_changes",
    "migrate",
    "open_engine",
    "open_kept",
    "reading",
    "server_settings",
    "taking_turn",
    "translated",
    "turn_of",
    "writing",
]

_DRIVERS = {("sqlite", "pysqlite"), ("postgresql", "psycopg")}
_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITING = "gridwatch_writing"
_DURABLE = "gridwatch_durable"
_ALONE_LOCK = 0x6772_6964
_PARTS_SPACE = 0x6772
_CHANGES_LOCK = 0x6772_6965
BUSY_TIMEOUT_S = 30
CACHE_MB = 256
# libpq by itself waits for hours on a line whose other end is gone (seconds; milliseconds).
_NOTICE_A_DEAD_LINE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# A writer whose machine or line is gone leaves its locks with the server, which by itself notices
# after hours: a transaction in which nothing was said for so long is ended.
SILENT_MAX_S = 60
_END_WHEN_SILENT = "set_config('idle_in_transaction_session_timeout', :silent, true)"
# Durable commits keep what the site has set, which may wait for a standby, too.
_TO_DISK_LATER = "set_config('synchronous_commit', 'off', true)"
# A batch changes thousands of scattered pages. Brought over from the WAL many at a time, pages that
# change again and again are written once; but every page that is read is looked for in all of the
# WAL first, so it must not grow long either. An ingest that files much brings it over beside its
# filing (`write_ahead_log`), before a commit has to.
_SQLITE = (
    "journal_mode=WAL",
    "foreign_keys=ON",
    "wal_autocheckpoint=50000",
)


def open_engine(url: str, cache_mb: int = CACHE_MB) -> Engine:
    """An engine on the centre's database; nothing is connected yet.

    Each connection to an SQLite file keeps its pages in up to `cache_mb` of memory. Raises
    ConfigError where `url` is none of ours; the message does not show it, for it holds a secret.
    """
    _refuse_foreign(url)
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, connect_args=_NOTICE_A_DEAD_LINE)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        # A connection keeps pages in memory until another one has written: take the same again.
        pool_use_lifo=True,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "do_connect", _keep_to_ourselves)
    event.listen(engine, "connect", partial(_set_up_sqlite, cache_mb))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _keep_to_ourselves(_dialect: Any, _record: Any, given: list[Any], _options: Any) -> None:
    """A new file holds passwords' hashes: nobody else's to read. SQLite itself would share it."""
    # Only a file that is not there yet: to close one that SQLite has open would end its locks, and
    # the next process to leave would take the log away. What is wrong with the path, SQLite says.
    with suppress(OSError):
        os.close(os.open(given[0], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _refuse_foreign(url: str) -> None:
    try:
        parsed = make_url(url)
        driver = (parsed.get_backend_name(), parsed.get_driver_name())
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        driver = None
    if driver not in _DRIVERS or not parsed.database:
        raise ConfigError(
            "is no address of a database that the centre knows: sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE was expected"
        ) from None
    if driver == ("postgresql", "psycopg") and find_spec("psycopg") is None:
        raise ConfigError("needs the extra 'postgresql': pip install '.[postgresql]'")


def open_kept(path: Path) -> Engine:
    """A whole SQLite file that is only read: nothing is written beside it, or made in its place.

    Raises RefusedToStart where SQLite finds it damaged.
    """

    def connect() -> SqliteConnection:
        # Immutable: a folder on a disc that nobody can write will do, too.
        address = f"{path.absolute().as_uri()}?immutable=1"
        return sqlite3.connect(address, uri=True, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    except DatabaseError as error:
        said = error.orig
    if said != "ok":
        raise RefusedToStart(f"{path} cannot be read, it may be damaged: {said}")
    return engine


def _set_up_sqlite(cache_mb: int, connection: SqliteConnection, record: Any) -> None:
    del record
    # Transactions are begun by us, below: the driver would begin them too late, and as readers.
    connection.isolation_level = None
    for pragma in (*_SQLITE, f"cache_size={-1024 * cache_mb}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    # Each time, for a connection serves one transaction after another.
    synchronous = "FULL" if options.get(_DURABLE, True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITING, False) else "BEGIN")


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database that cannot be used now into StoreUnavailable, and nothing else."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(f"the database cannot be used now: {error.orig}") from error
    except NoConnectionFree as error:
        raise StoreUnavailable(f"the database is too busy now: {error}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(f"the database went away: {error.orig}") from error
        raise


class PartTaken(Exception):
    """Another transaction holds the part that was asked for."""


@contextmanager
def writing(
    engine: Engine, *parts: str, wait: bool = True, durable: bool = True
) -> Iterator[Connection]:
    """One writing transaction: commits at the end, or changes nothing.

    One that is not `durable` may be lost, by an SQLite file with the whole machine, by PostgreSQL
    with its server, until the next durable one or a flush of the log. Raises StoreUnavailable when
    the database cannot be used now, or PostgreSQL ended a transaction that was silent for
    SILENT_MAX_S; without `wait`, PartTaken when another transaction holds one of the parts.
    """
    with _begun(engine, durable=durable) as connection:
        if connection.dialect.name == "postgresql":
            _lock(connection, parts, wait=wait, durable=durable)
        yield connection


@contextmanager
def appending(engine: Engine) -> Iterator[Connection]:
    """A writing transaction that holds no advisory lock: for rows that are added and only listed.

    Raises StoreUnavailable, as `writing` does. SQLite has one writer at a time all the same.
    """
    with _begun(engine) as connection:
        if connection.dialect.name == "postgresql":
            query = text(f"SELECT {_END_WHEN_SILENT}")
            connection.execute(query, {"silent": f"{SILENT_MAX_S}s"})
        yield connection


@contextmanager
def _begun(engine: Engine, *, durable: bool = True) -> Iterator[Connection]:
    with translated(), taking_turn(engine), engine.connect() as opened:
        connection = opened.execution_options(**{_WRITING: True, _DURABLE: durable})
        with connection.begin():
            yield connection


def turn_of(database: str | Path) -> Path:
    """The file by whose lock the writers of an SQLite file take turns."""
    return Path(f"{database}-turn")


@contextmanager
def taking_turn(engine: Engine) -> Iterator[None]:
    """Wait for one's turn to write into an SQLite file, in whatever process.

    `writing` and `appending` do so by themselves. SQLite would look again and again, at last every
    tenth of a second. A lock on a file wakes who waits; it ends with its process. Raises
    StoreUnavailable.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path:
        yield
        return
    try:
        turn = os.open(turn_of(path), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StoreUnavailable(f"the database cannot be used now: {error}") from error
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)


def _lock(connection: Connection, parts: tuple[str, ...], *, wait: bool, durable: bool) -> None:
    """Take the locks, and let go of them should nothing more be heard: in one statement.

    Who takes several takes them in one order, so that no two wait for each other.
    """
    given: dict[str, Any] = {"silent": f"{SILENT_MAX_S}s", "key": _ALONE_LOCK}
    settings = _END_WHEN_SILENT if durable else f"{_END_WHEN_SILENT}, {_TO_DISK_LATER}"
    if not parts:
        connection.execute(text(f"SELECT {settings}, pg_advisory_xact_lock(:key)"), given)
        return
    given |= {"space": _PARTS_SPACE, "parts": sorted(map(_key_of, parts))}
    wanted = "count(pg_advisory_xact_lock(:space, part)) > 0"
    if not wait:
        wanted = "bool_and(pg_try_advisory_xact_lock(:space, part))"
    shared = "pg_advisory_xact_lock_shared(:key)"
    source = "FROM unnest(:parts) AS part"
    query = text(f"SELECT {settings}, {shared}, (SELECT {wanted} {source}) AS taken")
    if not connection.execute(query, given).one().taken:
        raise PartTaken


def _key_of(part: str) -> int:
    return zlib.crc32(part.encode()) & 0x7FFF_FFFF


def keep_out(connection: Connection, parts: Iterable[str]) -> None:
    """Wait for who writes these parts, and keep such writers out until the commit.

    Any number of transactions may do so at the same time.
    """
    if connection.dialect.name != "postgresql":
        return
    query = text("SELECT pg_advisory_xact_lock_shared(:space, key) FROM unnest(:keys) AS key")
    keys = sorted({_key_of(part) for part in parts})
    connection.execute(query, {"space": _PARTS_SPACE, "keys": keys})


def lock_changes(connection: Connection) -> None:
    """Let changes be numbered in the order of their commits: whoever follows them misses none.

    To be called before rows of `change` are written, as late as can be.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHANGES_LOCK})


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view for reading. Raises StoreUnavailable."""
    with translated(), engine.connect() as connection:
        yield connection


def server_settings(engine: Engine, names: Iterable[str]) -> dict[str, str]:
    """What a PostgreSQL server was told; nothing for SQLite. Raises StoreUnavailable."""
    if engine.dialect.name != "postgresql":
        return {}
    query = text("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(:names)")
    with reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(query, {"names": list(names)})}


def _alembic(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine) -> None:
    """Bring the tables to this version. Safe to repeat; SQLite files are created."""
    with translated():
        command.upgrade(_alembic(engine), "head")


def check_version(engine: Engine, remedy: str = "run 'central-ingest migrate'") -> None:
    """Raises RefusedToStart where the tables are of another version than this program."""
    head = ScriptDirectory.from_config(_alembic(engine)).get_current_head()
    with translated(), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != head:
        raise RefusedToStart(
            f"the database is at version {found}, this program expects {head}: {remedy}"
        )
