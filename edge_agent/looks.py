"""Which looks a frame is due for: a camera's categories grouped by how they are looked for."""

from dataclasses import dataclass

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig, LookRule
from edge_agent.detections import Detections
from edge_agent.frames import Frame

# Packets jitter: a frame that comes this much early still counts as due, so that an interval of
# 0.2 s at 25 frames/s stays every fifth frame.
EARLY_S = 0.01


@dataclass(frozen=True, slots=True)
class LookPlan:
    """Categories that share one interval and one tiling."""

    every_s: float
    tiles: tuple[int, int]
    judged: frozenset[Category]


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

    @property
    def at(self) -> Instant:
        """The moment of the frame."""
        return self.frame.at


def plans_of(config: CameraConfig) -> tuple[LookPlan, ...]:
    """Group a camera's categories into plans, the most frequent first."""
    groups: dict[tuple[float, tuple[int, int]], set[Category]] = {}
    for category in Category:
        if not config.rule(category).enabled:
            continue
        rule: LookRule = config.look(category)
        groups.setdefault((rule.every_s, rule.tiles), set()).add(category)
    return tuple(
        LookPlan(every_s, tiles, frozenset(judged))
        for (every_s, tiles), judged in sorted(groups.items(), key=lambda item: item[0])
    )


class LookTimer:
    """Says for each frame which plans are due; intervals keep their phase, none is caught up."""

    def __init__(self, plans: tuple[LookPlan, ...]) -> None:
        self._plans = plans
        self._next: dict[LookPlan, Instant] = {}

    def due(self, at: Instant) -> tuple[LookPlan, ...]:
        """Return the plans due at `at`, and count them as taken."""
        due = tuple(plan for plan in self._plans if self._is_due(plan, at))
        for plan in due:
            self._next[plan] = self._following(plan, at)
        return due

    def _is_due(self, plan: LookPlan, at: Instant) -> bool:
        following = self._next.get(plan)
        if following is None or following.boot_id != at.boot_id:
            return True
        return at.monotonic_s >= following.monotonic_s - EARLY_S

    def _following(self, plan: LookPlan, at: Instant) -> Instant:
        previous = self._next.get(plan)
        if previous is not None and abs(at.monotonic_s - previous.monotonic_s) < plan.every_s:
            return previous.plus(plan.every_s)
        return at.plus(plan.every_s)
