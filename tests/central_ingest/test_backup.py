"""Backup and restore, drilled: what was lost comes back whole, evidence checked by its hash."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from central_ingest.authority import Authority
from central_ingest.backup import Site, back_up, restore
from central_ingest.errors import EvidenceMismatch, NotFound, RefusedToStart
from central_ingest.evidence import EvidenceStore, Upload
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, migrate, open_engine, reading, writing
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
def site(
    engine: Engine, evidence: EvidenceStore, message: Callable[..., Any], tmp_path: Path
) -> Site:
    """A case with its picture."""
    ref = {"sha256": SHA, "kind": "still_marked", "media_type": "image/jpeg", "bytes": len(JPEG)}
    file_batch(engine, [message(1, evidence=[ref])], FilingRules(), NOW)
    with writing(engine) as connection:
        note_stored(connection, Picture(SHA, "image/jpeg", len(JPEG)), "gw-01", NOW)
    return Site(engine, evidence, tmp_path / "authority")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Site]:
    """A new machine: nothing is there."""
    made = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    yield Site(made, EvidenceStore(tmp_path / "new", 1 << 20), tmp_path / "new-authority")
    made.dispose()


def assert_same(one: Site, other: Site) -> None:
    with reading(one.engine) as before, reading(other.engine) as after:
        assert get_case(after, 1) == get_case(before, 1)
        assert count_everything(after) == count_everything(before)
    assert other.evidence.path(SHA).read_bytes() == JPEG


def test_what_was_backed_up_comes_back_whole_on_a_new_machine(
    site: Site, fresh: Site, tmp_path: Path
) -> None:
    kept = back_up(site, tmp_path / "backup", NOW)
    assert (kept.evidence, kept.missing, kept.authority) == (1, (), False)
    assert json.loads((tmp_path / "backup" / "manifest.json").read_text())["rows"]["case"] == 1
    held = {path.name for path in (tmp_path / "backup").iterdir()}
    assert held == {"centre.db", "evidence", "manifest.json"}
    restore(tmp_path / "backup", fresh)
    assert_same(site, fresh)
    assert not fresh.authority.exists()


def test_a_backup_of_either_database_comes_back_in_postgresql_and_counts_on(
    site: Site, fresh: Site, postgres: Any, tmp_path: Path, message: Callable[..., Any]
) -> None:
    back_up(site, tmp_path / "backup", NOW)
    larger = open_engine(postgres.new_database())
    moved = Site(larger, fresh.evidence, fresh.authority)
    restore(tmp_path / "backup", moved)
    assert_same(site, moved)
    file_batch(larger, [message(2, north_m=500)], FilingRules(), NOW)
    with reading(larger) as connection:
        assert get_case(connection, 2).summary.number != get_case(connection, 1).summary.number
    back_up(moved, tmp_path / "second", NOW)
    larger.dispose()
    restore(tmp_path / "second", replace(fresh, evidence=EvidenceStore(tmp_path / "last", 1 << 20)))
    with reading(fresh.engine) as connection:
        assert count_everything(connection)["cases"] == 2


def test_the_authority_comes_along_and_its_agents_are_known_again(
    site: Site, fresh: Site, tmp_path: Path
) -> None:
    before = Authority(site.authority).pem
    assert back_up(site, tmp_path / "backup", NOW).authority
    restore(tmp_path / "backup", fresh)
    assert Authority(fresh.authority).pem == before
    for folder in (tmp_path / "backup" / "authority", fresh.authority):
        assert folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_a_restore_that_a_filled_database_refuses_brings_no_evidence_back(
    site: Site, fresh: Site, tmp_path: Path, message: Callable[..., Any]
) -> None:
    back_up(site, tmp_path / "backup", NOW)
    migrate(fresh.engine)
    file_batch(fresh.engine, [message(1)], FilingRules(), NOW)
    with pytest.raises(RefusedToStart, match="the new database holds rows of"):
        restore(tmp_path / "backup", fresh)
    with pytest.raises(NotFound):
        fresh.evidence.path(SHA)


def test_an_authority_of_another_site_is_not_replaced(
    site: Site, fresh: Site, tmp_path: Path
) -> None:
    Authority(site.authority)
    other = Authority(fresh.authority).pem
    back_up(site, tmp_path / "backup", NOW)
    with pytest.raises(RefusedToStart, match="another certificate authority"):
        restore(tmp_path / "backup", fresh)
    assert Authority(fresh.authority).pem == other


def test_a_backup_is_read_by_nobody_else_and_never_overwritten(site: Site, tmp_path: Path) -> None:
    back_up(site, tmp_path / "backup", NOW)
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    with pytest.raises(RefusedToStart, match="exists already"):
        back_up(site, tmp_path / "backup", NOW)


def test_evidence_that_is_gone_is_named_and_stops_nothing(site: Site, tmp_path: Path) -> None:
    site.evidence.path(SHA).unlink()
    assert back_up(site, tmp_path / "backup", NOW).missing == (SHA,)


def test_a_damaged_backup_is_not_restored(site: Site, fresh: Site, tmp_path: Path) -> None:
    back_up(site, tmp_path / "backup", NOW)
    (tmp_path / "backup" / "evidence" / SHA).write_bytes(JPEG[:-1] + b"!")
    with pytest.raises(EvidenceMismatch):
        restore(tmp_path / "backup", fresh)


@pytest.mark.parametrize("name", ["manifest.json", "centre.db", "authority/ca.key"])
def test_a_folder_that_lacks_a_part_is_no_backup_and_stays_as_it_is(
    site: Site, fresh: Site, tmp_path: Path, name: str
) -> None:
    Authority(site.authority)
    back_up(site, tmp_path / "backup", NOW)
    (tmp_path / "backup" / name).unlink()
    before = {path.name for path in (tmp_path / "backup").iterdir()}
    with pytest.raises(RefusedToStart, match=f"is no whole backup: it has no {name}"):
        restore(tmp_path / "backup", fresh)
    assert {path.name for path in (tmp_path / "backup").iterdir()} == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "Invalid JSON: EOF"),
        ("[]", "Input should be an object"),
        ("{}", "rows: Field required"),
    ],
)
def test_a_manifest_that_says_nothing_is_named(
    site: Site, fresh: Site, tmp_path: Path, text: str, expected: str
) -> None:
    back_up(site, tmp_path / "backup", NOW)
    (tmp_path / "backup" / "manifest.json").write_text(text)
    with pytest.raises(RefusedToStart, match=rf"manifest\.json: is no manifest .*: {expected}"):
        restore(tmp_path / "backup", fresh)


def test_a_backup_that_lost_rows_is_not_restored(site: Site, fresh: Site, tmp_path: Path) -> None:
    back_up(site, tmp_path / "backup", NOW)
    path = tmp_path / "backup" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["rows"]["report"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(RefusedToStart, match=r"'report' has 1 rows, manifest\.json says 2"):
        restore(tmp_path / "backup", fresh)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (0.0, "at version None, .* restore it with the program that wrote it"),
        (0.0002, r"centre\.db cannot be read, it may be damaged: .*malformed"),
        (0.5, r"centre\.db cannot be read, it may be damaged: .*malformed"),
        (0.9, r"centre\.db cannot be read, it may be damaged: .*malformed"),
    ],
)
def test_a_truncated_database_is_named(
    site: Site, fresh: Site, tmp_path: Path, part: float, expected: str
) -> None:
    back_up(site, tmp_path / "backup", NOW)
    path = tmp_path / "backup" / "centre.db"
    os.truncate(path, int(part * path.stat().st_size))
    with pytest.raises(RefusedToStart, match=expected):
        restore(tmp_path / "backup", fresh)


def test_a_restore_leaves_its_backup_as_it_is(site: Site, fresh: Site, tmp_path: Path) -> None:
    def look() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "backup").iterdir()}

    back_up(site, tmp_path / "backup", NOW)
    before = look()
    restore(tmp_path / "backup", fresh)
    assert look() == before


def test_a_backup_that_cannot_be_written_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RefusedToStart, match=r"file/backup cannot be written: .*Not a directory"):
        back_up(site, tmp_path / "file" / "backup", NOW)
