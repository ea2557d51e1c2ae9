"""Stills that were asked for: decoded, masked and encoded behind the judge's back.

What waits is bounded; what finds no room is asked for again by who owes it.
"""

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from contract.messages import ShownMoment
from edge_agent.config import CameraConfig
from edge_agent.desk import DeskCounts, drained
from edge_agent.errors import AgentError
from edge_agent.evidence import Caption, stills
from edge_agent.judge import Judgement
from edge_agent.store import Evidence
from edge_agent.to_come import PICTURED
from edge_agent.witness import Shot

log = logging.getLogger(__name__)

# Each holds a decoded picture: 3 MB at 1080p.
ASKED_MAX = 16
NICE = 5


@dataclass(frozen=True, slots=True)
class StillAsked:
    """The stills of one report: what it says, what its look saw, and in whose name."""

    slot: str
    judgement: Judgement
    shot: Shot
    camera: CameraConfig

    @property
    def issue_id(self) -> UUID:
        """The issue that they show."""
        return self.judgement.transition.issue_id

    @property
    def moment(self) -> ShownMoment:
        """Whether they show it, or its absence."""
        return PICTURED[self.judgement.transition.phase]

    def made(self) -> tuple[Evidence, ...]:
        """Decode, mask and encode: the plain one and the marked one. Raises AgentError."""
        transition, cells = self.judgement.transition, self.judgement.where.cells
        at, picture = self.shot.still(transition)
        caption = Caption(
            box_xyxyn=transition.box_xyxyn,
            category=transition.category,
            camera=f"{self.camera.camera.name} {self.camera.camera.id}".strip(),
            captured_at=at.utc,
            timezone=self.camera.camera.timezone,
            moment=self.moment,
            cell=cells[0].code if cells else None,
        )
        return stills(picture, caption)


@dataclass(frozen=True, slots=True)
class StillMade:
    """The stills of one report; none where they could not be made."""

    asked: StillAsked
    evidence: tuple[Evidence, ...] = ()


@dataclass(slots=True)
class StillDesk:
    """Takes orders from the judge and hands stills back; `run` is its thread."""

    on_made: Callable[[], None] = lambda: None
    counts: DeskCounts = field(default_factory=DeskCounts)
    trouble: str = ""
    _asked: queue.Queue[StillAsked] = field(default_factory=lambda: queue.Queue(ASKED_MAX))
    _made: queue.SimpleQueue[StillMade] = field(default_factory=queue.SimpleQueue)

    def ask(self, asked: StillAsked) -> bool:
        """Order stills; returns whether there was room. Each order is answered in `made`."""
        try:
            self._asked.put_nowait(asked)
        except queue.Full:
            return False
        return True

    def made(self) -> tuple[StillMade, ...]:
        """Hand out what was made since the last call."""
        return drained(self._made)

    def run(self, stop: threading.Event) -> None:
        """Make stills until `stop`; those being made then are not waited for.

        Looks go first, but a busy gateway still shows what it reports.
        """
        with contextlib.suppress(OSError):  # Linux gives each thread its own niceness
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                self._make(self._asked.get(timeout=0.2))

    def work_off(self) -> None:
        """Make everything asked for so far, in this thread."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._make(self._asked.get_nowait())

    def _make(self, asked: StillAsked) -> None:
        evidence: tuple[Evidence, ...] = ()
        try:
            evidence = asked.made()
            self.counts.made += 1
        except AgentError as error:
            self.counts.given_up += 1
            self.trouble = f"camera {asked.slot}: no still of issue {asked.issue_id}: {error}"
            log.warning("%s", self.trouble)
        finally:  # whatever happens, nobody waits for ever
            self._made.put(StillMade(asked, evidence))
            self.on_made()
