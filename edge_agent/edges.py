"""The edges of a small picture, and whether a reference's edges are where they were.

A picture becomes a field of edge directions (doubled angles, so that light and dark may change
places) whose strength saturates: neither exposure nor weather moves an edge. A reference is the
mean of such fields: what moves through it fades, what stands stays. Shifts are found by phase in
overlapping windows, so that turning and zooming show as shifts that differ from window to window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import atan2, degrees, hypot

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Plane = NDArray[np.float32]

WIDTH, HEIGHT = 320, 180
TILE = 20
COLUMNS, ROWS = WIDTH // TILE, HEIGHT // TILE

# Gradients weaker than this many grey levels a pixel are noise rather than edges.
NOISE = 4.0
# A tile has structure when its edges fill so much of it, and keeps it at this likeness.
TEXTURED = 0.06
KEPT = 0.4

# A peak stands out when the next best place, PEAK_PX away at least, is so much weaker: pictures of
# other cameras stay well below, of the same one by day, dusk and rain well above.
PEAK_RATIO = 1.7
PEAK_SHARE = 0.12
PEAK_PX = 6
WINDOW = (WIDTH // 2, HEIGHT // 2)
# So many windows must agree before turning and zoom are believed.
WINDOWS_NEEDED = 4
FIT_PX = 1.5

# Burnt-in text stays where it is when the camera turns: so few kept tiles prove nothing.
TEXT_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class Shift:
    """How the picture lies against its reference: fractions of the picture, degrees, factor."""

    dx: float
    dy: float
    rotation_deg: float = 0.0
    zoom: float = 1.0
    corner: float = 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """What became of a reference's structure: the share kept in place, and the shift if found."""

    kept: float
    shift: Shift | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """A field of edges: float32 [2, HEIGHT, WIDTH], cosine and sine of the doubled direction."""

    field: Plane

    def __post_init__(self) -> None:
        if self.field.shape != (2, HEIGHT, WIDTH) or self.field.dtype != np.float32:
            raise ValueError(
                f"edges are {self.field.dtype} {self.field.shape}; "
                f"float32 [2, {HEIGHT}, {WIDTH}] was expected"
            )

    @classmethod
    def of(cls, luma: Luma) -> "Edges":
        """Find the edges of a grey picture [HEIGHT, WIDTH]."""
        smooth = cv2.GaussianBlur(luma.astype(np.float32), (0, 0), 1.0)
        gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
        gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
        xx, yy = gx * gx, gy * gy
        strength = xx + yy + np.float32(NOISE**2)
        return cls(np.stack([(xx - yy) / strength, 2 * gx * gy / strength]))

    def towards(self, other: "Edges", share: float) -> "Edges":
        """These edges, moved by `share` (0 to 1) towards the other's."""
        return Edges(self.field + np.float32(share) * (other.field - self.field))

    @property
    def textured(self) -> int:
        """How many tiles of the picture have structure."""
        return int((_by_tile(_product(self.field, self.field)) > TEXTURED).sum())

    def kept_tiles(self, reference: "Edges") -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which tiles [ROWS, COLUMNS] keep the reference's structure, and which could."""
        mine = _by_tile(_product(self.field, self.field))
        theirs = _by_tile(_product(reference.field, reference.field))
        shared = _by_tile(_product(self.field, reference.field))
        textured = theirs > TEXTURED
        alike = shared > KEPT * np.sqrt(np.maximum(mine * theirs, 1e-9))
        return alike & textured, textured

    def kept(self, reference: "Edges") -> float:
        """The share of the reference's structure that is in its place; 0 where there is none."""
        kept, textured = self.kept_tiles(reference)
        return float(kept.sum() / max(1, textured.sum()))

    def match(self, reference: "Edges") -> Match:
        """Find the reference in this picture: in place, shifted, or (shift None) not at all."""
        kept, textured = self.kept_tiles(reference)
        share = float(kept.sum() / max(1, textured.sum()))
        mine, theirs = _interleaved(self.field), _interleaved(reference.field)
        if share < TEXT_SHARE:
            burnt_in = cv2.resize(
                kept.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST
            )
            mine, theirs = mine * (1 - burnt_in)[..., None], theirs * (1 - burnt_in)[..., None]
        return Match(share, _by_windows(mine, theirs) or _whole(mine, theirs))


