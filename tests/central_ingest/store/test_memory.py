"""What is remembered of issues ends as what is read of them, whoever changes them meanwhile."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select

from central_ingest.cases import ACTIONS, CaseState
from central_ingest.errors import IllegalStep, NotFound
from central_ingest.intake import Readable, Unreadable
from central_ingest.store import memory as memory_module
from central_ingest.store import tables as t
from central_ingest.store.arranging import Arranging
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, open_engine, reading, writing
from central_ingest.store.filing import FilingRules
from central_ingest.store.memory import Memory, SeenAgain
from central_ingest.store.queries import changes_since, decide, get_case, list_cases

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
RULES = FilingRules()
CELLS = ({"code": "340302001001001", "grid_version": "2026-07"},)
MakeMessage = Callable[..., Readable | Unreadable]
Batch = list[Readable | Unreadable]
Act = Callable[[Engine], None]


@pytest.fixture(autouse=True)
def _only_sqlite(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("on PostgreSQL nothing is remembered")


def batches_of(message: MakeMessage, chance: random.Random) -> list[Batch]:
    """Ten issues of six places, again and again; now and then one of them says something else."""
    said: dict[int, dict[str, Any]] = {}
    late: Batch = []
    for number in range(2, 12):
        place, camera = divmod(number, 2)
        said[number] = {
            "revision": 0, "camera_id": f"cam-0{camera + 1}", "north_m": 30 * place + camera,
            "category": "manhole_damaged", "phase": "raised", "cells": CELLS,
        }  # fmt: skip
    batches = []
    for at in range(40):
        batch: Batch = []
        for number in chance.sample(sorted(said), 4):
            changes = said[number]
            changes["revision"] += 1
            if changes["revision"] > 1:
                changes |= {"phase": "updated", "evidence": ()}
            if chance.random() < 0.1:
                changes |= chance.choice(CHANGES)
            changes["last_seen_at"] = f"2026-07-01T09:{at:02d}:00.000Z"
            made = message(number, **changes | {"seq": 100 * number + changes["revision"]})
            (late if chance.random() < 0.05 else batch).append(made)
        if chance.random() < 0.2:
            batch.append(batch[0])  # once more, as it was
        if late and chance.random() < 0.3:
            batch.append(late.pop())
        batches.append(batch)
    return batches


CHANGES: tuple[dict[str, Any], ...] = (
    {"phase": "cleared"}, {"category": "manhole_missing"}, {"severity": "urgent"},
    {"position": {"error_m": 0.5}}, {"first_seen_at": "2026-07-01T08:00:00.000Z"},
)  # fmt: skip


def deed(chance: random.Random) -> Act:
    """What somebody does with a case, if it can be done."""
    what = chance.choice(("merge", "split", *ACTIONS, *ACTIONS))
    one, other, issue = (chance.randrange(1, 9) for _ in range(3))

    def act(engine: Engine) -> None:
        try:
            with writing(engine) as connection:
                work = Arranging(connection, RULES, "li.wei", "因", NOW)
                if what == "merge":
                    work.merge(one, other)
                elif what == "split":
                    work.split(one, [UUID(f"01980000-1111-7000-8000-{issue + 1:012x}")])
                else:
                    decide(connection, one, what, "li.wei", "因", NOW)
        except (IllegalStep, NotFound):
            pass

    return act


def everything(engine: Engine) -> Any:
    with reading(engine) as connection:
        cases = list_cases(connection, states=CaseState, limit=100)
        details = [get_case(connection, case.case_id) for case in cases]
        reports = connection.execute(select(t.report).order_by(t.report.c.report_id)).all()
        chains = connection.execute(select(t.sighting.c.issue_id, t.sighting.c.newest_report_id))
        return details, changes_since(connection, 0, 5000), reports, sorted(chains.all())


@contextmanager
def readings(engine: Engine) -> Iterator[list[str]]:
    """How issues are asked for meanwhile."""
    asked: list[str] = []

    def hear(*told: Any) -> None:
        if "sighting.issue_id IN" in told[2]:
            asked.append(told[3][0])

    event.listen(engine, "before_cursor_execute", hear)
    yield asked
    event.remove(engine, "before_cursor_execute", hear)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_remembered_ends_as_what_is_read(
    engine: Engine, migrated: Path, tmp_path: Path, message: MakeMessage,
    monkeypatch: pytest.MonkeyPatch, seed: int,
) -> None:  # fmt: skip
    chance = random.Random(seed)
    batches = batches_of(message, chance)
    deeds = [deed(chance) if chance.random() < 0.4 else None for _ in batches]
    plain = open_engine(f"sqlite:///{shutil.copy(migrated, tmp_path / 'plain.db')}")
    recalled, holds = [0], SeenAgain.holds

    def spy(*what: Any) -> bool:
        recalled[0] += (found := holds(*what))
        return found

    monkeypatch.setattr(SeenAgain, "holds", spy)
    # Two workers, each with a memory of its own, on one database.
    memories = Memory(8), Memory(8)
    for batch, done in zip(batches, deeds, strict=True):
        file_batch(plain, batch, RULES, NOW)
        file_batch(engine, batch, RULES, NOW, memory=memories[chance.random() < 0.2])
        if done is not None:
            done(plain)
            done(engine)
    assert everything(engine) == everything(plain)
    assert recalled[0] > 20
    plain.dispose()


def test_an_issue_seen_again_is_not_read_until_somebody_changes_its_case(
    engine: Engine, message: MakeMessage
) -> None:
    memory = Memory(10)
    for revision, reads in ((1, 1), (2, 0), (3, 0), (4, 1), (5, 0)):
        if revision == 4:
            with writing(engine) as connection:
                decide(connection, 1, "confirm", "li.wei", None, NOW)
        phase = "raised" if revision == 1 else "updated"
        made = message(1, revision=revision, seq=revision, phase=phase)
        with readings(engine) as asked:
            file_batch(engine, [made], RULES, NOW, memory=memory)
        assert len(asked) == reads


def test_what_did_not_commit_is_not_remembered(engine: Engine, message: MakeMessage) -> None:
    memory = Memory(10)

    def fail() -> None:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        file_batch(engine, [message(1)], RULES, NOW, fail, memory)
    done = file_batch(engine, [message(1)], RULES, NOW, memory=memory)
    assert done.outcomes == {("raised", "opened"): 1}


def test_a_remembered_issue_keeps_its_camera(engine: Engine, message: MakeMessage) -> None:
    memory = Memory(10)
    file_batch(engine, [message(1)], RULES, NOW, memory=memory)
    forged = message(1, revision=2, seq=2, phase="updated", camera_id="cam-09")
    done = file_batch(engine, [forged], RULES, NOW, memory=memory)
    assert done.outcomes == {("unreadable", "quarantined"): 1}


def test_only_so_many_are_remembered_and_the_oldest_give_way(
    engine: Engine, message: MakeMessage
) -> None:
    memory = Memory(2)
    for number in (1, 2, 3):
        made = message(number, north_m=50 * number)
        file_batch(engine, [made], RULES, NOW, memory=memory)
    ids = [UUID(f"01980000-1111-7000-8000-{number:012x}").int for number in (1, 2, 3)]
    assert [memory.recall(one) is not None for one in ids] == [False, True, True]


def test_after_many_changes_by_others_nothing_is_remembered(
    engine: Engine, message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "_CHANGED_MAX", 2)
    memory, other = Memory(10), Memory(10)
    file_batch(engine, [message(n, north_m=50 * n) for n in range(1, 6)], RULES, NOW, memory=memory)
    again = [message(n, north_m=50 * n, revision=2, seq=10 + n) for n in range(1, 4)]
    file_batch(engine, again, RULES, NOW, memory=other)
    file_batch(engine, [message(9, north_m=900)], RULES, NOW, memory=memory)
    assert len(memory._held) == 1
