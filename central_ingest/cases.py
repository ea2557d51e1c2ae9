"""The case state machine and its deadlines: what people may do, in which state. Pure.

    pending ─confirm→ filed ─dispatch→ dispatched ─accept→ handling ─handle→ handled
       │                                    └─return→ filed               │
       └─reject→ rejected                 closed ←close─ verifying ←verify┘
                                                            └─rework→ handling

`void` ends any open state; `restore` brings a rejected or void case back to pending.
Reports change `Presence`, never `CaseState`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from central_ingest.errors import IllegalStep, ReasonMissing
from contract.messages import Phase

# The phases of an issue that its camera sees.
LIVE: Final = frozenset({Phase.RAISED, Phase.UPDATED})


class CaseState(StrEnum):
    """What people did with the case so far."""

    PENDING = "pending"
    FILED = "filed"
    DISPATCHED = "dispatched"
    HANDLING = "handling"
    HANDLED = "handled"
    VERIFYING = "verifying"
    CLOSED = "closed"
    REJECTED = "rejected"
    VOID = "void"

    @property
    def name_zh(self) -> str:
        """The name duty officers use."""
        return _STATE_NAMES[self][0]

    @property
    def name_en(self) -> str:
        """The English name."""
        return _STATE_NAMES[self][1]


_STATE_NAMES = {
    CaseState.PENDING: ("待核实", "Pending verification"),
    CaseState.FILED: ("已立案", "Filed"),
    CaseState.DISPATCHED: ("已派遣", "Dispatched"),
    CaseState.HANDLING: ("处理中", "Being handled"),
    CaseState.HANDLED: ("已处理", "Handled"),
    CaseState.VERIFYING: ("核查中", "Being verified"),
    CaseState.CLOSED: ("已结案", "Closed"),
    CaseState.REJECTED: ("不予立案", "Rejected"),
    CaseState.VOID: ("已作废", "Void"),
}


class Presence(StrEnum):
    """What cameras say about the problem."""

    PRESENT = "present"
    GONE = "gone"
    UNKNOWN = "unknown"

    @property
    def name_zh(self) -> str:
        """The name duty officers use."""
        return _PRESENCE_NAMES[self][0]

    @property
    def name_en(self) -> str:
        """The English name."""
        return _PRESENCE_NAMES[self][1]


_PRESENCE_NAMES = {
    Presence.PRESENT: ("仍在", "Present"),
    Presence.GONE: ("已消失", "Gone"),
    Presence.UNKNOWN: ("不明", "Unknown"),
}

OPEN_STATES = (
    CaseState.PENDING,
    CaseState.FILED,
    CaseState.DISPATCHED,
    CaseState.HANDLING,
    CaseState.HANDLED,
    CaseState.VERIFYING,
)


@dataclass(frozen=True, slots=True)
class _Step:
    origins: frozenset[CaseState]
    target: CaseState
    needs_reason: bool = False


def _step(origins: Iterable[CaseState], target: CaseState, *, needs_reason: bool = False) -> _Step:
    return _Step(frozenset(origins), target, needs_reason)


_STEPS = {
    "confirm": _step([CaseState.PENDING], CaseState.FILED),
    "reject": _step([CaseState.PENDING], CaseState.REJECTED, needs_reason=True),
    "dispatch": _step([CaseState.FILED], CaseState.DISPATCHED),
    "accept": _step([CaseState.DISPATCHED], CaseState.HANDLING),
    "return": _step([CaseState.DISPATCHED, CaseState.HANDLING], CaseState.FILED, needs_reason=True),
    "handle": _step([CaseState.HANDLING], CaseState.HANDLED),
    "verify": _step([CaseState.HANDLED], CaseState.VERIFYING),
    "rework": _step([CaseState.VERIFYING], CaseState.HANDLING, needs_reason=True),
    "close": _step([CaseState.VERIFYING], CaseState.CLOSED),
    "void": _step(OPEN_STATES, CaseState.VOID, needs_reason=True),
    "restore": _step([CaseState.REJECTED, CaseState.VOID], CaseState.PENDING, needs_reason=True),
}
ACTIONS = tuple(_STEPS)


def allowed_actions(state: CaseState) -> tuple[str, ...]:
    """The steps that a case in this state can take, in the order of the closed loop."""
    return tuple(action for action, step in _STEPS.items() if state in step.origins)


def next_state(state: CaseState, action: str, reason: str | None) -> CaseState:
    """The state after `action`. Raises IllegalStep, or ReasonMissing where a reason is asked."""
    step = _STEPS.get(action)
    if step is None or state not in step.origins:
        allowed = ", ".join(allowed_actions(state)) or "none"
        raise IllegalStep(
            f"'{action}' is not possible for a case that is {state.value}; possible are: {allowed}"
        )
    if step.needs_reason and not (reason and reason.strip()):
        raise ReasonMissing(f"'{action}' needs a reason; none was given")
    return step.target


def presence_of(phases: Iterable[Phase]) -> Presence:
    """What the newest reports of a case's sightings say together.

    One camera that sees it is enough for present. It is gone when those that still look have all
    cleared it; a camera that withdrew no longer looks and says nothing.
    """
    said = set(phases)
    if said & LIVE:
        return Presence.PRESENT
    return Presence.GONE if Phase.CLEARED in said else Presence.UNKNOWN
