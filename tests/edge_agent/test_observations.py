import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contract.catalogue import Category, Family
from edge_agent.observations import Scene, containment, iou, same_place
from edge_agent.zones import Box
from tests.edge_agent.street import Seen, detections

KEEP = dict.fromkeys(Category, 0.2)
SPOT: Box = (0.4, 0.4, 0.6, 0.6)
EDGES = st.integers(0, 20).map(lambda value: value / 20)
BOXES = st.tuples(EDGES, EDGES, EDGES, EDGES)


def scene(*boxes: Seen, judged: frozenset[Category] = frozenset(Category)) -> Scene:
    return Scene.of(detections(boxes), judged, KEEP)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ((0.0, 0.0, 0.4, 0.4), (0.0, 0.0, 0.4, 0.4), True),
        ((0.0, 0.0, 0.4, 0.4), (0.1, 0.0, 0.5, 0.4), True),
        ((0.0, 0.0, 0.4, 0.4), (0.3, 0.0, 0.7, 0.4), False),
        # a part inside the whole
        ((0.0, 0.0, 0.4, 0.4), (0.0, 0.0, 0.4, 0.1), True),
        # a speck inside a heap
        ((0.0, 0.0, 0.4, 0.4), (0.1, 0.1, 0.15, 0.15), False),
        # empty
        ((0.2, 0.2, 0.2, 0.4), (0.2, 0.2, 0.2, 0.4), False),
    ],
)
def test_boxes_of_one_thing(a: Box, b: Box, same: bool) -> None:  # noqa: FBT001 - a table's column
    assert same_place(a, b) is same


@settings(derandomize=True)
@given(BOXES, BOXES)
def test_overlaps_are_symmetric_and_bounded(a: Box, b: Box) -> None:
    assert same_place(a, b) == same_place(b, a)
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1 + 1e-9
    assert 0 <= containment(a, b) <= 1 + 1e-9


def test_only_what_is_judged_and_scores_enough_is_seen() -> None:
    boxes = [("street_vendor", SPOT, 0.19), ("bin_overflow", SPOT, 0.5)]
    assert [one.category for one in scene(*boxes).findings] == [Category.BIN_OVERFLOW]
    assert scene(*boxes, judged=frozenset({Category.STREET_VENDOR})).findings == ()


def test_sightings_stand_in_the_order_of_their_scores() -> None:
    found = scene(("bin_overflow", SPOT, 0.3), ("bin_overflow", (0, 0, 0.1, 0.1), 0.9))
    assert [one.score for one in found.of_family(Family.BIN)] == pytest.approx([0.9, 0.3])
    assert found.of_family(Family.COVER) == ()


@pytest.mark.parametrize(
    ("intact", "findings"),
    [
        ((0.35, 0.35, 0.65, 0.65), 0),  # the spot is a part of what is intact: 0.44 of it
        ((0.6, 0.4, 0.8, 0.6), 1),  # the next cover in a row
    ],
)
def test_what_lies_on_an_intact_cover_is_that_cover(intact: Box, findings: int) -> None:
    found = scene(("manhole_damaged", SPOT, 0.4), ("manhole_ok", intact, 0.6))
    assert len(found.findings) == findings
    full = scene(("bin_overflow", SPOT, 0.4), ("garbage_bin", (0.35, 0.35, 0.65, 0.65), 0.6))
    assert len(full.findings) == 1  # bins stand in rows, one before the other


def test_a_rival_wins_by_score_and_only_on_the_same_spot() -> None:
    bad = ("bin_overflow", SPOT, 0.5)
    assert scene(bad, ("garbage_bin", SPOT, 0.6)).findings == ()
    assert scene(bad, ("garbage_bin", SPOT, 0.4)).findings != ()
    assert scene(bad, ("garbage_bin", (0.6, 0.4, 0.8, 0.6), 0.9)).findings != ()


def test_a_vehicle_must_win_clearly_since_a_stall_may_be_one() -> None:
    stall = ("street_vendor", SPOT, 0.6)
    assert scene(stall, ("vehicle", SPOT, 0.7)).findings != ()
    assert scene(stall, ("vehicle", SPOT, 0.9)).findings == ()


