"""Merges, splits and answers: what people decide holds, is told in both cases, and is remembered."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from central_ingest.cases import CaseState
from central_ingest.errors import IllegalStep, NotFound, ReasonMissing
from central_ingest.store import tables as t
from central_ingest.store.arranging import Arranging
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules, Outcome, file_report
from central_ingest.store.queries import decide, find_case, get_case, list_cases
from central_ingest.store.views import CaseDetail
from contract.messages import IssueReport, encode

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
MakeReport = Callable[..., IssueReport]
COARSE = {"error_m": 30.0, "method": "camera_point"}


@pytest.fixture
def file(engine: Engine, report: MakeReport) -> Callable[..., Outcome]:
    def put(*numbers: int, now: datetime = NOW, **changes: Any) -> Outcome:
        made = report(*numbers, **changes)
        with writing(engine) as connection:
            return file_report(connection, made, encode(made), FilingRules(), now)

    return put


@pytest.fixture
def arrange(engine: Engine) -> Callable[..., Any]:
    def do(step: str, *values: Any, reason: str | None = "同一摊位", **named: Any) -> Any:
        with writing(engine) as connection:
            work = Arranging(connection, FilingRules(), "li.wei", reason, NOW)
            return getattr(work, step)(*values, **named)

    return do


def detail(engine: Engine, case_id: int) -> CaseDetail:
    with reading(engine) as connection:
        return get_case(connection, case_id)


def issue_id(number: int) -> UUID:
    return UUID(f"01980000-1111-7000-8000-{number:012x}")


def test_a_merge_moves_all_sightings_and_both_histories_tell_it(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=30)
    kept = arrange("merge", 2, 1)
    assert (kept.case_id, kept.sighting_count, kept.cameras) == (1, 2, ("cam-01", "cam-02"))
    gone = detail(engine, 2)
    assert (gone.summary.state, gone.sightings, gone.actions) == (CaseState.VOID, (), ())
    assert gone.merged_into is not None
    assert gone.merged_into.number == kept.number
    for case_id in (1, 2):
        (made,) = detail(engine, case_id).decisions
        assert (made.action, made.who, made.reason) == ("merge", "li.wei", "同一摊位")
        assert made.detail == "SP2026070100002 → SP2026070100001，1 处所见 sightings"


def test_a_later_report_of_a_merged_issue_goes_to_the_case_that_remains(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=30)
    arrange("merge", 2, 1)
    file(2, seq=9, camera_id="cam-02", revision=2, phase="updated", north_m=30, score=0.99)
    assert {s.score for s in detail(engine, 1).sightings} == {0.87, 0.99}


@pytest.mark.parametrize(
    ("case_id", "into", "error"), [(1, 1, IllegalStep), (1, 3, IllegalStep), (9, 1, NotFound), (1, 9, NotFound)]
)  # fmt: skip
def test_what_cannot_be_merged_stays_as_it_was(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any], case_id: int, into: int, error: type[Exception]
) -> None:  # fmt: skip
    file(1)
    file(2, camera_id="cam-02", north_m=30)
    file(3, camera_id="cam-03", category="bin_overflow")
    before = detail(engine, 1)
    with pytest.raises(error):
        arrange("merge", case_id, into)
    assert detail(engine, 1) == before


def test_a_case_that_is_over_is_neither_merged_nor_split(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=30)
    with writing(engine) as connection:
        decide(connection, 2, "reject", "li", "no", NOW)
    with pytest.raises(IllegalStep, match="only open cases"):
        arrange("merge", 1, 2)


def test_a_split_makes_a_pending_case_with_its_own_picture_and_is_remembered(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    assert file(2, camera_id="cam-02", north_m=1) is Outcome.LINKED
    made = arrange("split", 1, [issue_id(2)])
    assert (made.case_id, made.state, made.sighting_count) == (2, CaseState.PENDING, 1)
    assert made.still is not None
    assert detail(engine, 1).summary.sighting_count == 1
    assert [d.action for d in detail(engine, 2).decisions] == ["split"]
    with reading(engine) as connection:
        assert len(connection.execute(select(t.cannot_link)).all()) == 1


def test_a_new_camera_between_split_cases_asks_and_joins_neither_case_together(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=1)
    arrange("split", 1, [issue_id(2)])
    assert file(3, camera_id="cam-03", north_m=0.5) is Outcome.OPENED
    assert {p.other_case_id for p in detail(engine, 3).proposals} == {1, 2}


@pytest.mark.parametrize("named", [[], [1, 2]])
def test_a_split_takes_some_sightings_not_all(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any], named: list[int]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=1)
    with pytest.raises(IllegalStep, match="some of them, not all"):
        arrange("split", 1, [issue_id(n) for n in named])
    with pytest.raises(ReasonMissing):
        arrange("split", 1, [issue_id(2)], reason=" ")


def test_a_split_takes_no_sighting_of_another_case(
    file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=1)
    file(3, north_m=50)
    with pytest.raises(IllegalStep, match=f"has no sighting of issue {issue_id(3)}"):
        arrange("split", 1, [issue_id(2), issue_id(3)])


def test_an_accepted_proposal_merges_into_the_older_case(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=20, position=COARSE)
    (asked,) = detail(engine, 2).proposals
    assert arrange("answer", asked.proposal_id, accept=True, reason=None).case_id == 1
    (settled,) = detail(engine, 1).proposals
    assert (settled.settled_by, settled.outcome) == ("li.wei", "accepted")
    assert detail(engine, 1).summary.sighting_count == 2
    with pytest.raises(IllegalStep, match="answered by li"):
        arrange("answer", asked.proposal_id, accept=True)


def test_a_dismissed_proposal_changes_nothing_and_is_not_made_again(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=20, position=COARSE)
    (asked,) = detail(engine, 2).proposals
    arrange("answer", asked.proposal_id, accept=False)
    assert [detail(engine, n).summary.sighting_count for n in (1, 2)] == [1, 1]
    (settled,) = detail(engine, 2).proposals
    assert settled.outcome == "dismissed"


def test_a_merged_case_takes_no_step(
    engine: Engine, file: Callable[..., Outcome], arrange: Callable[..., Any]
) -> None:
    file(1)
    file(2, camera_id="cam-02", north_m=30)
    arrange("merge", 2, 1)
    with pytest.raises(IllegalStep, match="merged"), writing(engine) as connection:
        decide(connection, 2, "restore", "li", "oops", NOW)


def test_a_case_is_found_by_the_number_that_people_use(
    engine: Engine, file: Callable[..., Outcome]
) -> None:
    file(1)
    with reading(engine) as connection:
        assert find_case(connection, " SP2026070100001 ") == 1
        with pytest.raises(NotFound):
            find_case(connection, "SP9")


@pytest.mark.parametrize(("days", "linked"), [(3, True), (8, False)])
def test_the_same_problem_again_names_the_case_that_was_closed(
    engine: Engine,
    file: Callable[..., Outcome],
    days: int,
    linked: bool,  # noqa: FBT001 -- a column of the table
) -> None:
    file(1)
    with writing(engine) as connection:
        for step in ("confirm", "dispatch", "accept", "handle", "verify", "close"):
            decide(connection, 1, step, "li", None, NOW)
    later = NOW + timedelta(days=days)
    assert (
        file(2, now=later, camera_id="cam-02", north_m=2, after_s=days * 86_400) is Outcome.OPENED
    )
    found = detail(engine, 2)
    assert (found.recurs_of is not None) is linked
    because = found.sightings[0].linked_because
    assert ("复发：距 3.0 天前结案的案卷 SP2026070100001 2.0 m" in because) is linked
    with reading(engine) as connection:
        assert [case.case_id for case in list_cases(connection)] == [2]


def test_a_nearer_issue_takes_its_partner_back_and_empties_no_case_silently(
    engine: Engine, file: Callable[..., Outcome]
) -> None:
    file(1, agent_id="gw-a")
    assert file(2, agent_id="gw-b", north_m=2.6) is Outcome.LINKED
    assert file(3, agent_id="gw-a", north_m=2.9) is Outcome.OPENED
    assert {s.issue_id for s in detail(engine, 1).sightings} == {issue_id(1)}
    assert {s.issue_id for s in detail(engine, 2).sightings} == {issue_id(2), issue_id(3)}
    (made,) = detail(engine, 1).decisions
    assert (made.who, made.action) == ("中心 centre", "split")
    assert "nearer to a newer issue" in made.detail
