"""Files that nobody unasked could read at any moment, each whole: written beside, then renamed."""

import errno
import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from central_ingest.errors import AuthorityError

OWN_MODE = 0o600
SHARED_MODE = 0o640
_KEEP = -1  # as chown(2) has it


@dataclass(frozen=True, slots=True)
class _Owned:
    """Whose a file will be, and what they may do with it."""

    uid: int
    gid: int
    mode: int


class NewFiles:
    """Files that take their places together at the end of a `with` block, or none does.

    They lie beside what they replace until then, so that a full disk or a missing right shows
    before anything is changed. Raises AuthorityError.
    """

    def __init__(self) -> None:
        self._partials: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            self._take_places()
            return
        for partial in self._partials.values():
            partial.unlink(missing_ok=True)

    def put(self, path: Path, text: str) -> None:
        """A file that only we can read, whoever could read the one before."""
        self._write(path, text, _Owned(_KEEP, _KEEP, OWN_MODE))

    def put_shared(self, path: Path, text: str) -> None:
        """A file for others, too: owner, group and mode are those of the file before.

        A file that is new is for its folder's group: the operator gave the folder to who reads it.
        """
        try:
            before = path.stat()
            owned = _Owned(before.st_uid, before.st_gid, before.st_mode & 0o777)
        except FileNotFoundError:
            owned = _Owned(_KEEP, _group_of(path.parent), SHARED_MODE)
        except OSError as error:
            raise _unwritten(path, error) from error
        self._write(path, text, owned)

    def _write(self, path: Path, text: str, owned: _Owned) -> None:
        partial = path.with_name(f".{path.name or 'new'}.partial")
        try:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_MODE)
            self._partials[path] = partial
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                _give(path, descriptor, owned)
                file.write(text)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise _unwritten(path, error) from error

    def _take_places(self) -> None:
        for path, partial in self._partials.items():
            try:
                partial.replace(path)
            except OSError as error:
                # What lies there may be the only copy of new credentials.
                raise AuthorityError(
                    f"{path}: cannot be replaced ({error.strerror}); its new text is in {partial}"
                ) from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read; whole, or not at all. Raises AuthorityError."""
    with NewFiles() as files:
        files.put(path, text)


def _give(path: Path, descriptor: int, owned: _Owned) -> None:
    """Hand an empty file over; first the owner, so that no third one could open it."""
    made = os.fstat(descriptor)
    uid = made.st_uid if owned.uid == _KEEP else owned.uid
    gid = made.st_gid if owned.gid == _KEEP else owned.gid
    if (uid, gid) != (made.st_uid, made.st_gid):
        try:
            os.fchown(descriptor, uid, gid)
        except PermissionError as error:
            user, group = _user(uid), _group(gid)
            raise AuthorityError(
                f"{path}: must stay with {user}:{group}, to whom this user may not give it; "
                f"nothing was changed: run the command as root, or as {user} in the group {group}"
            ) from error
    os.fchmod(descriptor, owned.mode)


def _group_of(folder: Path) -> int:
    try:
        return folder.stat().st_gid
    except OSError as error:
        raise _unwritten(folder, error) from error


def _unwritten(path: Path, error: OSError) -> AuthorityError:
    return AuthorityError(f"{path}: cannot be written ({error.strerror})")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
