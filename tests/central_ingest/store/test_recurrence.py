"""What is seen after its case was closed is worked on again, in a case that names the former one."""

import random
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres import Postgres
from sqlalchemy import select

from central_ingest.cases import CaseState, Presence
from central_ingest.intake import Delivery, Readable, Unreadable, read
from central_ingest.store import tables as t
from central_ingest.store.arranging import Arranging
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, migrate, open_engine, reading, writing
from central_ingest.store.filing import FilingRules, Outcome, file_report
from central_ingest.store.queries import decide, get_case, list_cases, reports_of
from central_ingest.store.views import CaseDetail
from contract.messages import IssueReport, encode

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
MINUTE, DAY = 60.0, 86_400.0
CLOSED_S = 10 * MINUTE
STEPS = ("confirm", "dispatch", "accept", "handle", "verify", "close")
MakeReport = Callable[..., IssueReport]
File = Callable[..., Outcome]


@pytest.fixture
def file(engine: Engine, report: MakeReport) -> File:
    """File revision `revision` of an issue, seen and received so many seconds after NOW."""

    def put(number: int = 1, revision: int = 1, after_s: float = 0.0, **changes: Any) -> Outcome:
        came_s = changes.pop("came_s", after_s)
        changes |= {"seq": 100 * number + revision, "revision": revision}
        if after_s:
            seen_at = report(number, after_s=after_s).last_seen_at
            changes |= {"last_seen_at": seen_at, "captured_at": seen_at}
        made = report(number, **changes)
        with writing(engine) as connection:
            return file_report(connection, made, encode(made), FilingRules(), later(came_s))

    return put


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def close(engine: Engine, case_id: int = 1, at_s: float = CLOSED_S) -> None:
    with writing(engine) as connection:
        for step in STEPS:
            decide(connection, case_id, step, "li", None, later(at_s))


def detail(engine: Engine, case_id: int) -> CaseDetail:
    with reading(engine) as connection:
        return get_case(connection, case_id)


def open_cases(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return [case.case_id for case in list_cases(connection)]


def newest_case(engine: Engine) -> CaseDetail:
    return detail(engine, max(open_cases(engine)))


def test_an_issue_seen_again_after_its_case_was_closed_opens_a_case_that_names_it(
    engine: Engine, file: File
) -> None:
    file()
    file(1, 2, 5 * MINUTE, phase="cleared")
    close(engine)
    assert file(1, 3, 3 * DAY, phase="raised", reopened=True) is Outcome.OPENED
    found = newest_case(engine)
    assert (found.summary.state, found.summary.presence) == (CaseState.PENDING, Presence.PRESENT)
    assert found.recurs_of is not None
    assert found.recurs_of.case_id == 1
    (sighting,) = found.sightings
    assert (sighting.revision, sighting.phase) == (3, "raised")
    assert (
        "复发：原案卷 SP2026070100001 已于 3.0 天前结案，结案后再次出现 seen again after the closing。"
        in sighting.linked_because
    )
    for case_id in (1, found.summary.case_id):
        made = detail(engine, case_id).decisions[-1]
        assert (made.who, made.action) == ("中心 centre", "recur")
        said = f"SP2026070100001 → {found.summary.number}；gw-01/cam-01：结案后再次出现"
        assert made.detail.startswith(said)


@pytest.mark.parametrize(
    ("later_s", "said"),
    [(20 * MINUTE, "20 min ago"), (6 * 60 * MINUTE, "6.0 hours ago"), (2 * DAY, "2.0 days ago")],
)
def test_how_long_ago_a_case_was_closed_is_said_in_a_fitting_unit(
    engine: Engine, file: File, later_s: float, said: str
) -> None:
    file()
    file(1, 2, 5 * MINUTE, phase="cleared")
    close(engine)
    file(1, 3, CLOSED_S + later_s, phase="raised", reopened=True)
    assert newest_case(engine).sightings[0].linked_because.endswith(f"was closed {said}")


def test_the_closed_case_keeps_what_it_showed(engine: Engine, file: File) -> None:
    file()
    file(1, 2, 5 * MINUTE, phase="cleared")
    close(engine)
    before = detail(engine, 1)
    file(1, 3, DAY, phase="raised", reopened=True, evidence=[picture("b")])
    after = detail(engine, 1)
    assert after.sightings == before.sightings
    assert after.summary.presence is Presence.GONE
    assert after.summary.state is CaseState.CLOSED
    assert after.summary.last_seen_at == before.summary.last_seen_at
    assert (after.summary.sighting_count, after.summary.cameras) == (1, ("cam-01",))
    now = newest_case(engine)
    assert [one.sha256 for one in now.sightings[0].evidence] == ["b" * 64]
    assert now.summary.still is not None
    assert now.summary.still.sha256 == "b" * 64
    with reading(engine) as connection:
        revisions = [
            [body["revision"] for body in reports_of(connection, case_id)]
            for case_id in (1, now.summary.case_id)
        ]
    assert revisions == [[1, 2], [3]]


def picture(digit: str) -> dict[str, Any]:
    return {
        "sha256": digit * 64, "kind": "still", "media_type": "image/jpeg", "bytes": 9,
        "moment": "raised",
    }  # fmt: skip


def test_what_people_closed_while_it_was_still_there_is_before_them_again(
    engine: Engine, file: File
) -> None:
    file()
    close(engine)
    assert file(1, 2, CLOSED_S + 5 * MINUTE, phase="updated", evidence=[]) is Outcome.OPENED
    found = newest_case(engine)
    assert found.decisions[-1].detail.endswith("结案后仍在 still there after the closing")
    # Nothing new is photographed of what did not change.
    assert found.summary.still is not None
    assert len(found.sightings[0].evidence) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"after_s": 9 * MINUTE, "came_s": 11 * MINUTE},  # was under way when it was closed
        {"after_s": CLOSED_S + 30},  # as the closing person saw it
        {"after_s": CLOSED_S + 20 * MINUTE, "phase": "cleared"},
        {"after_s": CLOSED_S + DAY, "phase": "withdrawn", "reason": "zone_changed"},
        # A gateway whose clock is a quarter of an hour ahead.
        {"after_s": CLOSED_S + 14 * MINUTE, "clock": {"offset_s": -900.0, "error_s": 1.0, "synced": True}},
    ],
)  # fmt: skip
def test_what_says_nothing_of_the_time_after_the_closing_stays_with_the_closed_case(
    engine: Engine, file: File, changes: dict[str, Any]
) -> None:
    file()
    close(engine)
    assert file(1, 2, **{"phase": "updated"} | changes) is Outcome.UPDATED
    assert open_cases(engine) == []
    assert detail(engine, 1).sightings[0].revision == 2


