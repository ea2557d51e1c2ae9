"""Commands are carried out once, answered once, and can do nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contract.messages import Command, CommandKind, CommandResult
from edge_agent.asks import Ask, LookAnswer
from edge_agent.clock import Instant
from edge_agent.command_book import CommandBook
from edge_agent.commands import LOOK_WITHIN_S, MAX_A_CAMERA, Commands, Duties
from edge_agent.errors import ConfigError
from edge_agent.suppressions import Suppression

START = Instant(datetime(2026, 7, 1, 8, 0, tzinfo=UTC), 100.0, "boot")
THERE = {
    "camera_id": "cam-01",
    "category": "street_vendor",
    "box_xyxyn": (0.1, 0.2, 0.3, 0.4),
    "until": START.utc + timedelta(days=1),
}


@dataclass
class Rest:
    """The rest of the agent, and its clock."""

    folder: Path
    at: Instant = START
    applied: list[tuple[str, tuple[Suppression, ...]]] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    reloads: int = 0
    complaint: str = ""
    woken: int = 0

    def __post_init__(self) -> None:
        self.book = CommandBook(self.folder)
        self.commands = self.started()

    def started(self) -> Commands:
        duties = Duties(frozenset({"cam-01", "cam-02"}), self, self.reload, self.wake)
        return Commands("gw-01", self.book, duties, self)

    def now(self) -> Instant:
        return self.at

    def suppress(self, camera_id: str, suppressions: tuple[Suppression, ...]) -> None:
        self.applied.append((camera_id, suppressions))

    def look_again(self, ask: Ask) -> None:
        self.asks.append(ask)

    def reload(self) -> str:
        if self.complaint:
            raise ConfigError(self.complaint)
        self.reloads += 1
        return "starts again"

    def wake(self) -> None:
        self.woken += 1

    def take(self, kind: CommandKind, number: int = 1, **more: Any) -> list[CommandResult]:
        """Give it a command, and return the answers that then wait."""
        lives = more.pop("lives_s", 60)
        self.commands.take(
            Command(
                command_id=UUID(int=number),
                kind=kind,
                issued_at=self.at.utc,
                expires_at=self.at.utc + timedelta(seconds=lives),
                **more,
            )
        )
        return self.answers()

    def answers(self) -> list[CommandResult]:
        return [CommandResult.model_validate_json(one) for one in self.book.take_unsent(99)]


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[Rest]:
    made = Rest(tmp_path)
    made.applied.clear()
    yield made
    made.book.close()


def test_a_suppression_is_kept_applied_and_answered(rest: Rest) -> None:
    (answer,) = rest.take(CommandKind.SUPPRESS, **THERE)
    assert answer.ok
    (held,) = rest.commands.suppressions()
    assert (held.suppression_id, held.radius_m) == (UUID(int=1), 2.0)
    assert rest.applied == [("cam-01", (held,))]
    assert rest.woken == 1
    rest.applied.clear()
    rest.started()
    assert rest.applied == [("cam-01", (held,)), ("cam-02", ())]


def test_a_command_that_comes_again_is_answered_again_and_not_carried_out_again(rest: Rest) -> None:
    (first,) = rest.take(CommandKind.SUPPRESS, **THERE)
    assert rest.take(CommandKind.SUPPRESS, **THERE) == [first]
    assert len(rest.applied) == 1


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        (CommandKind.SUPPRESS, THERE | {"camera_id": "cam-09"}, "camera cam-09 is not here"),
        (CommandKind.SUPPRESS, THERE | {"until": None}, "needs category, box_xyxyn and until"),
        (CommandKind.SUPPRESS, THERE | {"lives_s": -1}, "expired at 2026-07-01T07:59:59.000Z"),
        (CommandKind.UNSUPPRESS, {}, "needs suppression_id"),
        (CommandKind.RECHECK, {}, "camera None is not here; there are: cam-01, cam-02"),
    ],
)
def test_what_cannot_be_done_is_answered_with_the_reason(
    rest: Rest, kind: CommandKind, more: dict[str, Any], said: str
) -> None:
    (answer,) = rest.take(kind, **more)
    assert not answer.ok
    assert said in answer.detail
    assert rest.commands.suppressions() == ()


def test_a_camera_holds_a_bounded_number_of_suppressions(rest: Rest) -> None:
    for number in range(1, MAX_A_CAMERA + 2):
        (answer,) = rest.take(CommandKind.SUPPRESS, number, **THERE)
    assert not answer.ok
    assert len(rest.commands.suppressions()) == MAX_A_CAMERA


def test_a_revoked_suppression_holds_no_more(rest: Rest) -> None:
    rest.take(CommandKind.SUPPRESS, **THERE)
    (answer,) = rest.take(CommandKind.UNSUPPRESS, 2, suppression_id=UUID(int=1))
    assert (answer.ok, answer.detail) == (True, "revoked")
    assert rest.applied[-1] == ("cam-01", ())
    (again,) = rest.take(CommandKind.UNSUPPRESS, 3, suppression_id=UUID(int=1))
    assert again.ok


def test_a_recheck_is_answered_by_the_look_and_only_once(rest: Rest) -> None:
    assert rest.take(CommandKind.RECHECK, camera_id="cam-01", issue_id=UUID(int=9)) == []
    assert rest.take(CommandKind.RECHECK, camera_id="cam-01", issue_id=UUID(int=9)) == []
    (ask,) = rest.asks
    assert (ask.issue_id, ask.picture) == (UUID(int=9), False)
    ask.told(LookAnswer("it is there", "seen"))
    ask.told(LookAnswer("it is gone", "not_seen"))
    (answer,) = rest.answers()
    assert (answer.ok, answer.observation, answer.detail) == (True, "seen", "it is there")


def test_a_camera_that_gives_no_look_is_answered_for(rest: Rest) -> None:
    rest.take(CommandKind.SNAPSHOT, camera_id="cam-01")
    rest.at = START.plus(LOOK_WITHIN_S)
    rest.commands.tick()
    assert rest.answers() == []
    rest.at = START.plus(LOOK_WITHIN_S + 1)
    rest.commands.tick()
    (answer,) = rest.answers()
    assert not answer.ok
    assert "no look within 60 s" in answer.detail
    rest.asks[0].told(LookAnswer("too late"))
    assert rest.answers() == []


def test_a_reload_that_cannot_be_is_answered_with_what_is_wrong(rest: Rest) -> None:
    rest.complaint = "cam-01.yaml:3: unknown key"
    (answer,) = rest.take(CommandKind.RELOAD)
    assert (answer.ok, answer.detail) == (False, "cam-01.yaml:3: unknown key")
    rest.complaint = ""
    (answer,) = rest.take(CommandKind.RELOAD, 2)
    assert (answer.ok, rest.reloads) == (True, 1)


def test_no_command_can_name_an_action_an_address_or_a_path() -> None:
    allowed = {
        "schema_", "command_id", "kind", "issued_at", "expires_at", "camera_id", "issue_id",
        "category", "box_xyxyn", "until", "radius_m", "preset_id",
        "suppression_id",
    }  # fmt: skip
    assert set(Command.model_fields) == allowed
