"""How long the machine's disk takes for next to nothing, while something else is measured.

Who promises that what is receipted is on disk waits for it. A disk that now and then takes a second
for 4 KB, for whatever other reason, shows here, and not only in what is measured.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_EVERY_S: Final = 0.25
_BLOCK: Final = bytes(4096)


@contextmanager
def probing_disk(folder: Path) -> Iterator[list[float]]:
    """Write 4 KB in `folder` four times a second; gives how many seconds each took, as they come.

    Raises OSError where the folder cannot be written.
    """
    path, ended = folder / "disk-probe", threading.Event()
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    syncs_s: list[float] = []

    def probe() -> None:
        while not ended.wait(_EVERY_S):
            began = time.perf_counter()
            os.pwrite(file, _BLOCK, 0)
            os.fdatasync(file)
            syncs_s.append(time.perf_counter() - began)

    thread = threading.Thread(target=probe, name="disk probe", daemon=True)
    thread.start()
    try:
        yield syncs_s
    finally:
        ended.set()
        thread.join()
        os.close(file)
        path.unlink()