@pytest.mark.parametrize("step", ["reject", "void"])
def test_only_a_closed_case_lets_its_issue_go(engine: Engine, file: File, step: str) -> None:
    file()
    with writing(engine) as connection:
        decide(connection, 1, step, "li", "不是 no", later(CLOSED_S))
    assert file(1, 2, DAY, phase="updated") is Outcome.UPDATED
    assert open_cases(engine) == []


def test_repeats_and_lower_revisions_bring_nothing_back(engine: Engine, file: File) -> None:
    file()
    file(1, 4, 5 * MINUTE, phase="cleared")
    close(engine)
    assert file(1, 3, DAY, phase="raised", reopened=True) is Outcome.LATE
    assert open_cases(engine) == []
    assert file(1, 5, DAY, phase="raised", reopened=True) is Outcome.OPENED
    assert file(1, 5, DAY, phase="raised", reopened=True) is Outcome.REPEATED
    assert file(1, 6, DAY + MINUTE, phase="updated") is Outcome.UPDATED
    assert len(open_cases(engine)) == 1


def test_what_comes_back_joins_what_another_camera_sees_there(engine: Engine, file: File) -> None:
    file()
    close(engine)
    again_s = CLOSED_S + 10 * MINUTE
    file(2, 1, again_s, camera_id="cam-02", north_m=2)
    (there,) = open_cases(engine)
    assert file(1, 2, again_s, phase="updated") is Outcome.LINKED
    found = detail(engine, there)
    assert {one.camera_id for one in found.sightings} == {"cam-01", "cam-02"}
    assert detail(engine, 1).sightings[0].revision == 1
    assert file(3, 1, again_s, camera_id="cam-03", north_m=1) is Outcome.LINKED


