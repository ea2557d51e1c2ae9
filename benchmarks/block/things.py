"""How large each asset is: the boxes that its parts fill, from which truth and crops follow."""

import re
from dataclasses import dataclass
from itertools import product
from math import cos, radians, sin

import numpy as np

from benchmarks.block.geometry import Array


@dataclass(frozen=True, slots=True)
class Block:
    """A box in the asset's own axes: low and high corner, metres."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def corners(self) -> Array:
        """Its eight corners."""
        return np.array(
            [(x[0], y[1], z[2]) for x, y, z in product((self.low, self.high), repeat=3)], np.float64
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """What an asset fills: `body` is what a person would draw a box around."""

    body: tuple[Block, ...]
    rest: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """One asset in the street: heading in degrees, position in metres."""

    asset: str
    at: tuple[float, float, float]
    heading_deg: float

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "asset": self.asset,
            "at": [round(v, 4) for v in self.at],
            "heading_deg": round(self.heading_deg, 3),
        }

    def body(self) -> Array:
        """Corners of its body in the street, [N, 3]."""
        return self._placed(extent(self.asset).body)

    def overhang(self) -> Array:
        """Corners of what is not its body, such as a sunshade, in the street; [N, 3]."""
        found = extent(self.asset)
        return self._placed(found.rest or found.body)

    def everything(self) -> Array:
        """Corners of all of it in the street, [N, 3]."""
        found = extent(self.asset)
        return self._placed(found.body + found.rest)

    def footprint(self) -> Array:
        """The rectangle of ground that its body covers, [4, 2]."""
        points = np.vstack([block.corners() for block in extent(self.asset).body])
        (x1, y1), (x2, y2) = points[:, :2].min(0), points[:, :2].max(0)
        flat = np.array([(x1, y1, 0), (x2, y1, 0), (x2, y2, 0), (x1, y2, 0)], np.float64)
        return self._turned(flat)[:, :2]

    def _placed(self, blocks: tuple[Block, ...]) -> Array:
        return self._turned(np.vstack([block.corners() for block in blocks]))

    def _turned(self, points: Array) -> Array:
        c, s = cos(radians(self.heading_deg)), sin(radians(self.heading_deg))
        turned: Array = points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + np.array(self.at)
        return turned


def _box(x: float, y: float, z: float, low: float = 0.0) -> Block:
    return Block((-x, -y, low), (x, y, z))


# The bags and the open lid of an overfull bin; the cabin of a saloon.
_HEAP = Block((-0.33, -0.3, 1.0), (0.33, 0.6, 1.6))
_OVERFULL = Block((-0.5, -0.55, 0), (0.5, 0.65, 1.75))
_CABIN = Block((-1.3, -0.7, 0.9), (1.0, 0.7, 1.46))
_EXTENTS = (
    (r"cart:", Extent((_box(0.97, 0.56, 1.1),), (Block((-1.4, -1.15, 2.0), (1.2, 1.45, 2.52)),))),
    (r"bin:.*:full", Extent((_box(0.33, 0.4, 1.0), _HEAP), (_OVERFULL,))),
    (r"bin:", Extent((_box(0.33, 0.39, 1.08),), (_box(0.4, 0.5, 1.1),))),
    (r"lorry:", Extent((_box(3.0, 1.06, 2.8, 0.3),), (_box(3.2, 1.2, 2.9),))),
    (r"car:van", Extent((_box(2.22, 0.86, 1.95),), (_box(2.35, 0.95, 2.0),))),
    (r"car:", Extent((_box(2.27, 0.88, 0.95, 0.1), _CABIN), (_box(2.4, 0.97, 1.1),))),
    (r"scooter:[^:]*$", Extent((_box(0.87, 0.3, 1.08),))),
    (r"scooter:", Extent((_box(0.85, 0.28, 0.9), Block((-0.5, -0.25, 0.8), (0.3, 0.25, 1.75))))),
    (r"person:", Extent((_box(0.28, 0.28, 1.74),), (_box(0.5, 0.35, 1.78),))),
    (r"lid:|broken:", Extent((_box(0.45, 0.45, 0.01),), (_box(0.6, 0.7, 0.05, -0.05),))),
    (r"patch:", Extent((_box(0.47, 0.47, 0.0),), (_box(0.65, 0.65, 0.01, -0.05),))),
    (r"barrier", Extent((_box(0.62, 0.25, 1.0),))),
    (r"cone", Extent((_box(0.18, 0.18, 0.7),))),
    (r"tree:", Extent((_box(0.16, 0.16, 3.4),), (Block((-2.0, -2.0, 3.4), (2.0, 2.0, 6.8)),))),
    (r"lamp", Extent((_box(0.1, 0.1, 6.6),), (Block((-0.15, -0.1, 6.6), (0.15, 2.3, 7.2)),))),
)  # fmt: skip


def extent(asset: str) -> Extent:
    """What the asset of this name fills. Raises ValueError for a name that nothing builds."""
    if asset.startswith("garbage:"):
        reach = float(asset.split(":")[2])
        return Extent((_box(0.98 * reach, 0.74 * reach, 0.36),), (_box(reach + 0.2, reach, 0.6),))
    for pattern, found in _EXTENTS:
        if re.match(pattern, asset):
            return found
    raise ValueError(f"asset {asset!r} is unknown; blender/worker.py lists what can be built")
