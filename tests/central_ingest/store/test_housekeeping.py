"""What time does: pictures that never came, and problems long gone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules, file_report
from central_ingest.store.housekeeping import HouseRules, keep_house
from central_ingest.store.pictures import Picture, note_missing, note_stored
from central_ingest.store.queries import changes_since, get_case
from central_ingest.store.views import CaseDetail
from contract.messages import IssueReport, encode

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHAS = ("e" * 64, "f" * 64)
MakeReport = Callable[..., IssueReport]


def file(engine: Engine, report: IssueReport, now: datetime = NOW) -> None:
    with writing(engine) as connection:
        file_report(connection, report, encode(report), FilingRules(), now)


def keep(engine: Engine, now: datetime) -> CaseDetail:
    with writing(engine) as connection:
        keep_house(connection, HouseRules(), now)
        return get_case(connection, 1)


def states(found: CaseDetail) -> dict[str, str]:
    return {one.sha256: one.state for one in found.sightings[0].evidence}


def test_a_picture_that_never_comes_is_lost_and_the_case_says_so(
    engine: Engine, report: MakeReport
) -> None:
    file(engine, report(1))
    with writing(engine) as connection:
        note_stored(connection, Picture(SHAS[0], "image/jpeg", 81234), "gw-01", NOW)
    assert states(keep(engine, NOW + 71 * HOUR)) == {SHAS[0]: "present", SHAS[1]: "pending"}
    assert states(keep(engine, NOW + 73 * HOUR)) == {SHAS[0]: "present", SHAS[1]: "lost"}
    with reading(engine) as connection:
        kinds = [change.kind for change in changes_since(connection, 0)]
    assert kinds == ["opened", "evidence", "evidence"]


def test_a_lost_picture_that_comes_after_all_is_present(engine: Engine, report: MakeReport) -> None:
    file(engine, report(1))
    keep(engine, NOW + 73 * HOUR)
    with writing(engine) as connection:
        note_stored(connection, Picture(SHAS[1], "image/jpeg", 83012), "gw-01", NOW)
    assert states(keep(engine, NOW + 74 * HOUR))[SHAS[1]] == "present"


def test_bytes_that_vanish_from_the_folder_are_lost(engine: Engine, report: MakeReport) -> None:
    file(engine, report(1))
    with writing(engine) as connection:
        note_stored(connection, Picture(SHAS[1], "image/jpeg", 83012), "gw-01", NOW)
        note_missing(connection, SHAS[1], NOW)
    assert states(keep(engine, NOW))[SHAS[1]] == "lost"


def test_a_picture_that_is_here_already_is_present_at_once(
    engine: Engine, report: MakeReport
) -> None:
    with writing(engine) as connection:
        note_stored(connection, Picture(SHAS[1], "image/jpeg", 83012), "gw-01", NOW)
    file(engine, report(1))
    assert states(keep(engine, NOW))[SHAS[1]] == "present"


def test_pending_and_gone_for_long_is_proposed_for_void_once(
    engine: Engine, report: MakeReport
) -> None:
    file(engine, report(1))
    file(engine, report(1, seq=2, revision=2, phase="cleared"))
    assert keep(engine, NOW + 23 * HOUR).proposals == ()
    assert len(keep(engine, NOW + 25 * HOUR).proposals) == 1
    (proposal,) = keep(engine, NOW + 26 * HOUR).proposals
    assert (proposal.kind, proposal.because) == (
        "void",
        "待核实且已消失 25.0 h pending, and gone so long",
    )


def test_a_problem_that_came_back_and_went_again_is_proposed_again(
    engine: Engine, report: MakeReport
) -> None:
    file(engine, report(1))
    file(engine, report(1, seq=2, revision=2, phase="cleared"))
    keep(engine, NOW + 25 * HOUR)
    file(engine, report(1, seq=3, revision=3, phase="raised", reopened=True), NOW + 30 * HOUR)
    file(engine, report(1, seq=4, revision=4, phase="cleared"), NOW + 31 * HOUR)
    assert len(keep(engine, NOW + 54 * HOUR).proposals) == 1
    assert len(keep(engine, NOW + 56 * HOUR).proposals) == 2
