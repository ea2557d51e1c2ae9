"""Which decoders work now: no more than cores can serve, and those first whose picture is awaited.

Left to the scheduler, dozens of decoders share the cores evenly: a frame that is to be looked at
waits for many that are decoded only because later ones build on them, and the network's lanes wait
beside them.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from edge_agent.machine import cores

# One more than cores: while one decoder hands its frames over, another one works.
_BESIDE_CORES = 1


class DecodeTurns:
    """Turns at the cores, shared by all cameras of a process."""

    def __init__(self, at_once: int | None = None) -> None:
        """Let `at_once` decoders work at the same time; absent: as many as suit this machine."""
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
            self._hand_on()

    def _take(self, queue: deque[threading.Lock]) -> None:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            queue.append(mine)
        mine.acquire()

    def _hand_on(self) -> None:
        with self._lock:
            if waiting := self._urgent or self._calm:
                waiting.popleft().release()
            else:
                self._free += 1
