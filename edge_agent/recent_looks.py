"""What a camera's looks of the last seconds found: for masks around a moment, and to choose one."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from contract.catalogue import Category, Family
from edge_agent.clock import Instant
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.looks import Look
from edge_agent.masking import MASK_SCORE, MASK_WINDOW_S, MaskRegions
from edge_agent.observations import iou
from edge_agent.zones import Box

# As long as a packet ring is sure to reach back, so that a moment chosen here can be decoded.
KEEP_S = 8.0
# Shares of a box that differ less are the same: then the newer moment is taken.
SHARE_STEP = 0.05
SHOWN_IOU = 0.3
# Looks a second may be many; so many are enough to mask and to choose from.
KEEP_MAX = 128


class RecentLooks:
    """The detections of the last seconds of one camera, oldest first; bounded."""

    def __init__(self) -> None:
        self._looks: deque[tuple[Instant, Detections]] = deque(maxlen=KEEP_MAX)

    def remember(self, look: Look) -> None:
        """Keep what a look found, and forget what is too old."""
        while self._looks and look.at.seconds_since(self._looks[0][0]) > KEEP_S:
            self._looks.popleft()
        found = look.detections
        self._looks.append((look.at, found.only(found.scores >= MASK_SCORE)))

    def copy(self) -> "RecentLooks":
        """The same looks, to be read in another thread."""
        other = RecentLooks()
        other._looks = self._looks.copy()
        return other

    def around(self, at: Instant) -> tuple[Detections, ...]:
        """What was found within a second of a moment."""
        return tuple(
            found
            for then, found in self._looks
            if abs(then.monotonic_s - at.monotonic_s) <= MASK_WINDOW_S
        )

    def clearest(
        self, box: Box, family: Family | None, since: Instant, size_px: tuple[int, int]
    ) -> tuple[Instant, ...]:
        """Moments since `since`, those first in which masks cover least of the box.

        `family` set: only moments in which something of it was found at the box. Only moments
        whose following second is known; of equal ones the newer comes first.
        """
        newest = self._looks[-1][0] if self._looks else since
        fit = [
            (self._covered(at, box, size_px), -at.monotonic_s, at)
            for at, found in self._looks
            if at.monotonic_s >= since.monotonic_s
            and newest.seconds_since(at) >= MASK_WINDOW_S
            and (family is None or _shows(found, family, box))
        ]
        return tuple(at for *_, at in sorted(fit, key=lambda one: one[:2]))

    def _covered(self, at: Instant, box: Box, size_px: tuple[int, int]) -> int:
        share = MaskRegions.of(self.around(at), size_px).share_of(box)
        return round(share / SHARE_STEP)


def _shows(found: Detections, family: Family, box: Box) -> bool:
    classes: Sequence[int] = [
        CLASS_INDEX[category.value] for category in Category if category.family is family
    ]
    boxes = found.xyxyn[np.isin(found.classes, classes)].tolist()
    return any(iou((x1, y1, x2, y2), box) >= SHOWN_IOU for x1, y1, x2, y2 in boxes)
