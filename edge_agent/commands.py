"""The centre's commands, carried out and answered: suppress, unsuppress, snapshot, recheck, reload.

Each command is answered once, by a result that survives a restart; one that comes again gets the
same answer and is not carried out again. None can set an action, an address or a path: what is
carried out is only what stands in this module.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from contract.messages import Command, CommandKind, CommandResult, format_utc
from edge_agent.asks import Ask, LookAnswer
from edge_agent.clock import Clock
from edge_agent.command_book import CommandBook
from edge_agent.errors import AgentError, CommandRefused
from edge_agent.suppressions import Suppression

# So many suppressions a camera holds; more would hide that its zones or its model are wrong.
MAX_A_CAMERA = 200
DEFAULT_RADIUS_M = 2.0
# A snapshot or a recheck waits so long for its camera's next look.
LOOK_WITHIN_S = 60.0


class Eyes(Protocol):
    """Who looks at cameras and judges: what commands need of it."""

    def suppress(self, camera_id: str, suppressions: tuple[Suppression, ...]) -> None:
        """Raise nothing at these places from now on, and withdraw what is open there."""
        ...

    def look_again(self, ask: Ask) -> None:
        """Look at the camera as soon as possible, and answer."""
        ...


@dataclass(frozen=True, slots=True)
class Duties:
    """What the rest of the agent does for commands."""

    cameras: frozenset[str]
    eyes: Eyes
    reload: Callable[[], str]
    wake: Callable[[], None]


class Commands:
    """Carries out one agent's commands."""

    def __init__(self, agent_id: str, book: CommandBook, duties: Duties, clock: Clock) -> None:
        """Let the suppressions of the last run hold again. Raises StoreError."""
        self._agent_id = agent_id
        self._book = book
        self._duties = duties
        self._clock = clock
        self._under_way: dict[UUID, float] = {}
        self._lock = threading.Lock()
        for camera_id in sorted(duties.cameras):
            self._apply(camera_id)

    def take(self, command: Command) -> None:
        """Carry out a command, or refuse it; its answer waits in the book. Raises StoreError."""
        if self._book.is_answered(command.command_id) or self._is_under_way(command.command_id):
            return
        kinds: Mapping[CommandKind, Callable[[Command], None]] = {
            CommandKind.SUPPRESS: self._suppress,
            CommandKind.UNSUPPRESS: self._unsuppress,
            CommandKind.SNAPSHOT: self._look,
            CommandKind.RECHECK: self._look,
            CommandKind.RELOAD: self._reload,
        }
        if command.expires_at < self._clock.now().utc:
            self._answer(command, f"expired at {format_utc(command.expires_at)}", ok=False)
            return
        try:
            kinds[command.kind](command)
        except AgentError as error:
            self._answer(command, str(error), ok=False)

    def tick(self) -> None:
        """Give up on cameras that gave no look in time. Raises StoreError."""
        now_s = self._clock.now().monotonic_s
        with self._lock:
            late = [one for one, until_s in self._under_way.items() if now_s > until_s]
            for command_id in late:
                del self._under_way[command_id]
        for command_id in late:
            said = f"the camera gave no look within {LOOK_WITHIN_S:.0f} s"
            self._book.answer(self._result(command_id, said, ok=False))
            self._duties.wake()

    def suppressions(self) -> tuple[Suppression, ...]:
        """Return what holds now. Raises StoreError."""
        return self._book.suppressions(self._clock.now().utc)

    # -- each command

    def _suppress(self, command: Command) -> None:
        camera_id = self._camera(command)
        if command.category is None or command.box_xyxyn is None or command.until is None:
            raise CommandRefused("suppress needs category, box_xyxyn and until")
        held = [one for one in self.suppressions() if one.camera_id == camera_id]
        if len(held) >= MAX_A_CAMERA:
            raise CommandRefused(
                f"camera {camera_id} holds {len(held)} suppressions already; revoke some, or "
                "correct its zones"
            )
        one = Suppression(
            suppression_id=command.command_id,
            camera_id=camera_id,
            category=command.category,
            box_xyxyn=command.box_xyxyn,
            radius_m=DEFAULT_RADIUS_M if command.radius_m is None else command.radius_m,
            until=command.until,
            preset_id=command.preset_id,
        )
        said = f"no {one.category} is raised there until {format_utc(one.until)}"
        self._book.suppress(one, self._result(command.command_id, said, ok=True))
        self._apply(camera_id)
        self._duties.wake()

    def _unsuppress(self, command: Command) -> None:
        if command.suppression_id is None:
            raise CommandRefused("unsuppress needs suppression_id, the suppress command's own id")
        wanted = command.suppression_id
        known = next((one for one in self.suppressions() if one.suppression_id == wanted), None)
        said = "revoked" if known else "nothing was suppressed by that command any more"
        self._book.revoke(wanted, self._result(command.command_id, said, ok=True))
        if known is not None:
            self._apply(known.camera_id)
        self._duties.wake()

    def _look(self, command: Command) -> None:
        camera_id = self._camera(command)
        command_id = command.command_id
        with self._lock:
            self._under_way[command_id] = self._clock.now().monotonic_s + LOOK_WITHIN_S

        def told(answer: LookAnswer) -> None:
            with self._lock:
                if self._under_way.pop(command_id, None) is None:
                    return
            result = self._result(command_id, answer.said, ok=True)
            more = {"observation": answer.observation, "evidence": answer.evidence}
            self._book.answer(result.model_copy(update=more))
            self._duties.wake()

        picture = command.kind is CommandKind.SNAPSHOT
        self._duties.eyes.look_again(Ask(camera_id, command.issue_id, told, picture))

    def _reload(self, command: Command) -> None:
        self._answer(command, self._duties.reload(), ok=True)

    # -- inside

    def _camera(self, command: Command) -> str:
        if command.camera_id is None or command.camera_id not in self._duties.cameras:
            known = ", ".join(sorted(self._duties.cameras)) or "none"
            raise CommandRefused(f"camera {command.camera_id} is not here; there are: {known}")
        return command.camera_id

    def _apply(self, camera_id: str) -> None:
        mine = tuple(one for one in self.suppressions() if one.camera_id == camera_id)
        self._duties.eyes.suppress(camera_id, mine)

    def _is_under_way(self, command_id: UUID) -> bool:
        with self._lock:
            return command_id in self._under_way

    def _answer(self, command: Command, said: str, *, ok: bool) -> None:
        self._book.answer(self._result(command.command_id, said, ok=ok))
        self._duties.wake()

    def _result(self, command_id: UUID, said: str, *, ok: bool) -> CommandResult:
        return CommandResult(
            agent_id=self._agent_id,
            command_id=command_id,
            done_at=self._clock.now().utc,
            ok=ok,
            detail=said,
        )
