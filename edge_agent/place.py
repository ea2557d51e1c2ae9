"""From a box in the picture to a position on the ground, with its error in metres.

Homography by the normalised DLT (Hartley & Zisserman, Multiple View Geometry, algorithm 4.2);
errors by first-order propagation through its Jacobian. Errors are the root of the mean squared
distance (DRMS): about two thirds of all true positions lie within.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import cos, hypot, radians, sin, sqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

from contract.catalogue import Family
from contract.messages import Position
from edge_agent import config
from edge_agent.errors import PlaceError
from edge_agent.zones import Box, ground_point

Matrix = NDArray[np.float64]

# How well a person clicks a ground point in the picture, as a fraction of its sides (2.5 px of
# 1280), and how well the same point is known on a map.
CLICK_FRACTION = 0.002
MAP_ERROR_M = 0.3
# How well a detector's box ends where the thing ends, as a share of the box's sides.
BOX_FRACTION = 0.05
# A box ends below at the edge of the thing that is nearest to the camera. So far behind it, seen
# from the camera, lies the middle of the ground that the thing covers, and so much does that differ
# from thing to thing, metres. A cover is placed by its middle anyway.
HALF_DEPTH_M = {
    Family.VENDOR: (0.8, 0.4),
    Family.BIN: (0.3, 0.1),
    Family.GARBAGE: (0.5, 0.3),
    Family.COVER: (0.0, 0.0),
}

# Triangles smaller than this, in units of the points' own spread, count as a line.
MIN_TRIANGLE = 1e-3
# A design matrix or homography nearer to singular than this determines nothing.
MIN_CONDITION = 1e-6
# Depth falls towards the horizon as one over distance: what has less than this share of the ground
# points' depth is some fifty times as far away as they are, and its position means nothing.
HORIZON_SHARE = 0.02

# Points that agree this well are fine. Where they do not, one is named that explains most of it.
MISTAKE_FRACTION = 2 * CLICK_FRACTION
MISTAKE_GAIN = 1 / 2
MISTAKE_LEAD = 3 / 4
# Points that disagree by more than this share of the picture place nothing.
DISAGREE_FRACTION = 0.03

WGS84_A_M = 6378137.0
WGS84_E2 = 6.69437999014e-3


@dataclass(frozen=True, slots=True)
class LocalPlane:
    """East and north in metres around a point, by the ellipsoid's radii of curvature there.

    Within a kilometre it is exact to a few centimetres.
    """

    lon: float
    lat: float

    def to_xy(self, lonlat: Matrix) -> Matrix:
        """Metres east and north [N, 2] of degrees [N, 2]."""
        return (np.asarray(lonlat, np.float64) - (self.lon, self.lat)) * self._metres_a_degree

    def to_lonlat(self, xy: Matrix) -> Matrix:
        """Degrees [N, 2] of metres east and north [N, 2]."""
        return np.asarray(xy, np.float64) / self._metres_a_degree + (self.lon, self.lat)

    @property
    def _metres_a_degree(self) -> Matrix:
        flat = 1 - WGS84_E2 * sin(radians(self.lat)) ** 2
        meridian_m = WGS84_A_M * (1 - WGS84_E2) / flat**1.5
        parallel_m = WGS84_A_M / sqrt(flat) * cos(radians(self.lat))
        return np.array([radians(parallel_m), radians(meridian_m)])


@dataclass(frozen=True, slots=True, eq=False)
class Homography:
    """Fractions of the picture to metres on a local plane, fitted to ground points.

    `residuals_m` are what each point misses by, `left_out_m` what each misses by when the others
    alone decide (absent where they cannot); `click_fraction` is how well the points agree.
    """

    matrix: Matrix
    plane: LocalPlane
    residuals_m: tuple[float, ...]
    left_out_m: tuple[float | None, ...]
    click_fraction: float
    moved: tuple[Matrix, ...]
    sign: float

    @classmethod
    def fit(cls, points: Sequence[config.GroundPoint]) -> Self:
        """Fit four or more ground points.

        Raises PlaceError when they are too few, the same, on a line, or cannot be one plane.
        """
        picture = np.array([point.xyn for point in points], np.float64).reshape(-1, 2)
        lonlat = np.array([point.lonlat for point in points], np.float64).reshape(-1, 2)
        plane = LocalPlane(*lonlat.mean(axis=0).tolist()) if len(points) else LocalPlane(0, 0)
        ground = plane.to_xy(lonlat)
        _check_points(picture, ground)
        matrix = _dlt(picture, ground)
        sign = _side_of_horizon(matrix, picture)
        click_fraction = _agreement(picture, ground, matrix)
        residuals = np.linalg.norm(_project(matrix, picture) - ground, axis=1)
        return cls(
            matrix=matrix,
            plane=plane,
            residuals_m=tuple(residuals.tolist()),
            left_out_m=_left_out(picture, ground),
            click_fraction=click_fraction,
            moved=tuple(_moved(picture, ground, click_fraction)),
            sign=sign,
        )

    def position(
        self,
        point_xyn: tuple[float, float],
        error_xyn: tuple[float, float],
        behind_m: tuple[float, float] = (0.0, 0.0),
    ) -> Position:
        """The position of what lies `behind_m` a picture point known to within `error_xyn`.

        Errors are one sigma; `behind_m` is a distance away from the camera, and its error.
        Raises PlaceError for a point on or above the horizon.
        """
        point = np.array([point_xyn], np.float64)
        depth = self.sign * _depth(self.matrix, point)[0]
        if depth <= HORIZON_SHARE:
            raise PlaceError(
                f"point {point_xyn} lies on or above the horizon of the ground points; "
                "the camera may have moved since they were taken"
            )
        xy = _project(self.matrix, point)[0]
        jacobian = _jacobian(self.matrix, point_xyn)
        pixel = jacobian * np.array(error_xyn)
        fit = np.array([_project(other, point)[0] - xy for other in self.moved])
        own = MAP_ERROR_M**2 + behind_m[1] ** 2
        error_m = sqrt(float((pixel**2).sum() + (fit**2).sum()) + own)
        away = -jacobian[:, 1]  # up in the picture is away from the camera
        xy = xy + behind_m[0] * away / np.linalg.norm(away)
        lon, lat = self.plane.to_lonlat(xy[None, :])[0].tolist()
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise PlaceError(f"point {point_xyn} lies too near to the horizon to be placed")
        return Position(lon=lon, lat=lat, error_m=round(error_m, 2), method="homography")

    def to_picture(self, xy: Matrix, horizon_share: float = HORIZON_SHARE) -> Matrix:
        """Fractions of the picture [N, 2] of metres on the plane [N, 2].

        NaN behind the camera, and towards the horizon below `horizon_share` of the points' depth.
        """
        picture = _project(np.asarray(np.linalg.inv(self.matrix), np.float64), xy)
        seen = self.sign * _depth(self.matrix, picture) > horizon_share
        return np.where(seen[:, None], picture, np.nan)


def mistaken(points: Sequence[config.GroundPoint]) -> tuple[int, ...]:
    """The point that does not belong to the others, by its index; empty where none stands out.

    Six points are needed: five that agree tell which one is wrong. Where two points explain a
    contradiction about as well, both are named, the likelier first. Raises PlaceError.
    """
    if len(points) < 6:
        return ()
    spread = Homography.fit(points).click_fraction
    if spread < MISTAKE_FRACTION:
        return ()
    spreads = []
    for index in range(len(points)):
        try:
            rest = Homography.fit([*points[:index], *points[index + 1 :]])
        except PlaceError:
            spreads.append(spread)
            continue
        spreads.append(rest.click_fraction)
    limit = min(MISTAKE_GAIN * spread, min(spreads) / MISTAKE_LEAD)
    found = [index for index in np.argsort(spreads).tolist() if spreads[index] < limit]
    return tuple(found) if len(found) <= 2 else ()


def check_agreement(points: Sequence[config.GroundPoint]) -> None:
    """Refuse ground points that contradict one another, naming the wrong one where it shows.

    Raises PlaceError.
    """
    fitted = Homography.fit(points)
    wrong = mistaken(points)
    if wrong:
        names = " or ".join(f"{index + 1} {points[index].xyn}" for index in wrong)
        miss_m = fitted.left_out_m[wrong[0]] or fitted.residuals_m[wrong[0]]
        raise PlaceError(
            f"ground point {names} misses by {miss_m:.1f} m where the others agree; "
            "click it again: edge-agent calibrate"
        )
    if fitted.click_fraction > DISAGREE_FRACTION:
        raise PlaceError(
            f"the ground points disagree by {fitted.click_fraction:.1%} of the picture, "
            f"{max(fitted.residuals_m):.1f} m on the ground; "
            + ("add a sixth to see which is wrong" if len(points) < 6 else "click them again")
        )


@dataclass(frozen=True, slots=True, eq=False)
class CameraPlace:
    """Where the things in one camera's picture are, as well as is known."""

    homography: Homography | None
    location: config.Location | None

    @classmethod
    def of(cls, place: config.Place | None, location: config.Location | None) -> Self:
        """Use ground points where there are some. Raises PlaceError when they cannot be used."""
        return cls(None if place is None else Homography.fit(place.points), location)

    def position(self, family: Family, box_xyxyn: Box) -> Position | None:
        """Place a box: by homography, else (or where that is worse) at the camera's own point.

        None where neither is known.
        """
        placed = self._by_homography(family, box_xyxyn)
        if self.location is None:
            return placed
        if placed is not None and placed.error_m <= self.location.error_m:
            return placed
        return Position(
            lon=self.location.lon,
            lat=self.location.lat,
            error_m=self.location.error_m,
            method="camera_point",
        )

    def apart_m(self, family: Family, a: Box, b: Box) -> tuple[float, float] | None:
        """How far apart two boxes stand on the ground, and the error of that, metres.

        None where that is not known from ground points.
        """
        one, other = self._by_homography(family, a), self._by_homography(family, b)
        if self.homography is None or one is None or other is None:
            return None
        lonlat = np.array([(one.lon, one.lat), (other.lon, other.lat)])
        (ax, ay), (bx, by) = self.homography.plane.to_xy(lonlat).tolist()
        return hypot(bx - ax, by - ay), hypot(one.error_m, other.error_m)

    def _by_homography(self, family: Family, box_xyxyn: Box) -> Position | None:
        if self.homography is None:
            return None
        x1, y1, x2, y2 = box_xyxyn
        error = (
            hypot(self.homography.click_fraction, BOX_FRACTION * (x2 - x1)),
            hypot(self.homography.click_fraction, BOX_FRACTION * (y2 - y1)),
        )
        try:
            point = ground_point(family, box_xyxyn)
            return self.homography.position(point, error, HALF_DEPTH_M[family])
        except PlaceError:
            return None


