"""Signatures of model cards."""

from pathlib import Path

import pytest

from models.training.errors import DataError
from models.training.signing import is_signed, read_or_make_key, sign


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.yaml"
    path.write_text("name: gridwatch-n\n", "utf-8")
    sign(path, read_or_make_key(tmp_path / "private.pem", tmp_path / "public.pem"))
    return path


def test_a_signed_card_verifies(card: Path) -> None:
    assert is_signed(card, card.parent / "public.pem")


def test_a_changed_card_does_not_verify(card: Path) -> None:
    card.write_text("name: gridwatch-x\n", "utf-8")
    assert not is_signed(card, card.parent / "public.pem")


def test_another_key_does_not_verify(card: Path, tmp_path: Path) -> None:
    read_or_make_key(tmp_path / "other.pem", tmp_path / "other.pub")
    assert not is_signed(card, tmp_path / "other.pub")


def test_the_private_key_is_made_once_and_closed_to_others(card: Path, tmp_path: Path) -> None:
    before = (tmp_path / "private.pem").read_bytes()
    read_or_make_key(tmp_path / "private.pem", tmp_path / "unused.pem")
    assert (tmp_path / "private.pem").read_bytes() == before
    assert (tmp_path / "private.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("there", [False, True])
def test_a_key_that_is_not_the_folders_is_refused_and_changes_nothing(
    card: Path, tmp_path: Path, *, there: bool
) -> None:
    other, public = tmp_path / "other.pem", tmp_path / "public.pem"
    if there:
        read_or_make_key(other, tmp_path / "other.pub")
    with pytest.raises(DataError, match=r"public\.pem.*--models"):
        read_or_make_key(other, public)
    assert other.exists() is there
    assert is_signed(card, public)
