"""From reports to cases: any order, any repeat, one result."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, func, select

from central_ingest.cases import CaseState, Presence
from central_ingest.dedup import Place
from central_ingest.errors import ConflictingReport
from central_ingest.grid import lattice
from central_ingest.store import tables as t
from central_ingest.store.cells import GridSource, import_cells
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules, Outcome, file_report
from central_ingest.store.queries import decide, get_case, list_cases
from central_ingest.store.views import CaseDetail, CaseSummary
from central_ingest.store.writes import SELDOM
from contract.catalogue import Category
from contract.messages import IssueReport, encode

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
MakeReport = Callable[..., IssueReport]
File = Callable[[IssueReport], Outcome]


@pytest.fixture
def file(engine: Engine) -> File:
    def put(report: IssueReport) -> Outcome:
        with writing(engine) as connection:
            return file_report(connection, report, encode(report), FilingRules(), NOW)

    return put


def cases(engine: Engine, **wanted: Any) -> list[CaseSummary]:
    with reading(engine) as connection:
        return list_cases(connection, **wanted)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What the database is told meanwhile."""
    said: list[str] = []

    def hear(*told: Any) -> None:
        said.append(told[2])

    event.listen(engine, "before_cursor_execute", hear)
    yield said
    event.remove(engine, "before_cursor_execute", hear)


def detail(engine: Engine, case_id: int = 1) -> CaseDetail:
    with reading(engine) as connection:
        return get_case(connection, case_id)


def test_a_first_report_opens_a_pending_case(
    engine: Engine, report: MakeReport, file: File
) -> None:
    assert file(report(1)) is Outcome.OPENED
    (case,) = cases(engine)
    assert case.number == "SP2026070100001"
    assert (case.state, case.presence) == (CaseState.PENDING, Presence.PRESENT)
    assert (case.cell_code, case.cell_official) == ("340302001001001", True)
    assert case.cameras == ("cam-01",)
    assert case.still is not None
    assert (case.still.kind, case.still.state) == ("still_marked", "pending")


@pytest.mark.parametrize(
    ("number", "changes", "written"),
    [
        (2, {"camera_id": "cam-02", "north_m": 1, "after_s": 3}, {"sighting_count"}),
        (1, {"revision": 2, "phase": "cleared"}, {"sighting_count", "presence"}),
        (1, {"revision": 2, "category": "manhole_missing"}, {"sighting_count", *SELDOM}),
    ],
)
def test_the_columns_of_indexes_are_written_only_where_one_changed(
    engine: Engine,
    report: MakeReport,
    file: File,
    number: int,
    changes: dict[str, Any],
    written: set[str],
) -> None:
    cover = {"category": "manhole_damaged"}
    file(report(1, **cover))
    with statements(engine) as said:
        file(report(number, **cover | changes))
    (update,) = (one for one in said if one.startswith('UPDATE "case"'))
    named = {"sighting_count", "presence", *SELDOM}
    assert {name for name in named if f'"{name}" =' in update} == written


def test_numbers_count_through_the_citys_day(
    engine: Engine, report: MakeReport, file: File
) -> None:
    for number in (1, 2, 3):
        file(report(number, north_m=100 * number))
    assert [case.number[-5:] for case in cases(engine)] == ["00003", "00002", "00001"]


def test_a_second_camera_joins_the_case_and_the_reason_is_kept(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1))
    assert file(report(2, camera_id="cam-02", north_m=2, after_s=3)) is Outcome.LINKED
    (case,) = cases(engine)
    assert (case.sighting_count, case.cameras) == (2, ("cam-01", "cam-02"))
    reason = detail(engine).sightings[1].linked_because
    assert reason.startswith("距案卷 SP2026070100001 2.0 m（限 3.1 m），误差 1.1 + 1.1 m")


def test_two_issues_of_one_camera_are_two_cases(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1))
    assert file(report(2, north_m=1)) is Outcome.OPENED
    assert len(cases(engine)) == 2


def test_a_coarse_position_opens_its_own_case_and_proposes(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1))
    coarse = {"error_m": 30.0, "method": "camera_point"}
    assert file(report(2, camera_id="cam-02", north_m=20, position=coarse)) is Outcome.OPENED
    (proposal,) = detail(engine, 2).proposals
    assert (proposal.kind, proposal.other_case_id) == ("merge", 1)
    (mirrored,) = detail(engine, 1).proposals
    assert mirrored.other_case_id == 2


def test_a_coarse_case_is_found_by_an_exact_report(
    engine: Engine, report: MakeReport, file: File
) -> None:
    coarse = {"error_m": 30.0, "method": "camera_point"}
    file(report(1, position=coarse))
    file(report(2, camera_id="cam-02", north_m=20))
    assert len(detail(engine, 2).proposals) == 1


