"""Files that come whole: whose they are, who reads them, and what stays where one cannot be written."""

import os
from pathlib import Path
from typing import Any

import pytest

from central_ingest.errors import AuthorityError
from central_ingest.private_files import NewFiles, write_private


def put_shared(path: Path, text: str) -> None:
    with NewFiles() as files:
        files.put_shared(path, text)


def test_a_private_file_is_whole_and_closed_even_where_an_open_one_was(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_shared_file_keeps_group_and_mode_when_it_is_written_again(
    tmp_path: Path, other_group: int, mode: int
) -> None:
    path = tmp_path / "acl"
    path.write_text("old")
    os.chown(path, -1, other_group)
    path.chmod(mode)
    put_shared(path, "new")
    there = path.stat()
    assert (path.read_text(), there.st_gid, there.st_mode & 0o777) == ("new", other_group, mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another user")
def test_a_shared_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "acl"
    path.write_text("old")
    os.chown(path, 4343, -1)
    put_shared(path, "new")
    assert (path.read_text(), path.stat().st_uid) == ("new", 4343)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_shared_file_is_for_its_folders_group(
    tmp_path: Path, other_group: int, umask: int
) -> None:
    os.chown(tmp_path, -1, other_group)
    before = os.umask(umask)
    try:
        put_shared(tmp_path / "acl", "new")
    finally:
        os.umask(before)
    there = (tmp_path / "acl").stat()
    assert (there.st_gid, there.st_mode & 0o777) == (other_group, 0o640)


def test_a_private_file_stays_ours_in_a_folder_of_others(tmp_path: Path, other_group: int) -> None:
    os.chown(tmp_path, -1, other_group)
    write_private(tmp_path / "key", "secret")
    there = (tmp_path / "key").stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (
        os.geteuid(), os.getegid(), 0o600,
    )  # fmt: skip


def test_who_may_not_give_a_file_to_its_readers_is_told_so(
    tmp_path: Path, other_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "acl"
    path.write_text("old")
    os.chown(path, -1, other_group)
    monkeypatch.setattr(os, "fchown", refused)
    with pytest.raises(AuthorityError, match=r"acl: must stay with .* run the command as root"):
        put_shared(path, "new")
    assert path.read_text() == "old"


@pytest.mark.parametrize("bad", ["none/file", "folder"])
def test_none_takes_its_place_where_one_cannot_be_written(tmp_path: Path, bad: str) -> None:
    (tmp_path / "acl").write_text("old")
    (tmp_path / "folder").mkdir()

    def put_both() -> None:
        with NewFiles() as files:
            files.put_shared(tmp_path / "acl", "new")
            files.put(tmp_path / bad, "new")

    with pytest.raises(AuthorityError, match=f"{bad}: cannot be written"):
        put_both()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["acl", "folder"]
    assert (tmp_path / "acl").read_text() == "old"


def test_what_cannot_take_its_place_in_the_end_is_kept_and_named(tmp_path: Path) -> None:
    def put_and_block() -> None:
        with NewFiles() as files:
            files.put(tmp_path / "gw.json", "new")
            (tmp_path / "gw.json").mkdir()

    with pytest.raises(AuthorityError, match=r"its new text is in .*\.gw\.json\.partial"):
        put_and_block()
    assert (tmp_path / ".gw.json.partial").read_text() == "new"
