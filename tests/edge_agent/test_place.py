from math import cos, radians, sin, tan

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from contract.catalogue import Family
from edge_agent.config import GroundPoint, Location
from edge_agent.config import Place as PlaceConfig
from edge_agent.errors import PlaceError
from edge_agent.place import (
    CLICK_FRACTION,
    HALF_DEPTH_M,
    CameraPlace,
    Homography,
    LocalPlane,
    check_agreement,
    mistaken,
)

ORIGIN = LocalPlane(117.36, 32.93)
GEOD = Geod(ellps="WGS84")
CORNERS = ((0.2, 0.95), (0.85, 0.9), (0.7, 0.55), (0.25, 0.6))
MORE = (*CORNERS, (0.5, 0.75), (0.35, 0.85))


def seen_by_a_camera(
    point: tuple[float, float], *, height_m: float = 6.0, tilt_deg: float = 15.0
) -> tuple[float, float]:
    """Metres (right, ahead) at which a level camera on a pole sees a picture point on the ground."""
    half_width, half_height = tan(radians(35)), tan(radians(35)) * 9 / 16
    x, y = (point[0] * 2 - 1) * half_width, (point[1] * 2 - 1) * half_height
    tilt = radians(tilt_deg)
    down = sin(tilt) + y * cos(tilt)
    ahead = cos(tilt) - y * sin(tilt)
    return x * height_m / down, ahead * height_m / down


def ground_points(
    points: tuple[tuple[float, float], ...] = CORNERS, *, height_m: float = 6.0
) -> list[GroundPoint]:
    metres = [seen_by_a_camera(point, height_m=height_m) for point in points]
    lonlat = ORIGIN.to_lonlat(np.array(metres))
    return [
        GroundPoint(xyn=xyn, lonlat=(float(lon), float(lat)))
        for xyn, (lon, lat) in zip(points, lonlat, strict=True)
    ]


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(GEOD.inv(*one, *other)[2])


@pytest.mark.parametrize("lat", [0.0, 32.93, -45.0, 60.0])
def test_the_local_plane_agrees_with_the_ellipsoid(lat: float) -> None:
    plane = LocalPlane(117.36, lat)
    for xy in ((500.0, 0.0), (0.0, 500.0), (-300.0, 400.0)):
        lon, there = plane.to_lonlat(np.array([xy]))[0].tolist()
        assert metres_between((117.36, lat), (lon, there)) == pytest.approx(500, abs=0.05)
        assert plane.to_xy(np.array([[lon, there]]))[0].tolist() == pytest.approx(xy, abs=1e-6)


@pytest.mark.parametrize("points", [CORNERS, MORE])
def test_a_known_camera_is_recovered(points: tuple[tuple[float, float], ...]) -> None:
    homography = Homography.fit(ground_points(points))
    for point in ((0.5, 0.7), (0.3, 0.9), (0.6, 0.5)):
        placed = homography.position(point, (0, 0))
        lon, lat = ORIGIN.to_lonlat(np.array([seen_by_a_camera(point)]))[0].tolist()
        assert metres_between((placed.lon, placed.lat), (lon, lat)) < 1e-6
    assert max(homography.residuals_m) < 1e-6


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_any_homography_is_recovered_from_its_own_points(entries: list[float]) -> None:
    matrix = np.array([*entries, 3.0]).reshape(3, 3) + np.diag([4.0, 4.0, 0.0])
    picture = np.array(CORNERS)
    ground = np.c_[picture, np.ones(4)] @ matrix.T
    xy = 20 * ground[:, :2] / ground[:, 2:]
    assume(ground[:, 2].min() > 0.3)
    assume(np.linalg.cond(matrix) < 1e3)
    points = [
        GroundPoint(xyn=xyn, lonlat=(float(lon), float(lat)))
        for xyn, (lon, lat) in zip(CORNERS, ORIGIN.to_lonlat(xy), strict=True)
    ]
    placed = Homography.fit(points).position((0.5, 0.75), (0, 0))
    x, y, w = matrix @ (0.5, 0.75, 1.0)
    lon, lat = ORIGIN.to_lonlat(np.array([[20 * x / w, 20 * y / w]]))[0].tolist()
    assert metres_between((placed.lon, placed.lat), (lon, lat)) < 1e-5


