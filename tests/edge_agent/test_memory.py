"""Threads that come and go leave no memory behind that nobody uses."""

import platform
import subprocess
import sys

import pytest

# Threads that live side by side and free in another order than they took: as cameras do.
CHURN = """
import sys, threading
from pathlib import Path
from edge_agent.memory import keep_small
if sys.argv[1] == "small":
    assert keep_small()
def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
barrier = threading.Barrier(8)
def camera(kept):
    barrier.wait()
    pictures = [bytearray(300_000) for _ in range(60)]
    kept.extend(pictures[::20])
kept = []
before = resident_mb()
for _ in range(6):
    threads = [threading.Thread(target=camera, args=(kept,)) for _ in range(8)]
    for one in threads: one.start()
    for one in threads: one.join()
    del kept[: len(kept) // 2]
print(resident_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told anything")
def test_the_allocator_gives_back_what_threads_no_longer_use() -> None:
    grown = {}
    for how in ("small", "as it is"):
        done = subprocess.run(
            [sys.executable, "-c", CHURN, how], capture_output=True, text=True, check=True
        )
        grown[how] = float(done.stdout)
    assert grown["small"] < 0.7 * grown["as it is"]
