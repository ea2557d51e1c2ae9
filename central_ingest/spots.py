"""Where duplicates are looked for: the earth in squares, each with one number. Pure.

A square is named by family, size, row and column. Exact positions lie in squares of 8 m, coarse
ones (error above their family's cap) in squares of 64 m, so that "what lies near" is a handful of
numbers: one indexed read for a whole batch, whatever the database. Rows are metres of latitude;
columns are metres of longitude at the middle of their row.
"""

import math
from collections.abc import Iterator
from functools import lru_cache

from central_ingest.dedup import EARTH_RADIUS_M, DuplicateRules, Place
from contract.catalogue import Family

FINE_M = 8.0
COARSE_M = 64.0
_ROW_BITS, _COLUMN_BITS = 22, 23
_FAMILIES = {family: number for number, family in enumerate(Family)}


def spot(place: Place, family: Family, *, coarse: bool) -> int:
    """The number of the square that `place` lies in."""
    size_m = COARSE_M if coarse else FINE_M
    north_m, east_m = _metres(place)
    row = math.floor(north_m / size_m)
    return _number(family, coarse, row, math.floor(east_m * _scale(row, size_m) / size_m))


def spot_of(place: Place | None, family: Family, rules: DuplicateRules) -> int | None:
    """The square in which a sighting is found."""
    if place is None:
        return None
    return spot(place, family, coarse=place.error_m > rules.cap_m(family))


def spots_around(place: Place, family: Family, radius_m: float, *, coarse: bool) -> Iterator[range]:
    """The numbers of all squares that reach into `radius_m` around `place`, row by row."""
    size_m = COARSE_M if coarse else FINE_M
    north_m, east_m = _metres(place)
    first = math.floor((north_m - radius_m) / size_m)
    last = math.floor((north_m + radius_m) / size_m)
    # What lies on the edge of a search may be a hair wider at the row's middle than at the place.
    reach_m = radius_m * 1.001 + 0.01
    for row in range(first, last + 1):
        middle_m = east_m * _scale(row, size_m)
        west = math.floor((middle_m - reach_m) / size_m)
        east = math.floor((middle_m + reach_m) / size_m)
        number = _number(family, coarse, row, west)
        yield range(number, number + east - west + 1)


def near(place: Place, family: Family, rules: DuplicateRules) -> Iterator[range]:
    """All squares that may hold what matters for a new issue at `place`, row by row.

    Twice the cap, for what lies near its neighbours decides too (`grouping`); farther only where a
    position is too coarse to merge.
    """
    cap_m = rules.cap_m(family)
    wide_m = max(cap_m, rules.propose_within_m)
    fine_m = wide_m if place.error_m > cap_m else 2 * cap_m
    yield from spots_around(place, family, fine_m, coarse=False)
    yield from spots_around(place, family, wide_m, coarse=True)


def _metres(place: Place) -> tuple[float, float]:
    """North, and at the equator east, of where latitude and longitude are 0."""
    return EARTH_RADIUS_M * math.radians(place.lat), EARTH_RADIUS_M * math.radians(place.lon)


@lru_cache(maxsize=4096)
def _scale(row: int, size_m: float) -> float:
    """How much shorter a degree of longitude is at the middle of a row than at the equator."""
    return max(0.01, math.cos(min(math.pi / 2, abs((row + 0.5) * size_m / EARTH_RADIUS_M))))


def _number(family: Family, coarse: bool, row: int, column: int) -> int:  # noqa: FBT001 -- a digit
    kind = 2 * _FAMILIES[family] + coarse
    lifted = (kind << _ROW_BITS) + row + (1 << _ROW_BITS - 1)
    return (lifted << _COLUMN_BITS) + column + (1 << _COLUMN_BITS - 1)
