"""Which camera's decoding crashed the process, learned from the dump that the crash left.

A crash in a decoder (SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL) ends all threads at once.
faulthandler, the interpreter's own, writes which thread it was; the next start reads that and
counts it against the camera whose thread it was. A kill or a power cut leaves no dump and blames
nobody.
"""

import contextlib
import faulthandler
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

SET_ASIDE_AFTER = 2
# Decoding for so long without a crash clears a camera's name.
FORGIVEN_AFTER_S = 600.0

_CURRENT = re.compile(r"^Current thread 0x([0-9a-f]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """A camera's thread in this run, and its crashes under one configuration."""

    config_sha256: str
    crashes: int = 0
    thread: int = 0


class CrashBook:
    """Keeps the records in a small JSON file of the state folder; threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Read the book and, from the last run's dump, whom to blame."""
        self._path = folder / "crashes.json"
        self._dump_path = folder / "crash.txt"
        self._lock = threading.Lock()
        self._records = self._read()
        self.blamed = self._blame()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Have crashes of this process dumped while inside."""
        with self._dump_path.open("w", encoding="utf-8") as dump:
            faulthandler.enable(dump, all_threads=True)  # else the thread is not named
            try:
                yield
            finally:
                faulthandler.disable()

    def admits(self, camera_id: str, config_sha256: str) -> bool:
        """Say whether a camera may be opened; an edited camera file gives it a new chance."""
        with self._lock:
            record = self._records.get(camera_id)
            if record is None or record.config_sha256 != config_sha256:
                self._records[camera_id] = CameraRecord(config_sha256)
                self._write()
                return True
            return record.crashes < SET_ASIDE_AFTER

    def decoding_here(self, camera_id: str) -> None:
        """Note that this thread decodes a camera that was admitted."""
        self._change(camera_id, thread=threading.get_ident())

    def decodes_well(self, camera_id: str) -> None:
        """Clear a camera's name."""
        if self._records[camera_id].crashes:
            self._change(camera_id, crashes=0)

    def _change(
        self, camera_id: str, *, thread: int | None = None, crashes: int | None = None
    ) -> None:
        with self._lock:
            old = self._records[camera_id]
            self._records[camera_id] = CameraRecord(
                old.config_sha256,
                old.crashes if crashes is None else crashes,
                old.thread if thread is None else thread,
            )
            self._write()

    def _blame(self) -> tuple[str, ...]:
        dump = self._dump_path.read_text(encoding="utf-8") if self._dump_path.exists() else ""
        found = _CURRENT.search(dump)
        thread = int(found.group(1), 16) if found else 0
        blamed = tuple(name for name, r in self._records.items() if thread and r.thread == thread)
        for name, old in self._records.items():
            crashes = old.crashes + (name in blamed)
            self._records[name] = CameraRecord(old.config_sha256, crashes)
        self._write()
        self._dump_path.unlink(missing_ok=True)
        return blamed

    def _read(self) -> dict[str, CameraRecord]:
        """Read the book; one that a crash tore is begun anew."""
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return {name: CameraRecord(**entry) for name, entry in entries.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self) -> None:
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({n: asdict(r) for n, r in self._records.items()}))
        partial.rename(self._path)