def test_the_same_component_joins_without_position(
    engine: Engine, report: MakeReport, file: File
) -> None:
    part = {"id": "3403020305000001", "standard": "2013", "distance_m": 0.5}
    first = report(1, component=part)
    second = IssueReport.model_validate(
        report(2, camera_id="cam-02", component=part).model_dump(by_alias=True) | {"position": None}
    )
    file(first)
    assert file(second) is Outcome.LINKED


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2, 3])))
def test_reports_of_one_issue_in_any_order_give_one_result(
    engine: Engine, report: MakeReport, file: File, order: tuple[int, ...]
) -> None:
    told = [
        report(1),
        report(1, seq=2, revision=2, phase="updated", score=0.9),
        report(1, seq=3, revision=3, phase="cleared", score=0.7),
        report(1, seq=4, revision=4, phase="raised", reopened=True, score=0.8),
    ]
    for index in order:
        file(told[index])
        assert file(told[index]) is Outcome.REPEATED
    (case,) = cases(engine)
    (sighting,) = detail(engine).sightings
    assert (case.presence, sighting.revision, sighting.score) == (Presence.PRESENT, 4, 0.8)
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(t.report)).scalar_one() == 4


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
def test_a_case_shows_its_picture_and_cell_in_whatever_order_reports_come(
    engine: Engine, report: MakeReport, file: File, order: tuple[int, ...]
) -> None:
    told = [
        report(1),
        report(1, seq=2, revision=2, phase="updated", evidence=[], cells=[]),
        report(1, seq=3, revision=3, phase="updated", evidence=[], cells=[]),
    ]
    for index in order:
        file(told[index])
    (case,) = cases(engine)
    assert case.still is not None
    assert case.cell_code == "340302001001001"


def test_the_same_revision_with_another_body_is_a_conflict_and_changes_nothing(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1))
    before = detail(engine)
    with pytest.raises(ConflictingReport, match="the first one stands"):
        file(report(1, score=0.1))
    assert detail(engine) == before


@pytest.mark.parametrize(
    "change", [{"agent_id": "gw-02"}, {"camera_id": "cam-09"}, {"category": "bin_overflow"}]
)
def test_an_issue_keeps_its_agent_camera_and_family(
    engine: Engine, report: MakeReport, file: File, change: dict[str, Any]
) -> None:
    file(report(1))
    with pytest.raises(ConflictingReport, match="the first one stands"):
        file(report(1, seq=2, revision=2, phase="updated", **change))
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(t.report)).scalar_one() == 1


def test_a_category_may_change_inside_its_family(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1, category="manhole_damaged"))
    file(
        report(1, seq=2, revision=2, phase="updated", category="manhole_missing", severity="urgent")
    )
    (case,) = cases(engine)
    assert (case.category, case.severity.value) == (Category.MANHOLE_MISSING, "urgent")


def test_a_list_tells_when_a_case_was_last_seen_though_nothing_else_changed(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1))
    (before,) = cases(engine)
    file(report(1, seq=2, revision=2, phase="updated", after_s=60))
    (after,) = cases(engine)
    assert (after.last_seen_at - before.last_seen_at).total_seconds() == 60


@pytest.mark.parametrize(
    ("phases", "presence"),
    [
        (("cleared", "updated"), Presence.PRESENT),
        (("cleared", "cleared"), Presence.GONE),
        (("cleared", "withdrawn"), Presence.GONE),
        (("withdrawn", "withdrawn"), Presence.UNKNOWN),
    ],
)
def test_presence_follows_all_cameras_and_state_stays(
    engine: Engine, report: MakeReport, file: File, phases: tuple[str, str], presence: Presence
) -> None:
    for number, phase in enumerate(phases, start=1):
        camera = f"cam-{number:02d}"
        file(report(number, camera_id=camera))
        reason = "camera_removed" if phase == "withdrawn" else None
        later = report(
            number, seq=9, camera_id=camera, revision=2, phase=phase, reason=reason, after_s=5
        )
        file(later)
    (case,) = cases(engine)
    assert (case.presence, case.state) == (presence, CaseState.PENDING)


def test_a_rejected_case_takes_no_new_sighting(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1))
    with writing(engine) as connection:
        decide(connection, 1, "reject", "li", "无照片 no picture", NOW)
    assert file(report(2, camera_id="cam-02")) is Outcome.OPENED


def test_a_report_of_a_rejected_case_changes_presence_not_state(
    engine: Engine, report: MakeReport, file: File
) -> None:
    file(report(1))
    with writing(engine) as connection:
        decide(connection, 1, "reject", "li", "not a vendor", NOW)
    file(report(1, seq=2, revision=2, phase="cleared"))
    found = detail(engine).summary
    assert (found.state, found.presence) == (CaseState.REJECTED, Presence.GONE)


def test_a_report_without_cells_is_looked_up_in_our_grid(
    engine: Engine, report: MakeReport, file: File
) -> None:
    with writing(engine) as connection:
        squares = lattice(Place(117.3601, 32.9302, 0), 4, 4)
        import_cells(connection, GridSource("lattice-1", "test", "0" * 64), squares, NOW)
    file(report(1, cells=[]))
    (case,) = cases(engine)
    assert case.cell_code is not None
    assert case.cell_code.startswith("XLATTICE")
    assert (case.grid_version, case.cell_official) == ("lattice-1", False)


def test_a_report_without_position_opens_a_case_without_a_place(
    engine: Engine, report: MakeReport, file: File
) -> None:
    nowhere = report(1).model_dump(by_alias=True) | {"position": None, "cells": []}
    file(IssueReport.model_validate(nowhere))
    (case,) = cases(engine)
    assert (case.lon, case.cell_code) == (None, None)
