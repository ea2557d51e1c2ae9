"""An issue's reports are found from its sighting, in whatever order and through whomever they came."""

import random
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Connection, select

from central_ingest.intake import Readable, Unreadable
from central_ingest.store import database, report_chain
from central_ingest.store import tables as t
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, reading
from central_ingest.store.filing import FilingRules
from central_ingest.store.memory import Memory
from central_ingest.store.report_chain import kept_of

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
RULES = FilingRules()
MakeMessage = Callable[..., Readable | Unreadable]


def said(message: MakeMessage, number: int, revision: int, **changes: Any) -> Any:
    phase = "raised" if revision == 1 else "updated"
    seq = 100 * number + revision
    return message(number, north_m=50 * number, revision=revision, seq=seq, phase=phase, **changes)


def id_of(number: int) -> UUID:
    return UUID(f"01980000-1111-7000-8000-{number:012x}")


def revisions_of(engine: Engine, number: int) -> list[int]:
    """As the chain tells them, sorted."""
    with reading(engine) as connection:
        return sorted(row.revision for row in kept_of(connection, [id_of(number)]))


def links(engine: Engine) -> tuple[Sequence[Any], Sequence[Any]]:
    """The two ends of all chains: what sightings name, and what reports name."""
    report, sighting = t.report.c, t.sighting.c
    with reading(engine) as connection:
        newest = select(sighting.issue_id, sighting.newest_report_id).order_by(sighting.issue_id)
        before = select(report.report_id, report.before_id).order_by(report.report_id)
        return connection.execute(newest).all(), connection.execute(before).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_chain_holds_each_report_of_its_issue_once_in_whatever_order_they_came(
    engine: Engine, message: MakeMessage, seed: int
) -> None:
    chance = random.Random(seed)
    sent = [said(message, number, revision) for number in (1, 2, 3) for revision in range(1, 9)]
    sent += chance.sample(sent, 8)
    chance.shuffle(sent)
    workers = [Memory(10), Memory(2), None]
    while sent:
        batch, sent = sent[:5], sent[5:]
        file_batch(engine, batch, RULES, NOW, memory=chance.choice(workers))
    assert [revisions_of(engine, number) for number in (1, 2, 3)] == [list(range(1, 9))] * 3


def test_what_came_long_ago_is_known_when_it_comes_again(
    engine: Engine, message: MakeMessage
) -> None:
    for revision in range(1, 7):
        file_batch(engine, [said(message, 1, revision)], RULES, NOW)
    again = [said(message, 1, 2), said(message, 1, 3, score=0.11)]
    outcomes = file_batch(engine, again, RULES, NOW).outcomes
    assert outcomes == {("updated", "repeated"): 1, ("unreadable", "quarantined"): 1}


def test_what_lies_far_back_is_looked_for_once_however_much_is_asked_of_it(
    engine: Engine, message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_chain, "_NEAR", 3)
    revisions = [1, 2, *range(4, 21)]
    file_batch(engine, [said(message, 1, revision) for revision in revisions], RULES, NOW)
    walked: list[int] = []
    walk = report_chain._walk

    def spy(connection: Connection, asked: Collection[tuple[int | None, int]]) -> Any:
        walked.append(len(asked))
        return walk(connection, asked)

    monkeypatch.setattr(report_chain, "_walk", spy)
    again = [said(message, 1, revision) for revision in (1, 2, 3, 4, 19)]
    outcomes = file_batch(engine, again, RULES, NOW).outcomes
    assert outcomes == {
        ("raised", "repeated"): 1, ("updated", "repeated"): 3, ("updated", "late"): 1,
    }  # fmt: skip
    assert walked == [5, 1]


def test_what_came_late_is_known_when_it_comes_again(engine: Engine, message: MakeMessage) -> None:
    for revision in (1, 5, 3):
        file_batch(engine, [said(message, 1, revision)], RULES, NOW)
    outcomes = file_batch(engine, [said(message, 1, one) for one in (3, 5)], RULES, NOW).outcomes
    assert outcomes == {("updated", "repeated"): 2}
    assert revisions_of(engine, 1) == [1, 3, 5]


def test_what_another_worker_filed_late_stays_in_the_chain(
    engine: Engine, message: MakeMessage
) -> None:
    mine, other = Memory(10), Memory(10)
    for revision, memory in ((1, mine), (3, mine), (2, other), (4, mine)):
        file_batch(engine, [said(message, 1, revision)], RULES, NOW, memory=memory)
    assert revisions_of(engine, 1) == [1, 2, 3, 4]


def test_a_database_of_before_gets_the_same_chains(engine: Engine, message: MakeMessage) -> None:
    batches = [[said(message, n, revision) for n in (1, 2)] for revision in (1, 3, 2, 4)]
    for batch in batches:
        file_batch(engine, batch, RULES, NOW)
    made = links(engine)
    alembic = database._alembic(engine)
    command.downgrade(alembic, "0007")
    command.upgrade(alembic, "head")
    assert links(engine) == made
