"""Memory that two processes share: what one wrote the other reads."""

import os
import resource
import signal

import pytest

from central_ingest.shared_memory import SharedMemory


def test_what_one_writes_the_other_reads() -> None:
    number = os.memfd_create("test")
    mine, theirs = SharedMemory(number), SharedMemory(os.dup(number))
    # Small, larger, smaller again, so large that it is given back, and small.
    for size_bytes in (10, 100_000, 3, 40 << 20, 1, 20):
        data = os.urandom(min(size_bytes, 1000)) * (size_bytes // min(size_bytes, 1000))
        mine.write(data)
        assert theirs.read(len(data), bytes) == data
    assert os.fstat(number).st_size == 20
    mine.close()
    theirs.close()


def test_what_was_written_in_part_is_an_error() -> None:
    memory = SharedMemory(os.memfd_create("test"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(OSError, match="4096 of 5000 bytes"):
            memory.write(b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        memory.close()
