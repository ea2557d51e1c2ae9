"""Which looks a frame is due for: a camera's categories grouped by how they are looked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig, LookRule
from edge_agent.detections import Detections
from edge_agent.frames import Frame
from edge_agent.shedding import Priority, stretched_s

# Packets jitter: a frame that comes this much early still counts as due, so that an interval of
# 0.2 s at 25 frames/s stays every fifth frame, and one of 2 s every key frame.
EARLY_S = 0.01
EARLY_SHARE = 0.1
# The golden ratio's fraction: its multiples lie evenly in an interval, however many they are.
GOLDEN = 0.618034
# With so many frames in an interval a look may choose among them.
FRAMES_TO_CHOOSE = 3


@dataclass(frozen=True, slots=True)
class LookPlan:
    """Categories that share one interval, one tiling, one patience and one priority."""

    every_s: float
    tiles: tuple[int, int]
    judged: frozenset[Category]
    quiet_every_s: float | None = None
    priority: Priority = "normal"


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One frame as a detector saw it: all classes, of which only `judged` may be concluded from.

    `suspended` tells why the camera cannot judge at the moment (dark, moved, …); None judges.
    `luma` is the picture's mean brightness of 255, where somebody measured it.
    """

    frame: Frame
    judged: frozenset[Category]
    detections: Detections
    suspended: str | None = None
    luma: float | None = None

    @classmethod
    def of(cls, frame: Frame, judged: frozenset[Category], detections: Detections) -> Self:
        """Take a frame's detections; its view says whether they may be judged."""
        return cls(frame, judged, detections, frame.view.suspended if frame.view else None)

    @property
    def at(self) -> Instant:
        """The moment of the frame."""
        return self.frame.at


def early_s(every_s: float, spacing_s: float) -> float:
    """How early a frame may come and still be the one that is due, with frames so far apart."""
    return max(EARLY_S, min(EARLY_SHARE * every_s, spacing_s / 2))


def turn_of(number: int) -> float:
    """Which part of an interval, 0 to 1, is the n-th camera's turn: far from all others'."""
    return number * GOLDEN % 1


def plans_of(config: CameraConfig) -> tuple[LookPlan, ...]:
    """Group a camera's categories into plans, the most frequent first."""
    groups: dict[LookPlan, set[Category]] = {}
    for category in Category:
        if not config.rule(category).enabled:
            continue
        rule: LookRule = config.look(category)
        nobody: frozenset[Category] = frozenset()
        key = LookPlan(rule.every_s, rule.tiles, nobody, rule.quiet_every_s, rule.priority)
        groups.setdefault(key, set()).add(category)
    return tuple(
        replace(plan, judged=frozenset(judged))
        for plan, judged in sorted(groups.items(), key=lambda item: item[0].every_s)
    )


@dataclass(frozen=True, slots=True)
class _Quiet:
    """When a quiet plan was last taken, and how long it waits while nothing changes."""

    taken: Instant
    wait_s: float


class LookTimer:
    """Says for each frame which plans are due; intervals keep their phase, none is caught up.

    A plan with `quiet_every_s` is taken at its interval while the picture changes; while it does
    not, the interval doubles from look to look up to the quiet one. One change, and it is short
    again.
    """

    def __init__(self, plans: tuple[LookPlan, ...], turn: float | None = None) -> None:
        """`turn` gives looks their part of each interval, so that cameras do not look at once."""
        self._plans = plans
        self._turn = turn
        self._in_turn: set[LookPlan] = set()
        self._next: dict[LookPlan, Instant] = {}
        self._quiet: dict[LookPlan, _Quiet] = {}
        self._last: Instant | None = None
        self._spacing_s = 0.0
        self._hurried = False

    def due(
        self,
        at: Instant,
        stretch: float = 1.0,
        changed: Callable[[LookPlan], bool] = lambda _: True,
    ) -> tuple[LookPlan, ...]:
        """Return the plans due at `at`, and count them as taken.

        `stretch` is the engine's; `changed` is asked only for plans with a quiet interval, once
        an interval.
        """
        self._spacing_s = at.seconds_since(self._last) if self._last else 0.0
        self._last = at
        if self._hurried:
            self._hurried = False
            self._next.clear()
            self._quiet.clear()
        due = []
        for plan in self._plans:
            if not self._is_due(plan, at):
                continue
            every_s = stretched_s(plan.every_s, stretch, plan.priority)
            self._next[plan] = self._following(plan, at, every_s)
            if plan.quiet_every_s is None or self._is_worth_it(plan, at, changed):
                due.append(plan)
        return tuple(due)

    def wait_s(self, at: Instant) -> float:
        """Return how long from `at` on no frame will be due; 0 before the first and after a boot.

        What is decoded in that time is decoded for nothing.
        """
        if self._hurried or len(self._next) < len(self._plans) or not self._next:
            return 0.0
        if any(following.boot_id != at.boot_id for following in self._next.values()):
            return 0.0
        soonest_s = min(one.monotonic_s for one in self._next.values()) - EARLY_S
        return max(0.0, soonest_s - at.monotonic_s)

    def hurry(self) -> None:
        """Let every plan be due with the next frame; any thread may ask."""
        self._hurried = True

    def _is_due(self, plan: LookPlan, at: Instant) -> bool:
        following = self._next.get(plan)
        if following is None or following.boot_id != at.boot_id:
            return True
        return at.monotonic_s >= following.monotonic_s - early_s(plan.every_s, self._spacing_s)

    def _following(self, plan: LookPlan, at: Instant, every_s: float) -> Instant:
        previous = self._next.get(plan)
        if previous is None or abs(at.monotonic_s - previous.monotonic_s) >= every_s:
            self._in_turn.discard(plan)
            return at.plus(every_s)
        if self._turn is None or plan in self._in_turn or not self._may_choose(every_s):
            return previous.plus(every_s)
        self._in_turn.add(plan)
        return at.plus(every_s * ((self._turn - at.monotonic_s / every_s) % 1))

    def _may_choose(self, every_s: float) -> bool:
        """Whether frames are so dense that any part of an interval has one; key frames are not."""
        return 0 < self._spacing_s <= every_s / FRAMES_TO_CHOOSE

    def _is_worth_it(
        self, plan: LookPlan, at: Instant, changed: Callable[[LookPlan], bool]
    ) -> bool:
        before = self._quiet.get(plan)
        longest_s = plan.quiet_every_s or plan.every_s
        if changed(plan) or before is None or before.taken.boot_id != at.boot_id:
            self._quiet[plan] = _Quiet(at, min(2 * plan.every_s, longest_s))
            return True
        if at.seconds_since(before.taken) < before.wait_s - early_s(plan.every_s, self._spacing_s):
            return False
        self._quiet[plan] = _Quiet(at, min(2 * before.wait_s, longest_s))
        return True