def _check_points(picture: Matrix, ground: Matrix) -> None:
    """Refuse points from which no plane follows, and say which."""
    if len(picture) < 4:
        raise PlaceError(f"{len(picture)} ground points were found; four or more were expected")
    for one, other in combinations(range(len(picture)), 2):
        near_picture = np.linalg.norm(picture[one] - picture[other]) < CLICK_FRACTION / 2
        if near_picture or np.linalg.norm(ground[one] - ground[other]) < 0.01:
            raise PlaceError(
                f"ground points {one + 1} and {other + 1} are the same in the "
                f"{'picture' if near_picture else 'map'}; remove one or correct it"
            )
    if len(picture) > 4:
        return
    for triple in combinations(range(4), 3):
        rows = list(triple)
        for label, points in (("picture", picture), ("map", ground)):
            if _triangle(points[rows], points) < MIN_TRIANGLE:
                names = ", ".join(str(row + 1) for row in rows)
                raise PlaceError(
                    f"ground points {names} lie on one line in the {label}; "
                    "take four of which no three are on a line, or add more"
                )


def _triangle(corners: Matrix, points: Matrix) -> float:
    scale = float(np.ptp(points, axis=0).max())
    (ax, ay), (bx, by) = (corners[1:] - corners[0]) / max(scale, 1e-12)
    return float(abs(ax * by - ay * bx)) / 2


