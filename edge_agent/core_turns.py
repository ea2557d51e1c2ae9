"""Who works at the cores now: looks at once, and beside them as many decoders as cores can serve.

Left to the scheduler, dozens of decoders share the cores evenly: a frame that is to be looked at
waits for many that are decoded only because later ones build on them, and then its look does. Here
those whose picture is awaited go first.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from edge_agent.machine import cores

# One more than cores: while one decoder hands its frames over, another one works.
_BESIDE_CORES = 1


class CoreTurns:
    """Turns at the cores, shared by the cameras and the engine of a process."""

    def __init__(self, at_once: int | None = None) -> None:
        """Let so many work at the same time; absent: as many as suit this machine."""
        self._free = cores() + _BESIDE_CORES if at_once is None else at_once
        self._lock = threading.Lock()
        self._urgent: deque[threading.Lock] = deque()
        self._calm: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self, *, urgent: bool) -> Iterator[None]:
        """Wait for a turn, in the order of coming; urgent ones go first."""
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

    def _take(self, queue: deque[threading.Lock]) -> None:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            queue.append(mine)
        mine.acquire()

    def _give_back(self) -> None:
        with self._lock:
            self._free += 1
            while self._free > 0 and (waiting := self._urgent or self._calm):
                self._free -= 1
                waiting.popleft().release()
