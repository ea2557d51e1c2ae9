"""Masked pictures and clips, named by the hash of their bytes, on a shelf.

A shelf is a folder, or a bucket that several servers share (`evidence_s3`). `partial/abcdef…` is
still arriving, always in a folder of this server; it goes onto the shelf, as `ab/abcdef…`, only
after its hash was checked and its bytes were synced to disk, so that a crash leaves a partial file,
never a wrong one.
"""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from central_ingest.errors import (
    EvidenceBusy,
    EvidenceMismatch,
    EvidenceOutOfStep,
    EvidenceTooLarge,
    NotFound,
)

_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_HEADS = {
    "image/jpeg": (0, b"\xff\xd8\xff"),
    "image/png": (0, b"\x89PNG\r\n\x1a\n"),
    "image/webp": (8, b"WEBP"),
    "video/mp4": (4, b"ftyp"),
}
MEDIA_TYPES = tuple(_HEADS)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Upload:
    """What an agent says about the bytes it sends: their name, type, and place in the whole."""

    sha256: str
    media_type: str
    start: int
    total: int


class Arriving:
    """An upload under way; bytes are appended to a partial file that outlives the connection."""

    def __init__(self, upload: Upload, file: BinaryIO) -> None:
        self._upload = upload
        self._file = file
        self.received = upload.start

    def write(self, chunk: bytes) -> None:
        """Append bytes. Raises EvidenceMismatch when more come than were announced."""
        self.received += len(chunk)
        if self.received > self._upload.total:
            raise EvidenceMismatch(
                f"evidence {self._upload.sha256}: more than the announced "
                f"{self._upload.total} bytes came"
            )
        self._file.write(chunk)


class Shelf(Protocol):
    """Where verified evidence lies. Several threads, processes and servers may use one."""

    def holds(self, sha256: str) -> bool:
        """Whether it is there."""
        ...

    def keep(self, sha256: str, source: Path, media_type: str) -> None:
        """Take over a verified and synced file; it is gone from `source` afterwards."""
        ...

    def fetch(self, sha256: str) -> Path:
        """The bytes as a file of this machine. Raises NotFound."""
        ...


class FolderShelf:
    """A folder, which servers may share over the network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holds(self, sha256: str) -> bool:
        """Whether it is there."""
        return self._path(sha256).is_file()

    def keep(self, sha256: str, source: Path, media_type: str) -> None:
        """Give the file its name."""
        del media_type
        final = self._path(sha256)
        final.parent.mkdir(exist_ok=True)
        source.replace(final)
        _sync_folder(final.parent)

    def fetch(self, sha256: str) -> Path:
        """The file. Raises NotFound."""
        path = self._path(sha256)
        if not path.is_file():
            raise NotFound(f"evidence {sha256} is not here")
        return path

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


class EvidenceStore:
    """Takes evidence in and gives it out; may be called from several threads and processes."""

    def __init__(self, folder: Path, max_bytes: int, shelf: Shelf | None = None) -> None:
        self._partial = folder / "partial"
        self._max_bytes = max_bytes
        self._shelf = shelf or FolderShelf(folder)
        self._partial.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """The verified file. Raises NotFound when it is not here, EvidenceAway."""
        return self._shelf.fetch(_checked(sha256))

    def holds(self, sha256: str) -> bool:
        """Whether it is here, complete and verified. Raises NotFound for no hash, EvidenceAway."""
        return self._shelf.holds(_checked(sha256))

    def received_bytes(self, sha256: str) -> int:
        """How many bytes of an unfinished upload are here; 0 where none is."""
        try:
            return (self._partial / _checked(sha256)).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def receive(self, upload: Upload) -> Iterator[Arriving]:
        """Take bytes in, from `upload.start` on; what came stays when the sender breaks off.

        Raises EvidenceMismatch, EvidenceTooLarge, EvidenceOutOfStep when the store waits for
        another byte, EvidenceBusy when somebody else is sending the same evidence now.
        """
        self._check(upload)
        with (self._partial / _checked(upload.sha256)).open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise EvidenceBusy(
                    f"evidence {upload.sha256} is arriving on another connection; try again later"
                ) from error
            here = file.seek(0, os.SEEK_END)
            if upload.start == 0:
                file.truncate(0)
            elif upload.start != here:
                raise EvidenceOutOfStep(
                    f"evidence {upload.sha256}: byte {upload.start} came, {here} was expected",
                    here,
                )
            yield Arriving(upload, file)

    def finish(self, upload: Upload) -> None:
        """Check size, hash and type, and put the file onto the shelf.

        Raises EvidenceMismatch; what came is then thrown away, for it can never become right.
        Raises EvidenceAway; then it stays, and the same step may work later.
        """
        partial = self._partial / _checked(upload.sha256)
        try:
            with partial.open("rb") as file:
                _verify(upload, file)
                os.fsync(file.fileno())
        except EvidenceMismatch:
            partial.unlink(missing_ok=True)
            raise
        self._shelf.keep(upload.sha256, partial, upload.media_type)

    def drop_stale_partials(self, older_than_s: float) -> int:
        """Remove uploads that nobody continued for so long; returns how many."""
        limit = time.time() - older_than_s
        stale = [file for file in self._partial.iterdir() if file.stat().st_mtime < limit]
        for file in stale:
            file.unlink(missing_ok=True)
        return len(stale)

    def _check(self, upload: Upload) -> None:
        if upload.media_type not in _HEADS:
            raise EvidenceMismatch(
                f"evidence {upload.sha256}: type {upload.media_type!r} is not taken; "
                f"one of {', '.join(MEDIA_TYPES)} was expected"
            )
        if upload.total > self._max_bytes:
            raise EvidenceTooLarge(
                f"evidence {upload.sha256} has {upload.total} bytes; "
                f"at most {self._max_bytes} are taken (evidence.max_bytes)"
            )


def _checked(sha256: str) -> str:
    if not _SHA256.match(sha256):
        raise NotFound(f"{sha256[:80]!r} is no SHA-256 in lower-case hex")
    return sha256


def _verify(upload: Upload, file: BinaryIO) -> None:
    head = file.read(16)
    offset, expected = _HEADS[upload.media_type]
    if head[offset : offset + len(expected)] != expected:
        raise EvidenceMismatch(
            f"evidence {upload.sha256} does not begin as {upload.media_type} does"
        )
    digest, size = hashlib.sha256(head), len(head)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    if size != upload.total:
        raise EvidenceMismatch(
            f"evidence {upload.sha256}: {size} bytes came, {upload.total} were announced"
        )
    if digest.hexdigest() != upload.sha256:
        raise EvidenceMismatch(
            f"evidence {upload.sha256}: the bytes have the hash {digest.hexdigest()}"
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