def _dlt(picture: Matrix, ground: Matrix) -> Matrix:
    """Fit a homography, scaled so that the mean depth of the points is one."""
    to_unit, unit = _normalised(picture)
    from_unit, target = _normalised(ground)
    rows = []
    for (x, y), (u, v) in zip(unit, target, strict=True):
        rows.append([-x, -y, -1, 0, 0, 0, u * x, u * y, u])
        rows.append([0, 0, 0, -x, -y, -1, v * x, v * y, v])
    _, singular, right = np.linalg.svd(np.array(rows))
    core = right[-1].reshape(3, 3)
    determined = singular[7] / singular[0] > MIN_CONDITION
    if not determined or np.linalg.cond(core) > 1 / MIN_CONDITION:
        raise PlaceError(
            "the ground points lie too nearly on one line to determine a plane; "
            "spread them over the ground that matters"
        )
    matrix = np.linalg.inv(from_unit) @ core @ to_unit
    scaled: Matrix = matrix / np.abs(_depth(matrix, picture)).mean()
    return scaled


def _normalised(points: Matrix) -> tuple[Matrix, Matrix]:
    """Move points to mean zero and mean distance √2, which conditions the fit."""
    centre = points.mean(axis=0)
    distance = float(np.linalg.norm(points - centre, axis=1).mean())
    scale = sqrt(2) / max(distance, 1e-12)
    transform = np.array(
        [[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]]
    )
    return transform, (points - centre) * scale


