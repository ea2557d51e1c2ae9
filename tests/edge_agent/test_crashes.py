"""A decoder that crashes the process is found by its thread, and set aside."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from edge_agent.crashes import CrashBook

CHILD = """
import ctypes, sys, threading, time
from pathlib import Path
from edge_agent.crashes import CrashBook
book = CrashBook(Path(sys.argv[1]))
def decode(camera_id):
    book.decoding_here(camera_id)
    if camera_id == sys.argv[2]:
        together.wait()
        ctypes.string_at(0)
    together.wait()
    threading.Event().wait()
together = threading.Barrier(2)
with book.watching():
    for camera_id in ("good", "bad"):
        book.admits(camera_id, "config")
        threading.Thread(target=decode, args=(camera_id,)).start()
    print("running", flush=True)
    threading.Event().wait()
"""


def start(folder: Path, crashing: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), crashing],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


def test_the_camera_whose_thread_crashed_is_set_aside_after_two_crashes(tmp_path: Path) -> None:
    for expected in (True, False):
        child = start(tmp_path, "bad")
        child.communicate()
        assert child.returncode == -signal.SIGSEGV
        book = CrashBook(tmp_path)
        assert book.blamed == ("bad",)
        assert book.admits("bad", "config") is expected
        assert book.admits("good", "config")


def test_an_edited_camera_gets_a_new_chance(tmp_path: Path) -> None:
    for _ in range(2):
        start(tmp_path, "bad").communicate()
        book = CrashBook(tmp_path)
    assert not book.admits("bad", "config")
    assert book.admits("bad", "another config")


def test_a_kill_blames_nobody(tmp_path: Path) -> None:
    child = start(tmp_path, "nobody")
    assert child.stdout is not None
    child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert CrashBook(tmp_path).blamed == ()


def test_a_camera_that_decodes_well_is_forgiven(tmp_path: Path) -> None:
    start(tmp_path, "bad").communicate()
    book = CrashBook(tmp_path)
    assert book.admits("bad", "config")
    book.decodes_well("bad")
    start(tmp_path, "bad").communicate()
    assert CrashBook(tmp_path).admits("bad", "config")


def test_a_torn_book_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "crashes.json").write_text('{"bad": {"crash')
    assert CrashBook(tmp_path).admits("bad", "config")
