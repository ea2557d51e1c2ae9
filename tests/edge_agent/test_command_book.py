from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from contract.catalogue import Category
from contract.messages import CommandResult
from edge_agent.command_book import ANSWER_KEPT, CommandBook, read_suppressions
from edge_agent.errors import StoreError
from edge_agent.suppressions import Suppression

NOW = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
HERE = Suppression(
    UUID(int=1), "cam-01", Category.STREET_VENDOR, (0.1, 0.2, 0.3, 0.4), 2.0,
    NOW + timedelta(hours=1), "north",
)  # fmt: skip


def answer(number: int, at: datetime = NOW) -> CommandResult:
    return CommandResult(agent_id="gw", command_id=UUID(int=number), done_at=at, ok=True)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[CommandBook]:
    opened = CommandBook(tmp_path)
    yield opened
    opened.close()


def test_a_suppression_and_its_answer_survive_a_restart(book: CommandBook, tmp_path: Path) -> None:
    book.suppress(HERE, answer(1))
    again = CommandBook(tmp_path)
    assert again.suppressions(NOW) == (HERE,)
    assert read_suppressions(tmp_path, NOW) == (HERE,)
    assert [b'"ok":true' in body for body in again.take_unsent(9)] == [True]
    again.close()


def test_a_suppression_ends_with_its_time_or_when_it_is_revoked(book: CommandBook) -> None:
    book.suppress(HERE, answer(1))
    longer = replace(HERE, suppression_id=UUID(int=2), until=NOW + timedelta(days=9))
    book.suppress(longer, answer(2))
    assert book.suppressions(NOW) == (HERE, longer)
    assert book.suppressions(NOW + timedelta(hours=1)) == (longer,)
    book.revoke(longer.suppression_id, answer(3))
    assert book.suppressions(NOW) == ()


def test_an_answer_is_taken_once_and_again_when_its_command_comes_again(book: CommandBook) -> None:
    assert not book.is_answered(UUID(int=1))
    book.answer(answer(1))
    assert len(book.take_unsent(9)) == 1
    assert book.take_unsent(9) == []
    assert book.is_answered(UUID(int=1))
    assert len(book.take_unsent(9)) == 1


def test_answers_are_taken_oldest_first_as_far_as_there_is_room(book: CommandBook) -> None:
    for number in (3, 1, 2):
        book.answer(answer(number, NOW + timedelta(seconds=number)))
    taken = [CommandResult.model_validate_json(body).command_id.int for body in book.take_unsent(2)]
    assert taken == [1, 2]
    assert book.take_unsent(0) == []
    assert len(book.take_unsent(9)) == 1


def test_old_answers_are_forgotten_once_they_were_sent(book: CommandBook) -> None:
    book.answer(answer(1))
    book.take_unsent(1)
    book.answer(answer(2))
    book.answer(answer(3, NOW + ANSWER_KEPT + timedelta(seconds=1)))
    assert [book.is_answered(UUID(int=number)) for number in (1, 2, 3)] == [False, True, True]


def test_a_folder_without_a_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"agent\.db: suppressions cannot be read"):
        read_suppressions(tmp_path, NOW)
