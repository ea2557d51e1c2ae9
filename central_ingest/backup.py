"""Backup and restore of a whole site: database, evidence and authority, into a folder and out.

The database is copied into one SQLite file whatever kind it is, from one consistent view, while
the centre goes on; then the evidence that it names, each file checked by its hash; then the
certificate authority, without which every agent would have to be enrolled again. A restore fills
an empty database of either kind, and never replaces an authority that is there. `manifest.json`
says what a backup holds.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from central_ingest.authority import CERTIFICATE, KEY
from central_ingest.errors import NotFound, RefusedToStart
from central_ingest.evidence import EvidenceStore, Upload
from central_ingest.store.database import Engine, open_engine, open_kept, reading, turn_of
from central_ingest.store.moving import copy_database, count_rows, refuse_filled
from central_ingest.store.pictures import Picture, all_pictures
from contract.messages import format_utc

_CHUNK = 1 << 20
_SCHEMA: Literal["backup/1.0"] = "backup/1.0"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was written or read: rows of each table, evidence files, those that were missing."""

    rows: dict[str, int]
    evidence: int
    missing: tuple[str, ...]
    authority: bool


@dataclass(frozen=True, slots=True)
class _Manifest(Kept):
    """What `manifest.json` says that its folder holds."""

    schema: Literal["backup/1.0"]


_MANIFEST = TypeAdapter(_Manifest)


@dataclass(frozen=True, slots=True)
class Site:
    """What a backup is of: the database, the evidence, the authority's folder (made or not)."""

    engine: Engine
    evidence: EvidenceStore
    authority: Path


def back_up(site: Site, out: Path, now: datetime) -> Kept:
    """Write a backup into the new folder `out`. Raises RefusedToStart, StoreError.

    It holds password hashes and the authority's key: only its owner can read it.
    """
    with _explained(out):
        if out.exists():
            raise RefusedToStart(f"{out} exists already; choose another folder for the backup")
        out.mkdir(parents=True, mode=0o700)
        return _write(site, out, now)


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedToStart(
            f"the backup {out} cannot be written: {error}; choose another folder for it"
        ) from error


def _write(site: Site, out: Path, now: datetime) -> Kept:
    copy = open_engine(f"sqlite:///{out / 'centre.db'}")
    rows = copy_database(site.engine, copy)
    kept, missing = 0, []
    with reading(copy) as connection:
        pictures = all_pictures(connection)
    for picture in pictures:
        try:
            _keep(site.evidence.path(picture.sha256), out / "evidence" / picture.sha256)
            kept += 1
        except NotFound:
            missing.append(picture.sha256)
    copy.dispose()
    turn_of(out / "centre.db").unlink(missing_ok=True)
    authority = _copy_authority(site.authority, out / "authority")
    done = Kept(rows, kept, tuple(missing), authority)
    manifest: dict[str, Any] = {"schema": _SCHEMA, "at": format_utc(now), **asdict(done)}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return done


def restore(backup: Path, site: Site) -> Kept:
    """Fill an empty database, the evidence store and the authority from a backup.

    Raises RefusedToStart where the database is not empty, another authority is there, or the
    folder is no whole backup; EvidenceMismatch where a file is not what its name says. The backup
    is only read.
    """
    manifest = _read_manifest(backup)
    _refuse_another(backup / "authority", site.authority)
    source = open_kept(backup / "centre.db")
    _refuse_other_rows(backup, count_rows(source), manifest.rows)
    # Before any evidence is brought back, which would stay behind.
    refuse_filled(site.engine)
    with reading(source) as connection:
        pictures = all_pictures(connection)
    missing = []
    kept = 0
    # Evidence first: a case must not promise pictures that are not there.
    for picture in pictures:
        path = backup / "evidence" / picture.sha256
        if path.is_file():
            _bring_back(path, picture, site.evidence)
            kept += 1
        else:
            missing.append(picture.sha256)
    rows = copy_database(source, site.engine)
    source.dispose()
    authority = _copy_authority(backup / "authority", site.authority)
    return Kept(rows, kept, tuple(missing), authority)


def _read_manifest(backup: Path) -> _Manifest:
    """What the folder says that it holds. Raises RefusedToStart where that is not all there."""
    path = backup / "manifest.json"
    for needed in (path, backup / "centre.db"):
        if not needed.is_file():
            raise RefusedToStart(f"{backup} is no whole backup: it has no {needed.name}")
    try:
        manifest = _MANIFEST.validate_json(path.read_bytes())
    except OSError as error:
        raise RefusedToStart(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "".join(f"{step}: " for step in first["loc"])
        raise RefusedToStart(
            f"{path}: is no manifest as 'central-ingest backup' writes it: {name}{first['msg']}"
        ) from error
    for name in (KEY, CERTIFICATE):
        if manifest.authority and not (backup / "authority" / name).is_file():
            raise RefusedToStart(f"{backup} is no whole backup: it has no authority/{name}")
    return manifest


def _refuse_other_rows(backup: Path, found: dict[str, int], said: dict[str, int]) -> None:
    for table, count in found.items():
        if count != said.get(table, 0):
            raise RefusedToStart(
                f"{backup} is no whole backup: table '{table}' has {count} rows, "
                f"manifest.json says {said.get(table, 0)}"
            )


def _refuse_another(kept: Path, folder: Path) -> None:
    certificates = [path / CERTIFICATE for path in (kept, folder)]
    if not all(path.is_file() for path in certificates):
        return
    one, other = (path.read_bytes() for path in certificates)
    if one != other:
        raise RefusedToStart(
            f"{folder} holds another certificate authority than the backup: the agents of one of "
            "them would be shut out; move it away, or restore beside it with another --data"
        )


def _copy_authority(folder: Path, target: Path) -> bool:
    """Copy certificate and key where there are some; only their owner reads them."""
    if not (folder / CERTIFICATE).is_file():
        return False
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (KEY, CERTIFICATE):
        descriptor = os.open(target / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write((folder / name).read_bytes())
    return True


def _keep(path: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    digest = hashlib.sha256()
    with path.open("rb") as file, target.open("wb") as out:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != target.name:
        target.unlink()
        raise NotFound(f"evidence {target.name} is damaged")
    shutil.copystat(path, target)


def _bring_back(path: Path, picture: Picture, evidence: EvidenceStore) -> None:
    try:
        evidence.path(picture.sha256)
        return
    except NotFound:
        pass
    upload = Upload(picture.sha256, picture.media_type, 0, picture.bytes)
    with path.open("rb") as file, evidence.receive(upload) as arriving:
        while chunk := file.read(_CHUNK):
            arriving.write(chunk)
    evidence.finish(upload)
