"""Edges of small pictures: the same street is found again, another is not."""

import cv2
import numpy as np
import pytest

from edge_agent.edges import HEIGHT, WIDTH, Edges
from edge_agent.luma import Sample
from tests.edge_agent.painted import Street

STREET = Street()
REFERENCE = Sample.of(STREET.picture(0)).edges


def edges(second: float = 1.0, **changes: float) -> Edges:
    return Sample.of(STREET.but(**changes).picture(second)).edges


@pytest.mark.parametrize("dx", [-0.2, -0.05, -0.01, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("dy", [-0.1, 0.0, 0.1])
def test_a_shift_is_measured(dx: float, dy: float) -> None:
    # The camera moves left where its picture moves right.
    shift = edges(x=STREET.x - dx * 480, y=STREET.y - dy * 270).match(REFERENCE).shift
    assert shift is not None
    assert (shift.dx, shift.dy) == pytest.approx((dx, dy), abs=0.006)


@pytest.mark.parametrize(("rotation_deg", "zoom"), [(1.5, 1.0), (-1.5, 1.0), (0.0, 1.03)])
def test_a_little_turning_and_zoom_are_measured(rotation_deg: float, zoom: float) -> None:
    shift = edges(rotation_deg=rotation_deg, zoom=zoom).match(REFERENCE).shift
    assert shift is not None
    # Counter-clockwise for OpenCV is negative in the picture's axes, whose y runs down.
    assert shift.rotation_deg == pytest.approx(-rotation_deg, abs=0.5)
    assert shift.zoom == pytest.approx(zoom, abs=0.012)
    assert shift.corner > 0.008


def test_the_same_view_is_in_place_by_another_light() -> None:
    match = edges(gain=0.4, lift=60.0).match(REFERENCE)
    assert match.shift is not None
    assert match.shift.corner < 0.005
    assert match.kept > 0.5


def test_another_street_is_not_found() -> None:
    assert edges(x=300.0, y=250.0).match(REFERENCE).shift is None


def test_a_flat_picture_has_no_structure_and_matches_nothing() -> None:
    flat = Edges.of(np.full((HEIGHT, WIDTH), 90, np.uint8))
    assert flat.textured == 0
    assert flat.match(REFERENCE).shift is None
    assert REFERENCE.kept(flat) == 0


def test_burnt_in_text_does_not_hold_a_turned_camera_in_place() -> None:
    def with_text(**changes: float) -> Edges:
        picture = STREET.but(**changes).picture(1).array.copy()
        cv2.rectangle(picture, (0, 0), (480, 26), (0, 0, 0), -1)
        cv2.putText(picture, "2026-11-21 Renmin Road", (4, 20), 0, 0.7, (255, 255, 255), 2)
        return Sample.of(type(STREET.picture(1))(picture)).edges

    shift = with_text(x=STREET.x + 60).match(with_text()).shift
    assert shift is not None
    assert shift.dx == pytest.approx(-60 / 480, abs=0.01)


def test_what_moves_through_a_reference_fades_from_it() -> None:
    mean = edges(0.0, traffic=0, lorry=0.5)
    for second in range(1, 60):
        mean = mean.towards(edges(second), 1 / (second + 1))
    assert edges(100.0).kept(mean) > edges(100.0).kept(edges(0.0, lorry=0.5))


def test_a_field_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        Edges(np.zeros((3, 3), np.float32))
