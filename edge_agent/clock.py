"""Time as the agent sees it: wall-clock UTC for people, monotonic seconds for durations."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks; durations are differences of `monotonic_s` within one boot."""

    utc: datetime
    monotonic_s: float
    boot_id: str

    def seconds_since(self, earlier: "Instant") -> float:
        """Elapsed seconds, never negative: monotonic within a boot, else by wall clock."""
        if self.boot_id == earlier.boot_id:
            return max(0.0, self.monotonic_s - earlier.monotonic_s)
        return max(0.0, (self.utc - earlier.utc).total_seconds())

    def plus(self, seconds: float) -> "Instant":
        """Return the moment `seconds` later."""
        later = self.utc + timedelta(seconds=seconds)
        return Instant(later, self.monotonic_s + seconds, self.boot_id)


class Clock(Protocol):
    """Where `now` comes from; tests and replay bring their own."""

    def now(self) -> Instant:
        """Return the current moment."""
        ...


@cache
def boot_id() -> str:
    """Identify this boot of the machine, so that monotonic times of another are not compared."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else "unknown"


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Instant:
        """Return the current moment."""
        return Instant(datetime.now(UTC), time.monotonic(), boot_id())


class ReplayClock:
    """A clip's own time: start plus presentation time, the same at every run."""

    def __init__(self, start: datetime) -> None:
        self._start = start

    def at(self, clip_s: float) -> Instant:
        """Return the moment `clip_s` seconds into the clip."""
        return Instant(self._start + timedelta(seconds=clip_s), clip_s, "replay")