def test_both_cameras_of_a_closed_case_come_back_to_one(engine: Engine, file: File) -> None:
    file()
    file(2, camera_id="cam-02", north_m=2)
    close(engine)
    assert file(1, 2, DAY, phase="updated") is Outcome.OPENED
    assert detail(engine, 1).summary.cameras == ("cam-01", "cam-02")
    assert file(2, 2, DAY, camera_id="cam-02", north_m=2, phase="updated") is Outcome.LINKED
    found = newest_case(engine)
    assert found.summary.sighting_count == 2
    assert detail(engine, 1).summary.sighting_count == 2
    assert len(detail(engine, 1).sightings) == 2


def test_what_the_other_camera_says_of_a_closed_case_is_still_heard(
    engine: Engine, file: File
) -> None:
    file()
    file(2, camera_id="cam-02", north_m=2)
    close(engine)
    file(1, 2, DAY, phase="updated")
    file(2, 2, 5 * MINUTE, came_s=DAY, camera_id="cam-02", north_m=2, phase="cleared")
    closed = detail(engine, 1).summary
    assert (closed.presence, closed.cameras) == (Presence.GONE, ("cam-01", "cam-02"))
    assert newest_case(engine).summary.presence is Presence.PRESENT


def test_after_the_weeks_bound_the_new_case_stands_alone_and_tells_it(
    engine: Engine, file: File
) -> None:
    file()
    close(engine)
    file(1, 2, 8 * DAY, phase="updated")
    found = newest_case(engine)
    assert found.recurs_of is None
    assert "SP2026070100001" in found.sightings[0].linked_because


def test_an_issue_without_a_position_comes_back_too(
    engine: Engine, report: MakeReport, file: File
) -> None:
    nowhere = {"position": None, "cells": []}
    plain = report(1).model_dump(by_alias=True) | nowhere
    again = plain | {"revision": 2, "seq": 2, "last_seen_at": later(DAY), "phase": "updated"}
    for body, at_s in ((plain, 0.0), (again, DAY)):
        made = IssueReport.model_validate(body)
        with writing(engine) as connection:
            file_report(connection, made, encode(made), FilingRules(), later(at_s))
        if not at_s:
            close(engine)
    recurs_of = newest_case(engine).recurs_of
    assert recurs_of is not None
    assert recurs_of.case_id == 1


def test_what_comes_back_twice_names_the_case_before_it_each_time(
    engine: Engine, file: File
) -> None:
    file(evidence=[picture("a")])
    close(engine)
    file(1, 2, DAY, phase="updated", evidence=[picture("b")])
    second = newest_case(engine).summary.case_id
    close(engine, second, DAY + MINUTE)
    file(1, 3, 2 * DAY, phase="updated", evidence=[picture("c")])
    third = newest_case(engine)
    assert third.recurs_of is not None
    assert third.recurs_of.case_id == second
    shown = [
        [one.sha256[0] for one in detail(engine, case_id).sightings[0].evidence]
        for case_id in (1, second, third.summary.case_id)
    ]
    assert shown == [["a"], ["b"], ["c"]]


def test_what_came_back_can_be_split_and_merged_like_any_other(engine: Engine, file: File) -> None:
    file()
    file(2, camera_id="cam-02", north_m=2)
    close(engine)
    for number, camera, north_m in ((1, "cam-01", 0), (2, "cam-02", 2)):
        file(number, 2, DAY, phase="updated", camera_id=camera, north_m=north_m)
    back = newest_case(engine)
    with writing(engine) as connection:
        work = Arranging(connection, FilingRules(), "li", "两处 two", later(DAY + 1))
        made = work.split(back.summary.case_id, [back.sightings[1].issue_id])
    with writing(engine) as connection:
        work = Arranging(connection, FilingRules(), "li", "一处 one", later(DAY + 2))
        kept = work.merge(made.case_id, back.summary.case_id)
    assert kept.sighting_count == 2
    assert detail(engine, 1).summary.state is CaseState.CLOSED
    assert len(detail(engine, 1).sightings) == 2


def test_what_people_split_is_not_joined_when_it_comes_back(engine: Engine, file: File) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=1)
    with writing(engine) as connection:
        work = Arranging(connection, FilingRules(), "li", "两处 two", NOW)
        second = detail(engine, 1).sightings[1].issue_id
        made = work.split(1, [second])
    close(engine)
    assert file(1, 2, DAY, phase="updated") is Outcome.OPENED
    found = newest_case(engine)
    assert found.summary.sighting_count == 1
    assert detail(engine, made.case_id).summary.sighting_count == 1


