"""Who is told what, and when: never before the disk has it, and in the order of the commits."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from queue import SimpleQueue
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from postgres import Postgres
from sqlalchemy import Connection, event, func, select

from central_ingest.config import IngestSettings
from central_ingest.errors import StoreError, StoreUnavailable
from central_ingest.handover import Batch, decode_batch, encode_batch, pack
from central_ingest.ingest import Ingest
from central_ingest.ingest_metrics import IngestMetrics
from central_ingest.intake import Readable, Unreadable
from central_ingest.reader import Reader
from central_ingest.receipts import Told
from central_ingest.store import tables as t
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, migrate, open_engine, reading
from central_ingest.store.filing import FilingRules
from central_ingest.store.housekeeping import HouseRules
from central_ingest.store.server_log import ServerLog
from central_ingest.telling import Committed, Telling
from contract.topics import AgentAddress

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
OUTBOX = (AgentAddress("demo", "gw-01"), UUID("01980000-0000-7000-8000-00000000beef"))
WITHIN_S = 20.0


class Disk:
    """A disk that stands still until it is let go, or refuses."""

    def __init__(self) -> None:
        self.asked, self.goes_on = SimpleQueue[None](), threading.Event()
        self.refuses = False
        self.flushes = 0

    def flush(self, _file: int = 0) -> None:
        self.flushes += 1
        self.asked.put(None)
        assert self.goes_on.wait(WITHIN_S)
        if self.refuses:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class FakeReader:
    """Hands out batches, and writes down what is sent and acknowledged, in its order."""

    def __init__(self, batches: Sequence[Batch] = ()) -> None:
        self.connected, self.detail = True, "connected"
        self.did: list[tuple[str, list[int]]] = []
        self.idle = threading.Event()
        self.acknowledged: SimpleQueue[list[int]] = SimpleQueue()
        self._batches = list(batches)
        self.again: list[Batch] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def ask(self) -> None: ...

    def take(self, wait_s: float) -> Batch | None:
        if self._batches:
            return self._batches.pop(0)
        self.idle.set()
        threading.Event().wait(min(wait_s, 0.01))
        return None

    def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for _topic, body in messages:
            seqs = [s for a, b in msgspec.json.decode(body)["ranges"] for s in range(a, b + 1)]
            self.did.append(("receipt", seqs))

    def acknowledge(self, batches: Sequence[int]) -> None:
        self.did.append(("puback", list(batches)))
        self.acknowledged.put(list(batches))

    def forget(self, batches: Sequence[int]) -> None:
        self.did.append(("forget", list(batches)))
        self._batches += self.again


def at_once() -> None:
    """The disk has it already."""


def committed(number: int, flush: Callable[[], None] = at_once) -> Committed:
    """Batch `number`, which holds the one report of that number."""
    return Committed(number, 1, ((OUTBOX, Told([number])),), time.monotonic(), flush)


@contextmanager
def telling(reader: FakeReader, pause_s: float = 0.0) -> Iterator[Telling]:
    made = Telling(cast("Reader", reader), pause_s, IngestMetrics(), lambda: NOW)
    made.start()
    yield made
    made.stop()


def test_nobody_is_told_of_what_the_disk_does_not_have_yet() -> None:
    reader, disk = FakeReader(), Disk()
    with telling(reader) as told:
        told.add(committed(1, disk.flush))
        disk.asked.get(timeout=WITHIN_S)
        assert reader.did == []
        disk.goes_on.set()
    assert reader.did == [("receipt", [1]), ("puback", [1])]


def test_what_is_committed_while_the_disk_stands_still_waits_for_one_more_flush() -> None:
    reader, disk = FakeReader(), Disk()
    with telling(reader) as told:
        told.add(committed(1, disk.flush))
        disk.asked.get(timeout=WITHIN_S)
        for number in (2, 3, 4):
            told.add(committed(number, disk.flush))
        disk.goes_on.set()
    assert disk.flushes == 2
    assert reader.did == [
        ("receipt", [1]), ("puback", [1]), ("receipt", [2, 3, 4]), ("puback", [2, 3, 4]),
    ]  # fmt: skip


def test_where_the_disk_refuses_nobody_is_told_and_the_worker_hears_of_it() -> None:
    def refuse() -> None:
        raise StoreError("the disk refuses")

    reader = FakeReader()
    with telling(reader) as told:
        told.check()
        told.add(committed(1, refuse))
    assert reader.did == []
    with pytest.raises(StoreError, match="the disk refuses"):
        told.check()


def test_what_the_server_may_have_lost_is_forgotten_and_what_follows_is_told() -> None:
    def refuse() -> None:
        raise StoreUnavailable("the database's server ended")

    reader, disk = FakeReader(), Disk()
    with telling(reader) as told:
        told.add(committed(1, disk.flush))
        disk.asked.get(timeout=WITHIN_S)
        for number, flush in ((2, at_once), (3, refuse), (4, refuse), (5, at_once)):
            told.add(committed(number, flush))
        disk.goes_on.set()
    told.check()
    assert reader.did == [
        ("receipt", [1]), ("puback", [1]), ("forget", [3, 4]), ("receipt", [2, 5]),
        ("puback", [2, 5]),
    ]  # fmt: skip


def test_no_fault_of_the_thread_stays_unheard() -> None:
    def send(_messages: Sequence[tuple[str, bytes]]) -> None:
        raise ZeroDivisionError

    reader = FakeReader()
    reader.send = send  # type: ignore[method-assign]
    with telling(reader) as told:
        told.add(committed(1))
    with pytest.raises(ZeroDivisionError):
        told.check()


def test_what_waits_for_its_pause_is_told_before_the_end() -> None:
    reader = FakeReader()
    with telling(reader, pause_s=3600) as told:
        told.add(committed(1))
        assert reader.acknowledged.get(timeout=WITHIN_S) == [1]
        told.add(committed(2))
    assert reader.did[2:] == [("receipt", [2]), ("puback", [2])]


def test_what_waits_for_its_pause_is_told_when_that_is_over() -> None:
    reader = FakeReader()
    with telling(reader, pause_s=0.02) as told:
        told.add(committed(1))
        assert reader.acknowledged.get(timeout=WITHIN_S) == [1]
        told.add(committed(2))
        assert reader.acknowledged.get(timeout=WITHIN_S) == [2]


def test_receipts_of_an_ended_connection_are_not_sent() -> None:
    reader = FakeReader()
    reader.connected = False
    with telling(reader) as told:
        told.add(committed(1))
    assert reader.did == [("puback", [1])]


def batch(number: int, messages: Sequence[Readable | Unreadable]) -> Batch:
    packed = [pack(one.delivery, 1 << 18) for one in messages]
    return decode_batch(memoryview(encode_batch(number, 0, packed)), 1 << 18)


@contextmanager
def ingest(engine: Engine, reader: FakeReader) -> Iterator[list[BaseException]]:
    """An ingest at work; what it ended by."""
    settings, rules = IngestSettings(receipt_ms=0), (FilingRules(), HouseRules())
    worker = Ingest(engine, cast("Reader", reader), settings, rules, lambda: NOW)
    stopping, ended_by = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            worker.run(stopping, "ingest")
        except StoreError as error:
            ended_by.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield ended_by
    stopping.set()
    thread.join(WITHIN_S)
    assert not thread.is_alive()


def held(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(t.report)).scalar_one())


@pytest.fixture
def disk(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Disk:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL brings its log to disk by itself: test_server_log")
    made = Disk()
    monkeypatch.setattr(os, "fdatasync", made.flush)
    return made


def test_batches_are_filed_while_the_disk_stands_still_and_receipted_after_it(
    engine: Engine, message: Callable[..., Any], disk: Disk
) -> None:
    batches = [batch(n, [message(n, north_m=50 * n)]) for n in (1, 2, 3)]
    reader = FakeReader(batches)
    with ingest(engine, reader) as ended_by:
        assert reader.idle.wait(WITHIN_S)
        assert held(engine) == 3
        assert reader.did == []
        disk.goes_on.set()
    assert [number for did, what in reader.did if did == "puback" for number in what] == [1, 2, 3]
    assert not ended_by


@pytest.mark.usefixtures("disk")
def test_a_batch_is_committed_without_waiting_for_the_disk_where_that_is_allowed(
    engine: Engine, message: Callable[..., Any]
) -> None:
    levels: list[int] = []

    def look(connection: Connection) -> None:
        levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    event.listen(engine, "commit", look)
    file_batch(engine, [message(1)], FilingRules(), NOW, durable=False)
    file_batch(engine, [message(2)], FilingRules(), NOW)
    assert levels == [1, 2]  # NORMAL: to disk later; FULL


def test_a_worker_whose_disk_refuses_ends_with_the_reason(
    engine: Engine, message: Callable[..., Any], disk: Disk
) -> None:
    disk.refuses = True
    disk.goes_on.set()
    reader = FakeReader([batch(1, [message(1)])])
    with ingest(engine, reader) as ended_by:
        disk.asked.get(timeout=WITHIN_S)
    (error,) = ended_by
    assert "centre.db-wal cannot be written to disk" in str(error)
    assert reader.did == []


def test_what_a_killed_server_lost_comes_again_and_is_told_then(
    lazy_server: Postgres, message: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(lazy_server.new_database())
    migrate(engine)
    disk, to_disk = Disk(), ServerLog.wait
    monkeypatch.setattr(ServerLog, "wait", lambda log: partial(after, disk, to_disk(log)))
    reader = FakeReader([batch(1, [message(1)])])
    reader.again = [batch(2, [message(1)])]
    with ingest(engine, reader) as ended_by:
        disk.asked.get(timeout=WITHIN_S)
        assert held(engine) == 1
        lazy_server.kill()
        lazy_server.start()
        assert held(engine) == 0
        disk.goes_on.set()
        assert reader.acknowledged.get(timeout=WITHIN_S) == [2]
        assert held(engine) == 1
    assert reader.did == [("forget", [1]), ("receipt", [1]), ("puback", [2])]
    assert not ended_by
    engine.dispose()


def after(disk: Disk, flush: Callable[[], None]) -> None:
    disk.flush()
    flush()
