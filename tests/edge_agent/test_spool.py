"""Files named by their hash."""

import hashlib
from pathlib import Path

from edge_agent.spool import Spool


def test_a_file_is_named_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "evidence")
    sha256 = spool.put(b"picture")
    assert sha256 == hashlib.sha256(b"picture").hexdigest()
    assert spool.path(sha256).read_bytes() == b"picture"


def test_the_same_bytes_are_one_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.put(b"a") == spool.put(b"a")
    assert len(list(tmp_path.iterdir())) == 1


def test_removing_twice_is_no_error(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    sha256 = spool.put(b"a")
    spool.remove(sha256)
    spool.remove(sha256)
    assert spool.names() == set()


def test_half_written_files_are_deleted(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    sha256 = spool.put(b"a")
    (tmp_path / "torn.partial").write_bytes(b"half")
    assert spool.names() == {sha256}
    assert not (tmp_path / "torn.partial").exists()