def test_families_that_contest_a_heap_do_not_beat_each_other_in_one_look() -> None:
    found = scene(("bin_overflow", SPOT, 0.5), ("exposed_garbage", SPOT, 0.6))
    assert len(found.findings) == 2


@pytest.mark.parametrize(
    ("covers", "hidden"),
    [
        ([("vehicle", (0.3, 0.3, 0.7, 0.9), 0.9)], True),
        ([("person", (0.4, 0.2, 0.46, 0.7), 0.9)], False),
        # two people together
        ([("person", (0.4, 0.2, 0.45, 0.7), 0.9), ("person", (0.5, 0.2, 0.55, 0.7), 0.9)], True),
        # the same person twice
        ([("person", (0.4, 0.2, 0.45, 0.7), 0.9)] * 3, False),
        # too faint to rely on
        ([("vehicle", (0.3, 0.3, 0.7, 0.9), 0.2)], False),
        # a bin hides nothing
        ([("garbage_bin", (0.3, 0.3, 0.7, 0.9), 0.9)], False),
    ],
)
def test_a_place_is_hidden_when_a_third_of_it_is_covered(
    covers: list[Seen],
    hidden: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert scene(*covers).hides(Family.GARBAGE, SPOT) is hidden


def test_what_stands_behind_an_upright_thing_does_not_hide_it_but_a_cover_lies_flat() -> None:
    behind = scene(("vehicle", (0.3, 0.1, 0.7, 0.49), 0.9))
    assert not behind.hides(Family.GARBAGE, SPOT)
    assert behind.hides(Family.COVER, SPOT)


def test_boxes_that_leave_the_picture_are_cut_and_empty_ones_ignored() -> None:
    found = scene(("bin_overflow", (-0.1, 0.5, 0.2, 1.2), 0.5), ("bin_overflow", SPOT[:2] * 2, 0.9))
    assert [one.box_xyxyn for one in found.findings] == [(0.0, 0.5, 0.2, 1.0)]


@settings(derandomize=True)
@given(BOXES, st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 1))
def test_a_miss_weighs_between_nothing_and_one_and_never_more_for_a_better_score(
    occluder: Box, score: float, better: float, keep: float
) -> None:
    low, high = sorted((score, better))
    assume(high < 0.99 * keep)  # from there on it is seen, or something else explains it better
    weights = []
    for value in (low, high):
        seen = [("exposed_garbage", SPOT, value), ("person", occluder, 0.8)]
        found = Scene.of(detections(seen), frozenset(Category), dict.fromkeys(Category, keep))
        weights.append(found.absence(Family.GARBAGE, SPOT, keep).weight)
    assert 0 <= weights[1] <= weights[0] <= 1


@pytest.mark.parametrize(
    ("boxes", "weight", "intact"),
    [
        ([], 1.0, False),
        # doubtful: half way between nothing (0.1) and keep (0.2)
        ([("manhole_damaged", SPOT, 0.15)], 0.5, False),
        # something before all of it, and before a quarter of it
        ([("vehicle", (0.3, 0.3, 0.7, 0.9), 0.9)], 0.0, False),
        ([("vehicle", (0.3, 0.55, 0.7, 0.9), 0.9)], 1 - 0.25 / 0.35, False),
        # intact, whatever stands around it, and hardly more intact than broken
        ([("manhole_ok", SPOT, 0.6), ("vehicle", (0.3, 0.3, 0.7, 0.9), 0.9)], 1.0, True),
        ([("manhole_ok", SPOT, 0.55), ("manhole_damaged", SPOT, 0.5)], 0.4, True),
        # too faint to rely on
        ([("manhole_ok", SPOT, 0.2)], 1.0, False),
    ],
)
def test_a_look_without_a_finding_says_how_much_it_counts(
    boxes: list[Seen],
    weight: float,
    intact: bool,  # noqa: FBT001 - a table's column
) -> None:
    absence = scene(*boxes).absence(Family.COVER, SPOT, 0.2)
    assert absence.weight == pytest.approx(weight, abs=0.01)
    assert absence.intact is intact
