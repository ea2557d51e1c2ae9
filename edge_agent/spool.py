"""A folder of files that are named by the SHA-256 of what they hold."""

import hashlib
import os
from pathlib import Path

_PARTIAL = ".partial"


class Spool:
    """Keeps files that are complete and on the disk, or not there at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Write `data` through to the disk and return its hash; the same bytes are one file."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if path.exists():
            return sha256
        partial = path.with_suffix(_PARTIAL)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        self._sync_folder()
        return sha256

    def path(self, sha256: str) -> Path:
        """Return where the file of this hash lies, or would lie."""
        return self._folder / sha256

    def remove(self, sha256: str) -> None:
        """Delete a file, if it is there."""
        self.path(sha256).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """Return the hashes of all files; what a crash left half-written is deleted."""
        for path in self._folder.glob(f"*{_PARTIAL}"):
            path.unlink(missing_ok=True)
        return {path.name for path in self._folder.iterdir()}

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
