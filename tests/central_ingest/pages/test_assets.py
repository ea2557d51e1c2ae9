from pathlib import Path

import pytest

from central_ingest.errors import RefusedToStart
from central_ingest.pages.assets import PAGES, lock_hash, require_assets, version_tag


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "package-lock.json").write_text("{}", encoding="ascii")
    (tmp_path / "static").mkdir()
    return tmp_path


def built_from(pages: Path, lock: str) -> None:
    vendor = pages / "static" / "vendor"
    vendor.mkdir()
    (vendor / "LOCK").write_text(lock + "\n", encoding="ascii")


def test_missing_assets_are_one_clear_line_with_the_command(pages: Path) -> None:
    with pytest.raises(RefusedToStart) as caught:
        require_assets(pages)
    assert "vendor is missing: run `python -m central_ingest.pages.build`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_assets_of_another_lock_file_are_refused(pages: Path) -> None:
    built_from(pages, "0" * 64)
    with pytest.raises(RefusedToStart, match=r"built from another package-lock\.json"):
        require_assets(pages)


def test_assets_of_this_lock_file_are_taken(pages: Path) -> None:
    built_from(pages, lock_hash(pages))
    require_assets(pages)


def test_the_version_changes_with_every_own_asset(pages: Path) -> None:
    before = version_tag(pages)
    (pages / "static" / "live.js").write_text("1", encoding="ascii")
    assert version_tag(pages) != before


def test_no_registry_stands_in_the_lock_file() -> None:
    lock = (PAGES / "package-lock.json").read_text(encoding="utf-8")
    assert "http" not in lock
    assert '"integrity"' in lock
