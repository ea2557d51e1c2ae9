"""Which packets are decoded: all, key frames only, or as many as the next look needs; pure.

What is decoded between two looks is decoded only because later frames build on it. So after a look
the rest of a group of pictures is skipped when the next look falls due beyond it; when looks are as
far apart as key frames, nothing but key frames is decoded.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig

Verdict = Literal["decode", "alone", "skip"]

# Arrival times jitter: key frames 2 s apart serve a look every 2 s.
KEYFRAME_SLACK = 1.1
# A decoder that is so far behind its camera skips to the next key frame, until it is so close.
BEHIND_S = 1.0
CAUGHT_UP_S = 0.3
# The camera's clock and ours drift apart: what counts as not behind is learned anew this often.
LEARN_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class DecodePolicy:
    """Which frames are decoded: `all`, `keyframes`, or `auto`: what the interval allows."""

    mode: str
    every_s: float

    @classmethod
    def of(cls, config: CameraConfig) -> Self:
        """Take the most demanding of the camera's looks."""
        looks = [config.look(category) for category in Category]
        modes = {look.decode for look in looks}
        mode = "all" if "all" in modes else "auto" if "auto" in modes else "keyframes"
        return cls(mode, min(look.every_s for look in looks))

    def keyframes_only(self, distance_s: float | None) -> bool:
        """Decide by the longest recent distance of key frames; None: not known yet."""
        if self.mode != "auto":
            return self.mode == "keyframes"
        return distance_s is not None and distance_s <= self.every_s * KEYFRAME_SLACK


class KeyframeMeter:
    """Measures how far apart key frames arrive."""

    def __init__(self) -> None:
        self._last: Instant | None = None
        self._distances_s: deque[float] = deque(maxlen=4)

    def saw(self, at: Instant) -> None:
        """Count a key frame that arrived at this moment."""
        if self._last is not None:
            self._distances_s.append(at.seconds_since(self._last))
        self._last = at

    @property
    def longest_s(self) -> float | None:
        """The longest of the last four distances; None before there are two."""
        return max(self._distances_s) if len(self._distances_s) >= 2 else None

    def next_in_s(self, at: Instant) -> float | None:
        """How long until the next key frame is expected; None: not known yet."""
        if self._last is None or (longest_s := self.longest_s) is None:
            return None
        return max(0.0, longest_s - at.seconds_since(self._last))


class LagMeter:
    """Measures how far reading has fallen behind the camera: arrival against timestamp.

    The smallest difference of the last LEARN_EVERY_S to twice that counts as not behind.
    """

    def __init__(self) -> None:
        self._least_s: tuple[float, float] | None = None
        self._since: Instant | None = None

    def lag_s(self, stamp_s: float | None, at: Instant) -> float:
        """Take a packet's timestamp and arrival; returns how far behind it came."""
        if stamp_s is None:
            return 0.0
        behind_s = at.monotonic_s - stamp_s
        if self._least_s is None or self._since is None:
            self._least_s, self._since = (behind_s, behind_s), at
        if at.seconds_since(self._since) > LEARN_EVERY_S:
            self._least_s, self._since = (self._least_s[1], behind_s), at
        older_s, newer_s = self._least_s
        self._least_s = (older_s, min(newer_s, behind_s))
        return behind_s - min(self._least_s)


class DecodeGate:
    """Decides for each packet of one connection whether it is decoded.

    `wait_s` tells how long from a moment on no frame will be looked at.
    """

    def __init__(self, policy: DecodePolicy, wait_s: Callable[[Instant], float]) -> None:
        self._policy = policy
        self._wait_s = wait_s
        self._meter = KeyframeMeter()
        self._lag = LagMeter()
        self._skipping = False
        self.keyframes_only = False
        self.behind = False

    @property
    def distance_s(self) -> float:
        """The longest recent distance of key frames; 0 while it is not known."""
        return self._meter.longest_s or 0.0

    def verdict(self, at: Instant, stamp_s: float | None, *, keyframe: bool) -> Verdict:
        """Take a packet that arrived at `at`; `alone` is a key frame of which nothing follows."""
        lag_s = self._lag.lag_s(stamp_s, at)
        self.behind = lag_s > (CAUGHT_UP_S if self.behind else BEHIND_S)
        if keyframe:
            self._meter.saw(at)
            # Only here may the mode change: what follows a key frame needs nothing before it.
            self.keyframes_only = self._policy.keyframes_only(self._meter.longest_s)
            self._skipping = False
        elif self._skipping:
            return "skip"
        if (self.behind and not keyframe) or (self._policy.mode != "all" and self._is_idle(at)):
            self._skipping = True
        if self._skipping:
            return "skip"
        # Decoded alone, it leaves the decoder empty: what follows has nothing to build on.
        self._skipping = self.keyframes_only or self.behind
        return "alone" if self._skipping else "decode"

    def _is_idle(self, at: Instant) -> bool:
        """Whether no look falls due before the next key frame."""
        next_in_s = self._meter.next_in_s(at)
        if next_in_s is None:
            return False
        return self._wait_s(at) >= next_in_s - (KEYFRAME_SLACK - 1) * self.distance_s > 0
