"""Questions that a camera's next look answers, such as whether an issue is still there."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from contract.messages import EvidenceRef, format_utc
from edge_agent.issue_state import CameraIssues
from edge_agent.looks import Look
from edge_agent.presence import Place

WAITING_MAX = 64

Observation = Literal["seen", "not_seen", "not_visible"]


@dataclass(frozen=True, slots=True)
class LookAnswer:
    """What a look says of what was asked: in words, and of an issue as an observation."""

    said: str
    observation: Observation | None = None
    evidence: tuple[EvidenceRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A question about a camera, or about one issue of it; `told` is called with the answer.

    `picture` asks for a masked still of the look too.
    """

    camera_id: str
    issue_id: UUID | None
    told: Callable[[LookAnswer], None]
    picture: bool = False


class Asks:
    """What waits for a camera's next look; of too many the oldest are dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Ask] = []

    def put(self, ask: Ask) -> None:
        """Let a question wait for a look of its camera."""
        with self._lock:
            self._waiting.append(ask)
            del self._waiting[:-WAITING_MAX]

    def take(
        self, look: Look, state: CameraIssues, elsewhere: frozenset[UUID] = frozenset()
    ) -> list[tuple[Ask, LookAnswer]]:
        """Take the questions that this look, already judged into `state`, answers.

        Questions about the issues `elsewhere`, in other views of the camera, go on waiting.
        """
        if not self._waiting:
            return []
        answered = []
        with self._lock:
            for ask in tuple(self._waiting):
                if ask.camera_id != look.frame.camera_id or ask.issue_id in elsewhere:
                    continue
                answer = answer_of(state, look, ask.issue_id)
                if answer is not None:
                    self._waiting.remove(ask)
                    answered.append((ask, answer))
        return answered


def answer_of(state: CameraIssues, look: Look, issue_id: UUID | None) -> LookAnswer | None:
    """Say what a look shows; None where it was not a look for the issue's category."""
    at = format_utc(look.at.utc)
    if look.suspended is not None:
        return LookAnswer(f"{at}: judgement is suspended ({look.suspended})", "not_visible")
    if issue_id is None:
        return LookAnswer(f"{at}: looked; {len(state.open_places)} issues are open")
    found = [one for one in state.open_places if one.issue and one.issue.issue_id == issue_id]
    if not found:
        return LookAnswer(f"{at}: no such issue is open at this camera")
    place = found[0]
    if place.category not in look.judged:
        return None
    return LookAnswer(*_observed(place, look, at))


def _observed(place: Place, look: Look, at: str) -> tuple[str, Observation]:
    if place.seen_at == look.at:
        return f"{at}: {place.category} is seen, score {place.score:.2f}", "seen"
    if place.observed_at == look.at:
        return f"{at}: the place is visible and shows no {place.category}", "not_seen"
    return f"{at}: the place is hidden, or not judged at this hour", "not_visible"
