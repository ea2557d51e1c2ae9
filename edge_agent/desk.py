"""What the desks for stills and for clips have in common."""

import contextlib
import queue
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class DeskCounts:
    """What was made and what was given up since the agent started."""

    made: int = 0
    given_up: int = 0


def drained(waiting: "queue.SimpleQueue[T]") -> tuple[T, ...]:
    """Take out all that waits now."""
    done: list[T] = []
    with contextlib.suppress(queue.Empty):
        while True:
            done.append(waiting.get_nowait())
    return tuple(done)
