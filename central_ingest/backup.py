"""Backup and restore of a whole site: database and evidence, into a folder and out of it.

The database is copied into one SQLite file whatever kind it is, from one consistent view, while
the centre goes on; then the evidence that it names, each file checked by its hash. A restore fills
an empty database of either kind. `manifest.json` says what a backup holds.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from central_ingest.errors import NotFound, RefusedToStart
from central_ingest.evidence import EvidenceStore, Upload
from central_ingest.store.database import Engine, open_engine, reading
from central_ingest.store.moving import copy_database
from central_ingest.store.pictures import Picture, all_pictures
from contract.messages import format_utc

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """What was written or read: rows of each table, evidence files, those that were missing."""

    rows: dict[str, int]
    evidence: int
    missing: tuple[str, ...]


def back_up(engine: Engine, evidence: EvidenceStore, out: Path, now: datetime) -> Kept:
    """Write a backup into the new folder `out`. Raises RefusedToStart, StoreError."""
    if out.exists():
        raise RefusedToStart(f"{out} exists already; choose another folder for the backup")
    out.mkdir(parents=True, mode=0o700)
    copy = open_engine(f"sqlite:///{out / 'centre.db'}")
    rows = copy_database(engine, copy)
    kept, missing = 0, []
    with reading(copy) as connection:
        pictures = all_pictures(connection)
    for picture in pictures:
        try:
            _keep(evidence.path(picture.sha256), out / "evidence" / picture.sha256)
            kept += 1
        except NotFound:
            missing.append(picture.sha256)
    copy.dispose()
    done = Kept(rows, kept, tuple(missing))
    manifest: dict[str, Any] = {"schema": "backup/1.0", "at": format_utc(now), **asdict(done)}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return done


def restore(backup: Path, engine: Engine, evidence: EvidenceStore) -> Kept:
    """Fill an empty database and the evidence store from a backup.

    Raises RefusedToStart where the database is not empty or the folder is no whole backup, and
    EvidenceMismatch where a file is not what its name says.
    """
    if not (backup / "manifest.json").is_file():
        raise RefusedToStart(f"{backup} is no whole backup: it has no manifest.json")
    source = open_engine(f"sqlite:///{backup / 'centre.db'}")
    with reading(source) as connection:
        pictures = all_pictures(connection)
    missing = []
    kept = 0
    # Evidence first: a case must not promise pictures that are not there.
    for picture in pictures:
        path = backup / "evidence" / picture.sha256
        if path.is_file():
            _bring_back(path, picture, evidence)
            kept += 1
        else:
            missing.append(picture.sha256)
    rows = copy_database(source, engine)
    source.dispose()
    return Kept(rows, kept, tuple(missing))


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
