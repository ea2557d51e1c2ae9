"""Commands wait for their agent, and agents learn from what a person rejected."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from central_ingest.errors import NotFound
from central_ingest.store.commands import (
    ASKED_NOW_EXPIRES_AFTER,
    OFFER_AGAIN_AFTER,
    Asked,
    any_due,
    ask,
    follow_up,
    get_command,
    list_suppressions,
    revoke,
    take_due,
)
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules, file_report
from central_ingest.store.fleet import hold_result, hold_status
from central_ingest.store.queries import decide, get_case
from central_ingest.store.views import SuppressionView
from contract.messages import (
    AgentStatus,
    Command,
    CommandKind,
    CommandResult,
    IssueReport,
    encode,
)
from contract.topics import AgentAddress

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
MakeReport = Callable[..., IssueReport]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def rejected(engine: Engine, report: MakeReport) -> Engine:
    """A case of two cameras that was rejected as no issue."""
    with writing(engine) as connection:
        for number, camera in ((1, "cam-01"), (2, "cam-02")):
            made = report(number, camera_id=camera)
            file_report(connection, made, encode(made), FilingRules(), NOW)
        decide(connection, 1, "reject", "li", "误报，无此问题 False alarm", NOW)
        assert follow_up(connection, 1, ("reject", "not_an_issue"), "li", NOW) == 2
    return engine


def due(engine: Engine, at: datetime) -> list[Command]:
    with writing(engine) as connection:
        expected = any_due(connection, at)
        found = take_due(connection, at)
    assert bool(found) == expected
    return [command for _, command in found]


def answer(engine: Engine, command: Command, at: datetime, *, ok: bool = True) -> None:
    result = CommandResult(
        agent_id="gw-01", command_id=command.command_id, done_at=at, ok=ok, detail="done"
    )
    with writing(engine) as connection:
        hold_result(connection, result, at)


def held(engine: Engine, at: datetime = NOW) -> list[SuppressionView]:
    with reading(engine) as connection:
        return list_suppressions(connection, at)


def say(engine: Engine, state: str, at: datetime) -> None:
    status = AgentStatus.model_validate(
        {"city": "demo", "agent_id": "gw-01", "state": state, "since": at, "version": "0"}
    )
    with writing(engine) as connection:
        hold_status(connection, status, at)


def test_a_rejection_as_no_issue_suppresses_every_sighting_of_the_case(rejected: Engine) -> None:
    first, second = due(rejected, NOW)
    assert {first.camera_id, second.camera_id} == {"cam-01", "cam-02"}
    assert (first.kind, first.category) == (CommandKind.SUPPRESS, "street_vendor")
    assert first.box_xyxyn is not None
    assert first.until == NOW + timedelta(days=30)
    assert first.radius_m == 3.0
    (one, two) = held(rejected)
    assert (one.case_number, one.asked_by, one.holds_at_agent) == ("SP2026070100001", "li", False)
    assert one.suppression_id != two.suppression_id


def test_a_suppression_is_for_the_view_in_which_it_was_seen(
    engine: Engine, report: MakeReport
) -> None:
    with writing(engine) as connection:
        made = report(1, preset_id="north")
        file_report(connection, made, encode(made), FilingRules(), NOW)
        decide(connection, 1, "reject", "li", "误报 False alarm", NOW)
        follow_up(connection, 1, ("reject", "not_an_issue"), "li", NOW)
    assert [command.preset_id for command in due(engine, NOW)] == ["north"]


@pytest.mark.parametrize(
    ("action", "code"), [("reject", "duplicate"), ("reject", None), ("confirm", "")]
)
def test_another_step_or_reason_teaches_the_agents_nothing(
    engine: Engine, action: str, code: str | None
) -> None:
    with writing(engine) as connection:
        assert follow_up(connection, 1, (action, code), "li", NOW) == 0
    assert due(engine, NOW) == []


def test_a_command_is_offered_again_until_it_is_answered(rejected: Engine) -> None:
    first, second = due(rejected, NOW)
    assert due(rejected, later(1)) == []
    answer(rejected, first, later(2))
    again = NOW + OFFER_AGAIN_AFTER
    assert [command.command_id for command in due(rejected, again)] == [second.command_id]
    answer(rejected, second, again)
    assert due(rejected, later(999)) == []
    assert all(one.holds_at_agent for one in held(rejected))


def test_a_command_for_an_agent_that_is_away_waits_for_it(rejected: Engine) -> None:
    say(rejected, "offline", NOW)
    assert due(rejected, NOW) == []
    assert due(rejected, later(86_400)) == []
    say(rejected, "online", later(86_401))
    assert len(due(rejected, later(86_402))) == 2


def test_nothing_is_offered_after_it_expired(rejected: Engine) -> None:
    assert due(rejected, NOW + timedelta(days=8)) == []


def test_a_refused_or_ended_suppression_is_not_listed(rejected: Engine) -> None:
    first, _ = due(rejected, NOW)
    answer(rejected, first, NOW, ok=False)
    assert len(held(rejected)) == 1
    assert held(rejected, NOW + timedelta(days=31)) == []


def test_a_revoked_suppression_ends_at_the_agent_too(rejected: Engine) -> None:
    first, second = due(rejected, NOW)
    answer(rejected, first, NOW)
    with writing(rejected) as connection:
        revoke(connection, first.command_id, "wang", later(5))
    (ended,) = due(rejected, later(6))
    assert (ended.kind, ended.suppression_id) == (CommandKind.UNSUPPRESS, first.command_id)
    assert [one.suppression_id for one in held(rejected)] == [second.command_id]
    with writing(rejected) as connection, pytest.raises(NotFound, match="it may be over"):
        revoke(connection, first.command_id, "wang", later(7))


def test_a_suppression_that_was_never_answered_is_revoked_and_not_offered_again(
    rejected: Engine,
) -> None:
    first, second = due(rejected, NOW)
    answer(rejected, second, NOW)
    with writing(rejected) as connection:
        revoke(connection, first.command_id, "wang", later(5))
    kinds = [command.kind for command in due(rejected, later(60))]
    assert kinds == [CommandKind.UNSUPPRESS]


def test_a_restored_case_is_reported_again(rejected: Engine) -> None:
    with writing(rejected) as connection:
        decide(connection, 1, "restore", "wang", "it was one", later(9))
        assert follow_up(connection, 1, ("restore", None), "wang", later(9)) == 2
    assert held(rejected) == []


def test_to_verify_a_case_its_cameras_look_again_and_their_answers_are_its_record(
    engine: Engine, report: MakeReport
) -> None:
    with writing(engine) as connection:
        made = report(1)
        file_report(connection, made, encode(made), FilingRules(), NOW)
        gone = report(2, camera_id="cam-02", phase="cleared")
        file_report(connection, gone, encode(gone), FilingRules(), NOW)
        assert follow_up(connection, 1, ("verify", None), "li", NOW) == 1
    (command,) = due(engine, NOW)
    assert (command.kind, command.issue_id) == (CommandKind.RECHECK, made.issue_id)
    result = CommandResult(
        agent_id="gw-01",
        command_id=command.command_id,
        done_at=NOW,
        ok=True,
        detail="the place is visible",
        observation="not_seen",
    )
    for _ in range(2):  # a repeat changes nothing
        with writing(engine) as connection:
            hold_result(connection, result, later(5))
    with reading(engine) as connection:
        answers = [one for one in get_case(connection, 1).decisions if one.action == "recheck"]
    assert [(one.who, one.detail) for one in answers] == [
        ("gw-01", "cam-01: 已不可见 not seen any more; the place is visible")
    ]


def test_what_is_asked_now_is_answered_or_given_up(engine: Engine) -> None:
    address = AgentAddress("demo", "gw-01")
    with writing(engine) as connection:
        asked = Asked(address, CommandKind.RECHECK, "cam-01", UUID(int=5))
        command_id = ask(connection, asked, "li", NOW)
    (command,) = due(engine, NOW)
    assert (command.camera_id, command.issue_id) == ("cam-01", UUID(int=5))
    with reading(engine) as connection:
        assert get_command(connection, command_id).answered_at is None
    answer(engine, command, later(3))
    with reading(engine) as connection:
        found = get_command(connection, command_id)
        assert (found.ok, found.answer, found.answered_at) == (True, "done", later(3))
        with pytest.raises(NotFound):
            get_command(connection, uuid4())
    assert due(engine, NOW + ASKED_NOW_EXPIRES_AFTER + timedelta(seconds=1)) == []