def _depth(matrix: Matrix, picture: Matrix) -> Matrix:
    """The third homogeneous coordinate [N]: zero on the horizon, of one sign before the camera."""
    depth: Matrix = picture @ matrix[2, :2] + matrix[2, 2]
    return depth


def _project(matrix: Matrix, picture: Matrix) -> Matrix:
    depth = _depth(matrix, picture)
    safe = np.where(np.abs(depth) < 1e-12, 1e-12, depth)
    projected: Matrix = (picture @ matrix[:2, :2].T + matrix[:2, 2]) / safe[:, None]
    return projected


def _jacobian(matrix: Matrix, point_xyn: tuple[float, float]) -> Matrix:
    """Metres on the ground per fraction of the picture, [2, 2], at one point."""
    point = np.array([point_xyn], np.float64)
    projected = _project(matrix, point)[0]
    slope = matrix[:2, :2] - np.outer(projected, matrix[2, :2])
    jacobian: Matrix = slope / _depth(matrix, point)[0]
    return jacobian


def _side_of_horizon(matrix: Matrix, picture: Matrix) -> float:
    depth = _depth(matrix, picture)
    if not (np.all(depth > 0) or np.all(depth < 0)):
        raise PlaceError(
            "the ground points lie on both sides of the horizon that follows from them; "
            "a point of the picture is probably paired with the wrong point of the map"
        )
    return float(np.sign(depth[0]))


def _left_out(picture: Matrix, ground: Matrix) -> tuple[float | None, ...]:
    """Predict each point from the others: what each misses by in metres."""
    if len(picture) == 4:
        return (None,) * 4
    misses_m: list[float | None] = []
    for index in range(len(picture)):
        rest = np.arange(len(picture)) != index
        try:
            _check_points(picture[rest], ground[rest])
            other = _dlt(picture[rest], ground[rest])
        except PlaceError:
            misses_m.append(None)
            continue
        miss = _project(other, picture[index : index + 1])[0] - ground[index]
        misses_m.append(float(np.linalg.norm(miss)))
    return tuple(misses_m)


def _agreement(picture: Matrix, ground: Matrix, matrix: Matrix) -> float:
    """How well the points agree: one sigma in the picture, that of a careful click at least.

    Of 2 n coordinates eight were spent on the fit, so the rest tells the spread.
    """
    spare = picture.size - 8
    if spare == 0:
        return CLICK_FRACTION
    misses = _project(matrix, picture) - ground
    clicks = [
        np.linalg.solve(_jacobian(matrix, (x, y)), miss)
        for (x, y), miss in zip(picture.tolist(), misses, strict=True)
    ]
    return max(CLICK_FRACTION, sqrt(float(np.square(clicks).sum()) / spare))


def _moved(picture: Matrix, ground: Matrix, click_fraction: float) -> list[Matrix]:
    """The homographies that follow when each coordinate was clicked one sigma aside."""
    found = []
    for index in range(picture.size):
        other = picture.copy()
        other.flat[index] += click_fraction
        try:
            found.append(_dlt(other, ground))
        except PlaceError:
            continue
    return found
