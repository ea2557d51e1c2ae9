import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.frames import Rgb
from edge_agent.masking import FILL_RGB, MASK_SCORE, MaskRegions
from edge_agent.zones import Box
from tests.edge_agent.street import Seen, detections

TALL: Box = (0.4, 0.2, 0.5, 0.8)


WIDE: Box = (0.2, 0.2, 0.8, 0.6)


def regions(*boxes: Seen, height_px: int = 1000) -> tuple[Box, ...]:
    return MaskRegions.of([detections(boxes)], (1000, height_px)).boxes_xyxyn


def noise(height: int, width: int, seed: int = 0) -> Rgb:
    return np.random.default_rng(seed).integers(100, 256, (height, width, 3), np.uint8)


def test_the_head_is_the_top_third_of_a_person_and_a_fifth_more_to_each_side() -> None:
    assert regions(("person", TALL, 0.9))[0] == pytest.approx((0.38, 0.16, 0.52, 0.44))


def test_of_a_person_under_80_pixels_everything_is_masked() -> None:
    assert regions(("person", TALL, 0.9), height_px=130)[0] == pytest.approx(TALL)
    assert regions(("person", TALL, 0.9), height_px=140)[0] != pytest.approx(TALL)


def test_the_plate_is_in_the_lower_half_of_a_vehicle() -> None:
    assert regions(("vehicle", WIDE, 0.9))[0] == pytest.approx((0.2, 0.4, 0.8, 0.6))


def test_a_motorcycle_with_its_rider_in_one_box_is_masked_whole() -> None:
    assert regions(("vehicle", TALL, 0.9))[0] == pytest.approx(TALL)


@pytest.mark.parametrize(("score", "count"), [(0.9, 0), (0.3, 1)])
def test_a_cart_that_is_faintly_a_vehicle_too_stays_visible(score: float, count: int) -> None:
    assert len(regions(("vehicle", WIDE, 0.4), ("street_vendor", WIDE, score))) == count


def test_faint_people_and_vehicles_are_masked_too_but_nothing_else() -> None:
    assert len(regions(("person", TALL, MASK_SCORE + 0.01), ("vehicle", TALL, 0.2))) == 2
    assert regions(("person", TALL, MASK_SCORE - 0.01)) == ()
    assert regions(("street_vendor", TALL, 0.9), ("manhole_ok", TALL, 0.9)) == ()


def test_looks_around_a_frame_add_up() -> None:
    looks = [detections([("person", (x, 0.2, x + 0.1, 0.8), 0.9)]) for x in (0.1, 0.3, 0.5)]
    assert len(MaskRegions.of(looks, (1000, 1000)).boxes_xyxyn) == 3
    assert MaskRegions.of([], (1000, 1000)).boxes_xyxyn == ()


@pytest.mark.parametrize("shape", [(720, 1280), (1, 1), (97, 31)])
def test_pictures_of_any_size_are_masked_at_the_same_places(shape: tuple[int, int]) -> None:
    picture = noise(*shape)
    masked = MaskRegions(((0.0, 0.0, 1.0, 0.5),)).applied(picture)
    rows = (shape[0] + 1) // 2
    assert np.all(masked[:rows] == FILL_RGB)
    assert np.array_equal(masked[rows:], picture[rows:])


def test_a_picture_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match=r"picture is uint8 \(4, 4\); uint8 \[H, W, 3\]"):
        MaskRegions(()).applied(np.zeros((4, 4), np.uint8))


FRACTIONS = st.floats(-0.25, 1.25, width=32)
SIZES = st.floats(0.015625, 1.0, width=32)
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(("person", "vehicle")), st.tuples(FRACTIONS, FRACTIONS, SIZES, SIZES)
    ),
    max_size=6,
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(PEOPLE, st.integers(1, 60), st.integers(1, 60))
def test_nothing_of_what_is_masked_remains_and_nothing_else_changes(
    people: list[tuple[str, Box]], height: int, width: int
) -> None:
    seen = [(name, (x, y, x + w, y + h), 0.9) for name, (x, y, w, h) in people]
    mask = MaskRegions.of([detections(seen)], (width, height))
    one, other = noise(height, width, 1), noise(height, width, 2)
    masked, masked_other = mask.applied(one), mask.applied(other)
    inside = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in mask.boxes_xyxyn:
        ys, xs = np.mgrid[0:height, 0:width]
        touched = (xs + 1 > x1 * width) & (xs < x2 * width)
        inside |= touched & (ys + 1 > y1 * height) & (ys < y2 * height)
    assert np.array_equal(masked[inside], masked_other[inside])
    assert np.array_equal(masked[~inside], one[~inside])
    assert np.array_equal(one, noise(height, width, 1))
