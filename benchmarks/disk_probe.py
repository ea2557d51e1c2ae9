"""How long the machine's disk takes for next to nothing, while something else is measured.

Who promises that what is receipted is on disk waits for it. A disk that now and then takes a second
for 4 KB, for whatever other reason, shows here, and not only in what is measured.
"""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_EVERY_S: Final = 0.25
_BLOCK: Final = bytes(4096)


class DiskProbe:
    """Writes 4 KB in `folder` four times a second and waits until they are on disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "disk-probe"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk probe", daemon=True)
        self.syncs_s: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            while not self._ended.wait(_EVERY_S):
                began = time.perf_counter()
                os.pwrite(file, _BLOCK, 0)
                os.fdatasync(file)
                self.syncs_s.append(time.perf_counter() - began)
        finally:
            os.close(file)
            with suppress(OSError):
                self._path.unlink()