def _interleaved(field: Plane) -> Plane:
    return np.ascontiguousarray(np.moveaxis(field, 0, 2))


def _product(a: Plane, b: Plane) -> Plane:
    product: Plane = a[0] * b[0] + a[1] * b[1]
    return product


def _by_tile(plane: Plane) -> Plane:
    return np.asarray(cv2.resize(plane, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), np.float32)


def _peak(mine: Plane, theirs: Plane) -> tuple[int, int] | None:
    """Where `theirs` [H, W, 2] lies in `mine`, pixels right and down; None without a clear peak."""
    scale = float(np.sqrt((mine * mine).sum() * (theirs * theirs).sum()))
    if scale <= 0:
        return None
    product = cv2.mulSpectrums(cv2.dft(mine), cv2.dft(theirs), 0, conjB=True)
    likeness = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)[..., 0]
    height, width = likeness.shape
    likeness = np.roll(likeness, (height // 2, width // 2), axis=(0, 1))
    row, column = divmod(int(likeness.argmax()), width)
    best = float(likeness[row, column])
    likeness[max(0, row - PEAK_PX) : row + PEAK_PX + 1,
             max(0, column - PEAK_PX) : column + PEAK_PX + 1] = 0  # fmt: skip
    if best < PEAK_SHARE * scale or best < PEAK_RATIO * float(likeness.max()):
        return None
    return column - width // 2, row - height // 2


def _windows() -> Iterator[tuple[int, int]]:
    across, down = WINDOW
    for top in range(0, HEIGHT - down + 1, down // 2):
        for left in range(0, WIDTH - across + 1, across // 2):
            yield left, top


def _by_windows(mine: Plane, theirs: Plane) -> Shift | None:
    """Shift, turn and zoom from what nine windows say of themselves; None where too few agree."""
    across, down = WINDOW
    sources, targets = [], []
    for left, top in _windows():
        part = (slice(top, top + down), slice(left, left + across))
        shift = _peak(mine[part], theirs[part])
        if shift is not None:
            middle = (left + across / 2, top + down / 2)
            sources.append(middle)
            targets.append((middle[0] + shift[0], middle[1] + shift[1]))
    if len(sources) < WINDOWS_NEEDED:
        return None
    matrix, agreeing = cv2.estimateAffinePartial2D(
        np.array(sources), np.array(targets), ransacReprojThreshold=FIT_PX
    )
    if matrix is None or int(agreeing.sum()) < WINDOWS_NEEDED:
        return None
    return _described(np.asarray(matrix, np.float64))


def _described(matrix: NDArray[np.float64]) -> Shift:
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    dx, dy = matrix[:, :2] @ middle + matrix[:, 2] - middle
    corners = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], np.float64)
    moved = corners @ matrix[:, :2].T + matrix[:, 2] - corners
    return Shift(
        dx=float(dx / WIDTH),
        dy=float(dy / HEIGHT),
        rotation_deg=degrees(atan2(matrix[1, 0], matrix[0, 0])),
        zoom=hypot(matrix[0, 0], matrix[1, 0]),
        corner=float(np.linalg.norm(moved, axis=1).max() / WIDTH),
    )


def _whole(mine: Plane, theirs: Plane) -> Shift | None:
    """The shift of the whole picture, where windows are too small to see it."""
    shift = _peak(mine, theirs)
    if shift is None:
        return None
    dx, dy = shift
    return Shift(dx / WIDTH, dy / HEIGHT, corner=hypot(dx, dy) / WIDTH)
