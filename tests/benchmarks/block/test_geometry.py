import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.block.geometry import Camera, Origin
from edge_agent.place import LocalPlane

cameras = st.builds(
    Camera,
    at=st.tuples(st.floats(-50, 50), st.floats(-9, 9), st.floats(4, 7)),
    heading_deg=st.floats(0, 360), down_deg=st.floats(5, 60), focal_px=st.floats(500, 2000),
)  # fmt: skip
pixels = st.tuples(st.floats(0, 1280), st.floats(400, 720))


def test_what_lies_on_the_axis_is_in_the_middle_of_the_picture() -> None:
    camera = Camera((0, 0, 5), 0, 45, 1000)
    assert np.allclose(camera.project(np.array([[5.0, 0, 0]])), [[640, 360]])


def test_left_of_the_axis_is_left_in_the_picture_and_higher_is_higher() -> None:
    camera = Camera((0, 0, 5), 0, 45, 1000)
    (left, _), (_, high) = camera.project(np.array([[5.0, 1, 0], [5.0, 0, 1]]))
    assert left < 640
    assert high < 360


@given(camera=cameras, pixel=pixels)
def test_the_homography_leads_back_to_the_same_pixel(
    camera: Camera, pixel: tuple[float, float]
) -> None:
    ground = camera.ground(np.array([pixel]))
    point = np.append(ground[0], 0.0)[None]
    if camera.depth_m(point)[0] > 1:
        assert np.allclose(camera.project(point), [pixel], atol=1e-4)


@given(camera=cameras, turn=st.floats(-10, 10), down=st.floats(-4, 4))
def test_a_camera_that_was_knocked_sees_the_same_points_through_the_homography(
    camera: Camera, turn: float, down: float
) -> None:
    knocked = camera.turned(turn, down)
    point = camera.at + 20 * camera.axes()[2]
    before, after = (one.project(point[None])[0] for one in (camera, knocked))
    mapped = camera.seen_from(knocked) @ np.append(before, 1.0)
    assert np.allclose(mapped[:2] / mapped[2], after, atol=1e-4)


def test_a_camera_s_exact_ground_points_give_the_agent_the_same_homography() -> None:
    origin = Origin(117.36, 32.93, 9.0)
    lonlat = origin.lonlat(np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]]))
    east_north = LocalPlane(117.36, 32.93).to_xy(lonlat)
    assert np.allclose(east_north[0], 0)
    assert np.allclose(np.linalg.norm(east_north[1:], axis=1), 100)
    assert east_north[1][1] > 0, "the street's x axis is turned from east towards north"
