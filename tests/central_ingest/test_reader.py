"""The reading process as who files sees it; with a broker it is tried in `test_ingest`."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from central_ingest.config import BrokerSettings, IngestSettings
from central_ingest.errors import SubscriberStopped
from central_ingest.reader import Reader, Shelf


@pytest.fixture
def reader() -> Iterator[Reader]:
    with closing(socket.create_server(("127.0.0.1", 0))) as nobody:
        port = nobody.getsockname()[1]
    made = Reader("test", BrokerSettings(port=port), IngestSettings())
    made.start()
    yield made
    made.stop()


def take_until_it_says(reader: Reader, word: str) -> None:
    ends_s = time.monotonic() + 30
    while word not in reader.detail and time.monotonic() < ends_s:
        assert reader.take(0.1) is None
    assert word in reader.detail


def test_a_reader_without_a_broker_says_so(reader: Reader) -> None:
    take_until_it_says(reader, "no broker answers")
    assert not reader.connected


def test_who_asks_a_reading_process_that_was_killed_is_told(reader: Reader) -> None:
    take_until_it_says(reader, "no broker answers")
    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGKILL)
    with pytest.raises(SubscriberStopped, match="the reading process ended"):
        reader.take(20)
    reader.send([("a/topic", b"a body")])  # goes nowhere, as while disconnected


def test_a_reader_that_was_never_started_can_be_stopped() -> None:
    Reader("test", BrokerSettings(), IngestSettings()).stop()


def test_what_was_laid_on_a_shelf_is_seen_by_the_other_process() -> None:
    number = os.memfd_create("test")
    mine, theirs = Shelf(number), Shelf(os.dup(number))
    # Small, larger, smaller again, so large that it is given back, and small.
    for size_bytes in (10, 100_000, 3, 40 << 20, 1, 20):
        data = os.urandom(min(size_bytes, 1000)) * (size_bytes // min(size_bytes, 1000))
        mine.lay(data)
        assert theirs.look(len(data), bytes) == data
    assert os.fstat(number).st_size == 20
    mine.close()
    theirs.close()
