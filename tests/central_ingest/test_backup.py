"""Backup and restore, drilled: what was lost comes back whole, evidence checked by its hash."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from central_ingest.backup import back_up, restore
from central_ingest.errors import EvidenceMismatch, RefusedToStart
from central_ingest.evidence import EvidenceStore, Upload
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, open_engine, reading, writing
from central_ingest.store.filing import FilingRules
from central_ingest.store.pictures import Picture, note_stored
from central_ingest.store.queries import count_everything, get_case

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
JPEG = b"\xff\xd8\xff" + b"street" * 1000
SHA = hashlib.sha256(JPEG).hexdigest()


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceStore:
    """A store that holds one picture."""
    store = EvidenceStore(tmp_path / "evidence", 1 << 20)
    upload = Upload(SHA, "image/jpeg", 0, len(JPEG))
    with store.receive(upload) as arriving:
        arriving.write(JPEG)
    store.finish(upload)
    return store


@pytest.fixture
def site(engine: Engine, evidence: EvidenceStore, message: Callable[..., Any]) -> Engine:
    """A case with its picture."""
    ref = {"sha256": SHA, "kind": "still_marked", "media_type": "image/jpeg", "bytes": len(JPEG)}
    file_batch(engine, [message(1, evidence=[ref])], FilingRules(), NOW)
    with writing(engine) as connection:
        note_stored(connection, Picture(SHA, "image/jpeg", len(JPEG)), "gw-01", NOW)
    return engine


@pytest.fixture
def fresh(tmp_path: Path) -> tuple[Engine, EvidenceStore]:
    """A new machine: nothing is there."""
    return open_engine(f"sqlite:///{tmp_path / 'new.db'}"), EvidenceStore(tmp_path / "new", 1 << 20)


def test_what_was_backed_up_comes_back_whole_on_a_new_machine(
    site: Engine, evidence: EvidenceStore, fresh: tuple[Engine, EvidenceStore], tmp_path: Path
) -> None:
    kept = back_up(site, evidence, tmp_path / "backup", NOW)
    assert (kept.evidence, kept.missing) == (1, ())
    assert json.loads((tmp_path / "backup" / "manifest.json").read_text())["rows"]["case"] == 1
    restore(tmp_path / "backup", *fresh)
    with reading(site) as one, reading(fresh[0]) as other:
        assert get_case(other, 1) == get_case(one, 1)
        assert count_everything(other) == count_everything(one)
    assert fresh[1].path(SHA).read_bytes() == JPEG
    fresh[0].dispose()


def test_a_backup_is_read_by_nobody_else_and_never_overwritten(
    site: Engine, evidence: EvidenceStore, tmp_path: Path
) -> None:
    back_up(site, evidence, tmp_path / "backup", NOW)
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    with pytest.raises(RefusedToStart, match="exists already"):
        back_up(site, evidence, tmp_path / "backup", NOW)


def test_evidence_that_is_gone_is_named_and_stops_nothing(
    site: Engine, evidence: EvidenceStore, tmp_path: Path
) -> None:
    evidence.path(SHA).unlink()
    assert back_up(site, evidence, tmp_path / "backup", NOW).missing == (SHA,)


def test_a_damaged_backup_is_not_restored(
    site: Engine, evidence: EvidenceStore, fresh: tuple[Engine, EvidenceStore], tmp_path: Path
) -> None:
    back_up(site, evidence, tmp_path / "backup", NOW)
    (tmp_path / "backup" / "evidence" / SHA).write_bytes(JPEG[:-1] + b"!")
    with pytest.raises(EvidenceMismatch):
        restore(tmp_path / "backup", *fresh)
    fresh[0].dispose()


def test_a_folder_without_manifest_is_no_backup(
    fresh: tuple[Engine, EvidenceStore], tmp_path: Path
) -> None:
    with pytest.raises(RefusedToStart, match=r"no manifest\.json"):
        restore(tmp_path / "nothing", *fresh)
    fresh[0].dispose()
