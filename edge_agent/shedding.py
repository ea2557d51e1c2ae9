"""How far all looks are stretched when more are due than the machine can do; pure.

One factor, 1 or more, multiplies every interval: evenly, so that no camera starves for another.
A look of high priority feels its square root, one of low priority its square. It rises as soon as
due looks were dropped, by just what was missing, and falls slowly once the workers idle again.
"""

from dataclasses import dataclass
from typing import Literal

Priority = Literal["low", "normal", "high"]

# How long is watched before each decision: long enough for a look every second to be seen.
WINDOW_S = 4.0
# Up to this share of due looks may be dropped by jitter without a reaction.
DROPPED_SHARE_MAX = 0.03
# Below this share of the workers' time there is room to come closer again.
BUSY_SHARE_LOW = 0.85
RISE_MIN, RISE_MAX = 1.05, 2.0
FALL = 0.93
# So little is jitter, no overload: nobody is told.
ALARM_FROM = 1.1
# A machine that is this far off carries the wrong number of cameras; issues need looks.
STRETCH_MAX = 64.0

_WEIGHTS: dict[Priority, float] = {"low": 2.0, "normal": 1.0, "high": 0.5}


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in one window: looks that fell due, those dropped, the workers' time used."""

    due: int
    dropped: int
    busy_share: float


def next_stretch(stretch: float, window: Window) -> float:
    """Return the factor for the next window."""
    missing = window.dropped / window.due if window.due else 0.0
    if missing > DROPPED_SHARE_MAX:
        rise = min(RISE_MAX, max(RISE_MIN, 1 / max(1e-6, 1 - missing)))
        return min(STRETCH_MAX, stretch * rise)
    if window.busy_share < BUSY_SHARE_LOW:
        return max(1.0, stretch * FALL)
    return stretch


def stretched_s(every_s: float, stretch: float, priority: Priority) -> float:
    """Return an interval under load."""
    return float(every_s * stretch ** _WEIGHTS[priority])


def overloaded(stretch: float) -> str:
    """Say in words that the machine is overloaded; empty while it is not."""
    if stretch < ALARM_FROM:
        return ""
    return (
        f"more looks are due than this machine can do: intervals are {stretch:.1f} times as long; "
        "look less often, move cameras away, or see `edge-agent doctor`"
    )
