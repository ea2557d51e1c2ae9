"""One inference engine for all cameras: the newest frame wins, cameras take turns."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from edge_agent.clock import Clock, Instant
from edge_agent.core_turns import CoreTurns
from edge_agent.detections import Detections
from edge_agent.frames import Frame, Picture
from edge_agent.looks import Look, LookPlan
from edge_agent.runtimes import Choice
from edge_agent.shedding import WINDOW_S, Window, next_stretch, stretched_s

# A shorter interval replaces its frame in time anyway; dropping its newest one as well would leave
# a starved machine without any look at all.
PATIENCE_S = 1.0

DetectMany = Callable[[Sequence[tuple[Picture, tuple[int, int]]]], list[Detections]]
Slot = tuple[str, LookPlan]
Job = tuple[Frame, LookPlan]


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """What was done and dropped since the start: replaced by a newer frame, or too old."""

    looks: int
    replaced: int
    late: int
    stretch: float

    @property
    def dropped(self) -> int:
        """Due frames that nobody looked at."""
        return self.replaced + self.late


@dataclass(frozen=True, slots=True)
class Lanes:
    """How many workers look at once, at how many pictures each, and whose turns they take."""

    workers: int = 1
    batch: int = 1
    turns: CoreTurns = field(default_factory=CoreTurns)


ONE_LANE = Lanes()
# ONNX Runtime's providers that work on the processor, as we open them.
ON_CORES = frozenset({"cpu", "openvino"})


def lanes_of(choice: Choice, turns: CoreTurns) -> Lanes:
    """The lanes that a network runs on; a graphics card leaves the cores to the decoders."""
    if choice.provider not in ON_CORES:
        return Lanes(choice.streams, choice.batch)
    return Lanes(choice.streams, choice.batch, turns)


class Engine:
    """Runs the looks that cameras offer.

    Each camera and plan has one slot: a newer frame replaces one that still waits, so at most so
    many frames wait, whatever happens. Slots are served in the order in which they filled, so that
    no camera waits longer than one round of all others. A frame that is older than its interval
    (and than a second) is dropped. A camera has one look at a time, so that its looks come out in
    the order of their frames. What was dropped is counted, and stretches all intervals when it is
    more than jitter.
    """

    def __init__(
        self,
        detect: DetectMany,
        on_look: Callable[[Look], None],
        clock: Clock,
        lanes: Lanes = ONE_LANE,
    ) -> None:
        self._detect = detect
        self._on_look = on_look
        self._clock = clock
        self._lanes = lanes
        self._waiting: OrderedDict[Slot, Frame] = OrderedDict()
        self._busy: set[str] = set()
        self._changed = threading.Condition()
        self._looks = self._replaced = self._late = self._due = 0
        self._busy_s = 0.0
        self._window = (clock.now(), 0, 0, 0.0)
        self._stretch = 1.0

    def offer(self, frame: Frame, plan: LookPlan) -> None:
        """Offer a frame that is due; returns at once."""
        slot = (frame.camera_id, plan)
        with self._changed:
            self._due += 1
            self._replaced += slot in self._waiting
            self._waiting[slot] = frame
            self._shed(self._clock.now())
            self._changed.notify()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises what a worker raised, once all have ended."""
        self._busy.clear()
        count = self._lanes.workers
        with ThreadPoolExecutor(count, thread_name_prefix="engine") as workers:
            running = [workers.submit(self._work, stop) for _ in range(count)]
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
    def stretch(self) -> float:
        """By how much all intervals are to be stretched at the moment; 1 while all is well."""
        return self._stretch

    @property
    def counts(self) -> EngineCounts:
        """Looks done and frames dropped so far."""
        return EngineCounts(self._looks, self._replaced, self._late, self._stretch)

    def _work(self, stop: threading.Event) -> None:
        while jobs := self._take(stop):
            began = self._clock.now()
            with self._lanes.turns.looking():
                found = self._detect([(frame.picture, plan.tiles) for frame, plan in jobs])
            for (frame, plan), detections in zip(jobs, found, strict=True):
                self._on_look(Look.of(frame, plan.judged, detections))
            busy_s = self._clock.now().seconds_since(began)
            with self._changed:
                self._looks += len(jobs)
                self._busy_s += busy_s
                self._busy.difference_update(frame.camera_id for frame, _ in jobs)
                self._changed.notify(len(jobs))

    def _take(self, stop: threading.Event) -> list[Job]:
        """Wait for work; returns none only when stopped."""
        with self._changed:
            while not stop.is_set():
                if jobs := self._next_jobs(self._clock.now()):
                    return jobs
                self._changed.wait(timeout=0.5)
        return []

    def _next_jobs(self, now: Instant) -> list[Job]:
        jobs: list[Job] = []
        for camera_id, _ in list(self._waiting):
            if camera_id in self._busy or (slot := self._oldest(camera_id)) is None:
                continue
            plan, frame = slot[1], self._waiting.pop(slot)
            if self._too_old(frame, plan, now):
                self._late += 1
                continue
            self._busy.add(camera_id)
            jobs.append((frame, plan))
            if len(jobs) == self._lanes.batch:
                break
        return jobs

    def _oldest(self, camera_id: str) -> Slot | None:
        """The camera's slot whose frame came first: one that was replaced may hold a newer one."""
        slots = [slot for slot in self._waiting if slot[0] == camera_id]
        return min(slots, key=lambda slot: self._waiting[slot].at.monotonic_s, default=None)

    def _too_old(self, frame: Frame, plan: LookPlan, now: Instant) -> bool:
        patience_s = stretched_s(plan.every_s, self._stretch, plan.priority)
        return now.seconds_since(frame.at) > max(PATIENCE_S, patience_s)

    def _shed(self, now: Instant) -> None:
        """At the end of a window, decide anew how far intervals are stretched."""
        since, due, dropped, busy_s = self._window
        elapsed_s = now.seconds_since(since)
        if elapsed_s < WINDOW_S:
            return
        dropped_now = self._replaced + self._late
        share = (self._busy_s - busy_s) / (elapsed_s * self._lanes.workers)
        window = Window(self._due - due, dropped_now - dropped, share)
        self._stretch = next_stretch(self._stretch, window)
        self._window = (now, self._due, dropped_now, self._busy_s)
