"""Clips that were asked for: waited for, decoded, masked and encoded behind the judge's back.

A report never waits for its clip (promise 8): the clip comes as evidence of a later report of the
same issue. Packets are taken out of the ring as soon as the clip's last second is in it, so that a
queue of clips outlives the ring. What cannot be made is counted.
"""

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from contract.messages import ShownMoment
from edge_agent.clips import CLIP_FPS, Closely, Span, encoded, masked_frames, moments, thinned
from edge_agent.clock import Clock, Instant
from edge_agent.config import CameraEvidence
from edge_agent.desk import DeskCounts, drained
from edge_agent.errors import AgentError
from edge_agent.evidence import CLIP_MEDIA_TYPE, evidence_of
from edge_agent.masking import MASK_WINDOW_S
from edge_agent.packet_ring import Footage, PacketRing
from edge_agent.store import Evidence

log = logging.getLogger(__name__)

# A camera that files more issues at once than this shows only the first ones in clips.
ASKED_MAX = 64
# Each holds the packets of one clip, some megabytes.
READY_MAX = 8
# Decoders and networks hold packets back a little.
SLACK_S = 0.5
NICE = 10


@dataclass(frozen=True, slots=True)
class ClipAsked:
    """A clip of one camera around the moment of one report."""

    camera_id: str
    issue_id: UUID
    moment: ShownMoment
    at: Instant


@dataclass(frozen=True, slots=True)
class ClipMade:
    """A clip as evidence."""

    asked: ClipAsked
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ClipSource:
    """Where one camera's clips come from; `mask` is false only for test images."""

    ring: PacketRing
    settings: CameraEvidence
    mask: bool = True


class ClipDesk:
    """Takes orders from the judge and hands clips back; `run` is its thread, at low priority."""

    def __init__(
        self,
        sources: Mapping[str, ClipSource],
        closely: Closely,
        clock: Clock,
        on_made: Callable[[], None] = lambda: None,
    ) -> None:
        self._sources = sources
        self._closely = closely
        self._clock = clock
        self._on_made = on_made
        self._asked: list[ClipAsked] = []
        self._ready: queue.Queue[tuple[ClipAsked, Footage, Span]] = queue.Queue(READY_MAX)
        self._made: queue.SimpleQueue[ClipMade] = queue.SimpleQueue()
        self.counts = DeskCounts()
        self.trouble = ""

    def ask(self, asked: ClipAsked) -> None:
        """Order a clip, where the camera makes any."""
        source = self._sources.get(asked.camera_id)
        if source is None or not source.settings.clips:
            return
        if len(self._asked) >= ASKED_MAX:
            self.counts.given_up += 1
            return
        self._asked.append(asked)

    def collect(self) -> None:
        """Take the packets of every clip whose time has come; called often, by who asks."""
        now = self._clock.now()
        for asked in [one for one in self._asked if self._is_due(one, now)]:
            self._asked.remove(asked)
            settings = self._sources[asked.camera_id].settings
            span = Span(asked.at.plus(-settings.before_s), asked.at.plus(settings.after_s))
            wide = span.widened(MASK_WINDOW_S)
            footage = self._sources[asked.camera_id].ring.footage(wide.start, wide.end)
            if footage is None:
                self._give_up(asked, "no video of its time came")
            elif self._ready.full():  # nobody else puts
                self._give_up(asked, f"{READY_MAX} others wait to be made")
            else:
                self._ready.put((asked, footage, span))

    def made(self) -> tuple[ClipMade, ...]:
        """Hand out what was made since the last call."""
        return drained(self._made)

    def finish(self) -> None:
        """Wait until everything collected so far is made or given up; `run` must be running."""
        self._ready.join()

    def run(self, stop: threading.Event) -> None:
        """Make clips until `stop`; one that is being made then is not waited for."""
        with contextlib.suppress(OSError):  # Linux gives each thread its own niceness
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                self._make(*self._ready.get(timeout=0.2))
                self._ready.task_done()

    def _is_due(self, asked: ClipAsked, now: Instant) -> bool:
        after_s = self._sources[asked.camera_id].settings.after_s
        return now.seconds_since(asked.at) >= after_s + MASK_WINDOW_S + SLACK_S

    def _make(self, asked: ClipAsked, footage: Footage, span: Span) -> None:
        source = self._sources[asked.camera_id]
        wide = span.widened(MASK_WINDOW_S)
        decoded = (one for one in moments(footage) if wide.holds(one.at))
        frames = masked_frames(thinned(decoded, CLIP_FPS), self._closely, span, mask=source.mask)
        try:
            data = encoded(frames)
        except AgentError as error:
            self._give_up(asked, str(error))
            return
        if data is None:
            self._give_up(asked, "fewer than two pictures of its time could be decoded")
            return
        made = evidence_of(data, "clip", CLIP_MEDIA_TYPE, asked.moment, span.start.utc)
        self.counts.made += 1
        self._made.put(ClipMade(asked, made))
        self._on_made()

    def _give_up(self, asked: ClipAsked, why: str) -> None:
        self.counts.given_up += 1
        self.trouble = f"camera {asked.camera_id}: no clip of issue {asked.issue_id}: {why}"
        log.warning("%s", self.trouble)
