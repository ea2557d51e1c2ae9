"""PostgreSQL's write-ahead log, brought to disk beside the filing.

A transaction that is not `durable` holds its locks no longer than it works; what it committed is on
disk once a later transaction waited for it, which a session of its own does in another thread.

A server that crashes in between has lost what was committed, and one that is asked again afterwards
would say that all it knows is on disk. So the session is opened before the transactions for which
it speaks: it ends with its server, and does not speak for what was committed in its time any more.
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError

from central_ingest.errors import StoreUnavailable
from central_ingest.store.database import Engine, translated

# A commit waits for the disk only if it wrote something, and then for all that came before it.
_WRITE = text("SELECT pg_backend_pid() FROM pg_logical_emit_message(true, 'gridwatch', '')")
_WHOSE = text("SELECT pg_backend_pid()")


class ServerLog:
    """Brings to disk what a worker commits; `wait` gives what does so.

    The same steps as `WriteAheadLog` of an SQLite file.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: _Session | None = None

    def start(self) -> None:
        """Nothing: the database may be away when a worker starts."""

    def stop(self) -> None:
        """Let the session go."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def wait(self) -> Callable[[], None]:
        """Before the next transactions: what brings to disk what they commit.

        Raises StoreUnavailable, and so does what is returned when the server that was to know of
        the commits is gone: they may be lost, and nobody may be told of them.
        """
        if self._session is None or self._session.ended:
            self._session = _Session(self._engine)
        return self._session.flush

    def filed(self, reports: int) -> None:
        """Nothing: the server looks after its log."""


class _Session:
    """A connection to one process of one server; another process behind it ends it."""

    def __init__(self, engine: Engine) -> None:
        self.ended = False
        with translated():
            self._connection = engine.connect()
        self._process = self._ask(_WHOSE)

    def flush(self) -> None:
        """Wait for the disk. Raises StoreUnavailable, from then on each time."""
        if self.ended:
            raise StoreUnavailable("the database's server ended")
        if self._ask(_WRITE) != self._process:
            self.close()
            raise StoreUnavailable(
                "the database answers by another process than before; a pooler between must leave "
                "each session its own"
            )

    def _ask(self, query: TextClause) -> int:
        """The process that did so, when its transaction has committed. Raises StoreUnavailable."""
        with ExitStack() as otherwise:
            otherwise.callback(self.close)
            with translated(), self._connection.begin():
                process = int(self._connection.execute(query).scalar_one())
            otherwise.pop_all()
        return process

    def close(self) -> None:
        """Give the connection up, whatever its state."""
        self.ended = True
        with suppress(DBAPIError):
            self._connection.invalidate()
        self._connection.close()