def test_a_closed_cases_reports_are_never_read_briefly(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file()
    file(1, 2, MINUTE, phase="updated")  # so that case and sighting agree in everything
    close(engine)
    made = report(1, seq=3, revision=3, phase="updated", last_seen_at=later(DAY), evidence=[])
    told = read(Delivery("gridwatch/1/demo/gw-01/issue", encode(made)), 1 << 18)
    done = file_batch(engine, [told], FilingRules(), later(DAY))
    assert done.outcomes == {("updated", "opened"): 1}


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_ends_as_its_reports_one_by_one(
    engine: Engine, migrated: Path, tmp_path: Path, report: MakeReport, seed: int
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("compares keys, between which PostgreSQL leaves gaps")
    chance = random.Random(seed)
    first, told = [], []
    for number, camera, north_m in ((1, "cam-01", 0.0), (2, "cam-02", 2.0), (3, "cam-01", 30.0)):
        place = {"camera_id": camera, "north_m": north_m}
        first.append(report(number, **place))
        told += lives(report, number, place, chance)
    chance.shuffle(told)
    singly = open_engine(f"sqlite:///{shutil.copy(migrated, tmp_path / 'singly.db')}")
    for database, size in ((engine, len(told)), (singly, 1)):
        file_batch(database, [as_message(one) for one in first], FilingRules(), NOW)
        for case_id in (1, 2):
            close(database, case_id)
        for at in range(0, len(told), size):
            messages = [as_message(one) for one in told[at : at + size]]
            file_batch(database, messages, FilingRules(), later(DAY))
    assert everything(engine) == everything(singly)
    assert max(open_cases(engine)) > 2
    singly.dispose()


def lives(
    report: MakeReport, number: int, place: dict[str, Any], chance: random.Random
) -> Sequence[IssueReport]:
    """What was under way at the closing, that it cleared, and that it came back and went."""
    made = []
    phases = chance.choice([("updated", "cleared", "raised", "updated"), ("updated", "updated")])
    for revision, phase in enumerate(phases, start=2):
        seen_s = 5 * MINUTE + 30 * MINUTE * (revision - 2)
        changes = {
            "revision": revision, "seq": 100 * number + revision, "phase": phase,
            "last_seen_at": later(seen_s), "evidence": chance.choice([[], [picture(str(revision))]]),
            "reopened": phase == "raised",
        }  # fmt: skip
        made.append(report(number, **place | changes))
    return made


def as_message(made: IssueReport) -> Readable | Unreadable:
    return read(Delivery("gridwatch/1/demo/gw-01/issue", encode(made)), 1 << 18)


def everything(engine: Engine) -> Any:
    """All but which picture a list shows: a batch that brings a newer one borrows none."""
    former = t.former_sighting.c
    with reading(engine) as connection:
        cases = list_cases(connection, states=CaseState, limit=100)
        details = [get_case(connection, case.case_id) for case in cases]
        kept = select(t.former_sighting).order_by(former.case_id, former.issue_id)
        times = select(t.case.c.case_id, t.case.c.last_seen_at).order_by(t.case.c.case_id)
        return (
            [replace(one, summary=replace(one.summary, still=None)) for one in details],
            connection.execute(kept).all(),
            connection.execute(times).all(),
        )


def test_two_workers_that_hear_of_it_at_once_open_one_case(
    postgres: Postgres, report: MakeReport
) -> None:
    url = postgres.new_database()
    engines = [open_engine(url) for _ in range(2)]
    migrate(engines[0])
    for number in range(1, 9):
        north_m = 30 * number
        file_batch(engines[0], [as_message(report(number, north_m=north_m))], FilingRules(), NOW)
    for case_id in open_cases(engines[0]):
        close(engines[0], case_id)

    def hear(engine: Engine, revision: int) -> None:
        for number in range(1, 9):
            place = {"north_m": 30 * number, "last_seen_at": later(DAY), "evidence": []}
            seq = 100 * number + revision
            told = report(number, seq=seq, revision=revision, phase="updated", **place)
            file_batch(engine, [as_message(told)], FilingRules(), later(DAY))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(hear, engines, (2, 3)))
    assert len(open_cases(engines[0])) == 8
    with reading(engines[0]) as connection:
        assert len(connection.execute(select(t.former_sighting)).all()) == 8
        assert len(connection.execute(select(t.sighting).where(t.sighting.c.open)).all()) == 8
    for engine in engines:
        engine.dispose()
