"""Figures are counted from events, and floors say which of them is too bad."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.event_figures import failed, load_floors, summary
from benchmarks.events import ClipResult, EventResult, FalseIssue

CART = EventResult(
    clip="a.mp4", category="street_vendor", start_s=10, end_s=50, raised_s=18, raised_as="street_vendor",
    last_as="street_vendor", cleared_s=57, cleared_in_time=True, duplicates=0,
)  # fmt: skip
MISSED = replace(
    CART,
    category="bin_overflow",
    raised_s=None,
    raised_as=None,
    last_as=None,
    cleared_s=None,
    cleared_in_time=None,
)
FALSE = FalseIssue("a.mp4", "exposed_garbage", 30, None, (0, 0, 1, 1), 0.5, "background")


def figures(
    *events: EventResult, false: tuple[FalseIssue, ...] = (), seconds: float = 3600
) -> dict[str, Any]:
    return summary([ClipResult("a.mp4", seconds, events, false)])


def test_recall_and_precision_count_events_and_not_reports() -> None:
    found = figures(CART, replace(CART, duplicates=2), MISSED, false=(FALSE,))
    assert (found["recall"], found["precision"]) == (0.6667, 0.6667)
    assert (found["duplicates"], found["false_per_camera_hour"]) == (2, 1.0)
    assert found["by_category"] == {
        "street_vendor": {"events": 2, "found": 2, "false": 0},
        "bin_overflow": {"events": 1, "found": 0, "false": 0},
        "exposed_garbage": {"events": 0, "found": 0, "false": 1},
    }


def test_times_are_measured_from_the_events_own_start_and_end() -> None:
    late = replace(CART, raised_s=30, cleared_s=70)
    early = replace(CART, cleared_s=20, cleared_in_time=False)
    found = figures(CART, late, early)
    assert found["time_to_raise_s"] == {"median": 8, "p95": 20, "n": 3}
    assert found["time_to_clear_s"] == {"median": 13.5, "p95": 20, "n": 2}
    assert (found["cleared_in_time"], found["cleared_though_there"]) == (2, 1)


def test_positions_and_cells_count_where_truth_has_them() -> None:
    found = figures(
        replace(CART, off_m=0.4, outside_m=0.0, cell_right=True),
        replace(CART, off_m=2.0, outside_m=1.2, cell_right=False),
        CART,
    )
    assert found["position_error_m"] == {"median": 1.2, "p95": 2.0, "n": 2}
    assert (found["wrong_cell"], found["cells_known"]) == (1, 2)


def test_the_two_states_of_a_cover_are_told_apart() -> None:
    cover = replace(CART, category="manhole_missing", last_as="manhole_damaged")
    assert figures(cover, CART)["cover_states"] == {"manhole_missing → manhole_damaged": 1}


def test_an_event_that_two_cameras_see_shall_be_one_case() -> None:
    seen = [replace(CART, clip=clip, event_id="cart") for clip in ("a.mp4", "b.mp4")]
    one_case = figures(*(replace(one, case_ids=(7,)) for one in seen))
    assert (one_case["cases"], one_case["case_duplicates"]) == (1, 0)
    two_cases = figures(replace(seen[0], case_ids=(7,)), replace(seen[1], case_ids=(8,)))
    assert two_cases["case_duplicates"] == 1
    other = replace(CART, event_id="bin", case_ids=(7,))
    mixed = figures(replace(seen[0], case_ids=(7,)), other, false=(replace(FALSE, case_id=9),))
    assert (mixed["cases_mixed"], mixed["false_cases"]) == (1, 1)


def test_without_anything_there_is_nothing_to_divide() -> None:
    found = figures(seconds=0)
    assert (found["recall"], found["precision"], found["false_per_camera_hour"]) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("floors", "count"),
    [
        ({"recall": 0.5}, 0),
        ({"recall": 0.9}, 1),
        ({"false_issues_max": 0}, 1),
        ({"false_issues_max": 1}, 0),
        ({"time_to_raise_s.median_max": 8}, 0),
        ({"time_to_raise_s.median_max": 7.9}, 1),
        ({"position_error_m.median_max": 1}, 1),  # nothing was measured
    ],
)
def test_a_floor_that_is_not_reached_is_named(floors: dict[str, float], count: int) -> None:
    complaints = failed(figures(CART, MISSED, false=(FALSE,)), floors)
    assert len(complaints) == count
    assert all(next(iter(floors)).removesuffix("_max") in one for one in complaints)


@pytest.mark.parametrize("name", ["dev", "demo", "trials"])
def test_the_committed_floors_name_figures_that_exist(name: str) -> None:
    known = figures(replace(CART, off_m=0.4, outside_m=0.0, cell_right=True))
    for key in load_floors(name):
        assert known[key.removesuffix("_max").split(".")[0]] is not None
