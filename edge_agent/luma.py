"""Light and sharpness of one small grey picture: what needs no reference to compare with."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.edges import HEIGHT, WIDTH, Edges, Luma
from edge_agent.frames import Picture

# Nothing can be seen where 95 of 100 pixels are below this level, or where so many are white.
DARK_LEVEL = 30
WHITE_LEVEL = 250
WHITE_SHARE = 0.4
# Below this mean level a street is lit by lamps, and looks other than by day.
NIGHT_LEVEL = 70
# A repeated picture differs by what an encoder makes of it: at fair quality less, on average and in
# its worst pixels, than with the faintest sensor noise in it. Encoded worse, nobody can tell.
SAME_MEAN = 0.3
SAME_LEVELS = 2
SAME_PIXELS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One small grey picture, measured.

    `sharpness` is the strength of fine detail over that of coarse detail: exposure, fog and rain
    hardly change it, a lens out of focus does.
    """

    luma: Luma
    edges: Edges
    mean: float
    bright: int
    white: float
    sharpness: float

    @classmethod
    def of(cls, picture: Picture) -> Self:
        """Scale a picture down and measure it."""
        luma = np.asarray(cv2.cvtColor(picture.rgb(WIDTH, HEIGHT), cv2.COLOR_RGB2GRAY), np.uint8)
        levels = np.bincount(luma.ravel(), minlength=256)
        return cls(
            luma=luma,
            edges=Edges.of(luma),
            mean=float(levels @ np.arange(256) / luma.size),
            bright=int(np.searchsorted(np.cumsum(levels), 0.95 * luma.size)),
            white=float(levels[WHITE_LEVEL:].sum() / luma.size),
            sharpness=_sharpness(luma),
        )

    @property
    def dark(self) -> bool:
        """Whether nothing can be seen for darkness."""
        return self.bright < DARK_LEVEL

    @property
    def overexposed(self) -> bool:
        """Whether much of the picture is white."""
        return self.white > WHITE_SHARE

    @property
    def night(self) -> bool:
        """Whether this looks like a street by night."""
        return self.mean < NIGHT_LEVEL

    def same_as(self, luma: Luma) -> bool:
        """Say whether another picture differs by no more than an encoder's own noise."""
        apart = cv2.absdiff(self.luma, luma)
        if float(apart.mean()) > SAME_MEAN:
            return False
        differs = cv2.threshold(apart, SAME_LEVELS, 255, cv2.THRESH_BINARY)[1]
        return int(cv2.countNonZero(differs)) <= SAME_PIXELS


def _sharpness(luma: NDArray[np.uint8]) -> float:
    grey = luma.astype(np.float32)
    fine, middle, coarse = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (0.8, 2.0, 5.0))
    coarse_detail = float(cv2.absdiff(middle, coarse).mean())
    return float(cv2.absdiff(grey, fine).mean()) / max(coarse_detail, 0.1)