def test_the_error_grows_with_the_distance() -> None:
    homography = Homography.fit(ground_points())
    errors = [homography.position((0.5, y), (0.003, 0.003)).error_m for y in (0.95, 0.6, 0.4, 0.3)]
    assert errors == sorted(errors)
    assert errors[0] < 1
    assert errors[-1] > 3 * errors[0]


@pytest.mark.parametrize("points", [CORNERS, MORE])
def test_the_error_is_that_of_the_true_distances(points: tuple[tuple[float, float], ...]) -> None:
    """From a tower, where clicks matter more than the map."""
    random = np.random.default_rng(7)
    spot, noise = np.array((0.45, 0.7)), CLICK_FRACTION
    true_m, errors_m = [], []
    for _ in range(200):
        clicked = [
            point.model_copy(update={"xyn": (np.array(point.xyn) + random.normal(0, noise, 2))})
            for point in ground_points(points, height_m=60)
        ]
        x, y = (spot + random.normal(0, noise, 2)).tolist()
        placed = Homography.fit(clicked).position((x, y), (noise, noise))
        metres = seen_by_a_camera((0.45, 0.7), height_m=60)
        lon, lat = ORIGIN.to_lonlat(np.array([metres]))[0].tolist()
        true_m.append(metres_between((placed.lon, placed.lat), (lon, lat)))
        errors_m.append(placed.error_m)
    assert 0.9 <= np.sqrt(np.mean(np.square(errors_m)) / np.mean(np.square(true_m))) <= 1.5


def test_points_that_disagree_show_it_when_each_is_left_out() -> None:
    good = Homography.fit(ground_points(MORE))
    points = ground_points(MORE)
    points[4] = points[4].model_copy(update={"xyn": (0.53, 0.78)})
    bad = Homography.fit(points)
    assert good.click_fraction == CLICK_FRACTION
    assert bad.click_fraction > 5 * CLICK_FRACTION
    assert all(miss is not None and miss < 1e-6 for miss in good.left_out_m)
    assert max(miss or 0 for miss in bad.left_out_m) > 0.3
    spot = (0.45, 0.7)
    assert bad.position(spot, (0, 0)).error_m > 1.4 * good.position(spot, (0, 0)).error_m


def on_a_line(*fractions: float) -> tuple[tuple[float, float], ...]:
    return tuple((0.2 + 0.6 * one, 0.9 - 0.3 * one) for one in fractions)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (CORNERS[:3], "3 ground points were found; four or more"),
        ((*CORNERS[:3], CORNERS[0]), "points 1 and 4 are the same in the picture"),
        ((*on_a_line(0, 0.5, 1), (0.7, 0.9)), "points 1, 2, 3 lie on one line in the picture"),
        (on_a_line(0, 0.3, 0.6, 0.8, 1), "too nearly on one line"),
        ((*on_a_line(0, 0.3, 0.6, 1), (0.7, 0.9)), "too nearly on one line"),
    ],
)
def test_points_that_determine_no_plane_are_refused_in_words(
    points: tuple[tuple[float, float], ...], words: str
) -> None:
    with pytest.raises(PlaceError, match=words):
        Homography.fit(ground_points(points))


def test_two_points_at_one_spot_of_the_map_are_refused() -> None:
    points = ground_points()
    points[2] = points[2].model_copy(update={"lonlat": points[1].lonlat})
    with pytest.raises(PlaceError, match="points 2 and 3 are the same in the map"):
        Homography.fit(points)


def test_a_point_paired_with_the_wrong_one_is_noticed() -> None:
    points = ground_points()
    points[0], points[1] = (
        points[0].model_copy(update={"lonlat": points[1].lonlat}),
        points[1].model_copy(update={"lonlat": points[0].lonlat}),
    )
    with pytest.raises(PlaceError, match="both sides of the horizon"):
        Homography.fit(points)


def test_nothing_above_the_horizon_is_placed() -> None:
    homography = Homography.fit(ground_points())
    for y in (0.0, 0.05):
        with pytest.raises(PlaceError, match="above the horizon"):
            homography.position((0.5, y), (0, 0))


def camera_place(location: Location | None, *, placed: bool = True) -> CameraPlace:
    return CameraPlace.of(PlaceConfig(points=tuple(ground_points())) if placed else None, location)


LOCATION = Location(lon=117.36, lat=32.93, error_m=30)
NEAR = (0.45, 0.6, 0.55, 0.8)
SKY = (0.45, 0.0, 0.55, 0.05)


