"""One detector for two threads that seldom need it."""

import threading
from collections.abc import Callable

from edge_agent.detections import Detections
from edge_agent.frames import Picture


class Locked:
    """Lets one thread detect at a time: stills and clips share a detector, and its memory."""

    def __init__(self, detect: Callable[[Picture, tuple[int, int]], Detections]) -> None:
        self._detect = detect
        self._lock = threading.Lock()

    def __call__(self, picture: Picture, tiles: tuple[int, int]) -> Detections:
        """Detect, once nobody else does."""
        with self._lock:
            return self._detect(picture, tiles)
