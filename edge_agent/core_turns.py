"""Who works at the cores now: looks at once, and beside them as many decoders as cores can serve.

Left to the scheduler, dozens of decoders share the cores evenly: a frame that is to be looked at
waits for many that are decoded only because later ones build on them, and then its look does. Here
those whose picture is awaited go first. No decoder waits long for a turn, for a camera that nobody
reads from meanwhile loses packets.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge_agent.machine import cores

# One more than cores: while one decoder hands its frames over, another one works.
_BESIDE_CORES = 1
# A calm one that waited so long goes before urgent ones.
CALM_MAX_S = 0.2

_Queue = deque[tuple[float, threading.Lock]]


class CoreTurns:
    """Turns at the cores, shared by the cameras and the engine of a process."""

    def __init__(
        self, at_once: int | None = None, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Let so many work at the same time; absent: as many as suit this machine."""
        self._now_s = now_s
        self._free = cores() + _BESIDE_CORES if at_once is None else at_once
        self._lock = threading.Lock()
        self._urgent: _Queue = deque()
        self._calm: _Queue = deque()

    @contextmanager
    def turn(self, *, urgent: bool) -> Iterator[None]:
        """Wait for a turn, in the order of coming; urgent ones go first, for a while."""
        self._take(self._urgent if urgent else self._calm)
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Take a turn at once, for a look: decoders begin only when fewer are taken."""
        with self._lock:
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    def _take(self, queue: _Queue) -> None:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            queue.append((self._now_s(), mine))
        mine.acquire()

    def _give_back(self) -> None:
        with self._lock:
            self._free += 1
            while self._free > 0 and (waiting := self._next()):
                self._free -= 1
                waiting.popleft()[1].release()

    def _next(self) -> _Queue:
        """The queue whose turn it is; empty where nobody waits."""
        if self._calm and self._now_s() - self._calm[0][0] > CALM_MAX_S:
            return self._calm
        return self._urgent or self._calm