@pytest.mark.parametrize(
    ("place", "box", "method"),
    [
        (camera_place(LOCATION), NEAR, "homography"),
        (camera_place(None), NEAR, "homography"),
        (camera_place(LOCATION), SKY, "camera_point"),
        (camera_place(None), SKY, None),
        (camera_place(LOCATION, placed=False), NEAR, "camera_point"),
        (camera_place(None, placed=False), NEAR, None),
        # a homography that is worse than the camera's own point
        (camera_place(Location(lon=117.36, lat=32.93, error_m=0.1)), NEAR, "camera_point"),
    ],
)
def test_the_best_position_that_is_known(
    place: CameraPlace, box: tuple[float, float, float, float], method: str | None
) -> None:
    position = place.position(Family.VENDOR, box)
    assert (position.method if position else None) == method


def test_a_cover_is_placed_by_its_middle_and_a_bin_behind_its_foot() -> None:
    place = camera_place(None)
    cover = place.position(Family.COVER, (0.45, 0.7, 0.55, 0.9))
    foot = place.position(Family.BIN, (0.45, 0.6, 0.55, 0.8))
    assert cover is not None
    assert foot is not None
    between_m = metres_between((cover.lon, cover.lat), (foot.lon, foot.lat))
    assert between_m == pytest.approx(HALF_DEPTH_M[Family.BIN][0], abs=1e-3)
    assert foot.lat > cover.lat, "away from the camera, which looks north"


def test_a_larger_box_is_less_certain() -> None:
    place = camera_place(None)
    small = place.position(Family.GARBAGE, (0.48, 0.75, 0.52, 0.8))
    large = place.position(Family.GARBAGE, (0.3, 0.3, 0.7, 0.8))
    assert small is not None
    assert large is not None
    assert large.error_m > small.error_m


def test_the_picture_of_a_spot_on_the_ground_is_where_it_was_clicked() -> None:
    fitted = Homography.fit(ground_points(MORE))
    xy = np.array([seen_by_a_camera(point) for point in MORE])
    plane_xy = fitted.plane.to_xy(ORIGIN.to_lonlat(xy))
    assert fitted.to_picture(plane_xy) == pytest.approx(np.array(MORE), abs=1e-6)
    behind = fitted.plane.to_xy(ORIGIN.to_lonlat(np.array([[0.0, -30.0]])))
    assert np.isnan(fitted.to_picture(behind)).all()


@pytest.mark.parametrize("index", range(7))
def test_a_mis_clicked_point_is_named(index: int) -> None:
    points = ground_points((*MORE, (0.6, 0.62)))
    x, y = points[index].xyn
    points[index] = points[index].model_copy(update={"xyn": (x + 0.05, y - 0.06)})
    assert mistaken(points)[0] == index
    with pytest.raises(PlaceError, match=rf"ground point {index + 1} .* misses by .* m"):
        check_agreement(points)


def test_points_that_agree_name_none() -> None:
    points = ground_points(MORE)
    assert mistaken(points) == ()
    check_agreement(points)


def test_five_points_that_disagree_ask_for_a_sixth() -> None:
    points = ground_points(MORE[:5])
    points[4] = points[4].model_copy(update={"xyn": (0.65, 0.6)})
    assert mistaken(points) == ()
    with pytest.raises(PlaceError, match="add a sixth to see which is wrong"):
        check_agreement(points)


def test_two_cameras_across_the_street_put_a_cart_at_one_place() -> None:
    """Each sees the near edge of the cart; the middles that follow must agree."""
    near_edges = {1.0: -0.8, -1.0: 0.8}  # by the side on which the camera stands
    middles = []
    for side, edge_m in near_edges.items():
        picture = [(x, y) for x in (0.2, 0.8) for y in (0.5, 0.9)]
        ground = [((x - 0.5) * 10 * side, (0.9 - y) * 20 * side) for x, y in picture]
        lonlat = ORIGIN.to_lonlat(np.array(ground))
        points = tuple(
            GroundPoint(xyn=xyn, lonlat=(float(lon), float(lat)))
            for xyn, (lon, lat) in zip(picture, lonlat, strict=True)
        )
        foot = 0.9 - edge_m * side / 20
        place = CameraPlace.of(PlaceConfig(points=points), None)
        position = place.position(Family.VENDOR, (0.45, foot - 0.1, 0.55, foot))
        assert position is not None
        middles.append((position.lon, position.lat))
    assert metres_between(*middles) < 0.01
