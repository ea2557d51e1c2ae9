"""One inference engine for all cameras: the newest frame wins, cameras take turns."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from edge_agent.detections import Detections
from edge_agent.frames import Frame, Picture
from edge_agent.looks import Look, LookPlan

Detect = Callable[[Picture, tuple[int, int]], Detections]
Slot = tuple[str, LookPlan]


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """How much was done and what was dropped since the start."""

    looks: int
    dropped: int


class Engine:
    """Runs the looks that cameras offer, one worker a core.

    Each camera and plan has one slot: a newer frame replaces one that still waits, and the
    replaced one is counted. Slots are served in the order in which they filled, so that no
    camera waits longer than one round of all others. A camera has one look at a time, so that
    its looks come out in the order of their frames.
    """

    def __init__(self, detectors: tuple[Detect, ...], on_look: Callable[[Look], None]) -> None:
        self._detectors = detectors
        self._on_look = on_look
        self._waiting: OrderedDict[Slot, Frame] = OrderedDict()
        self._busy: set[str] = set()
        self._changed = threading.Condition()
        self._looks = 0
        self._dropped = 0

    def offer(self, frame: Frame, plan: LookPlan) -> None:
        """Offer a frame that is due; returns at once."""
        slot = (frame.camera_id, plan)
        with self._changed:
            self._dropped += slot in self._waiting
            self._waiting[slot] = frame
            self._changed.notify()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises what a worker raised, once all have ended."""
        self._busy.clear()
        with ThreadPoolExecutor(len(self._detectors), thread_name_prefix="engine") as workers:
            running = [workers.submit(self._work, detect, stop) for detect in self._detectors]
            wait(running, return_when=FIRST_EXCEPTION)
            stop.set()
            self.wake()
        for worker in running:
            worker.result()

    def wake(self) -> None:
        """Let idle workers look at their stop event."""
        with self._changed:
            self._changed.notify_all()

    @property
    def counts(self) -> EngineCounts:
        """Looks done and frames dropped so far."""
        return EngineCounts(self._looks, self._dropped)

    def _work(self, detect: Detect, stop: threading.Event) -> None:
        while (taken := self._take(stop)) is not None:
            frame, plan = taken
            found = detect(frame.picture, plan.tiles)
            self._on_look(Look(frame, plan.judged, found))
            with self._changed:
                self._looks += 1
                self._busy.discard(frame.camera_id)
                self._changed.notify()

    def _take(self, stop: threading.Event) -> tuple[Frame, LookPlan] | None:
        with self._changed:
            while not stop.is_set():
                slot = next((one for one in self._waiting if one[0] not in self._busy), None)
                if slot is not None:
                    self._busy.add(slot[0])
                    return self._waiting.pop(slot), slot[1]
                self._changed.wait(timeout=0.5)
        return None
