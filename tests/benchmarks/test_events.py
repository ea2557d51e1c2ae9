"""Reports are matched with events one to one, and what is left over is false."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.events import evaluate, iou
from benchmarks.report_lines import ReportLine
from benchmarks.truth import Truth
from contract import messages
from contract.catalogue import Category
from contract.messages import IssueReport

GOLDEN = Path(messages.__file__).parent / "examples" / "issue-1.0-raised.json"
TRUTH = Truth.model_validate(
    {
        "clip": "a.mp4",
        "fps": 10,
        "width": 1000,
        "height": 1000,
        "seconds": 100,
        "events": [
            {
                "category": "manhole_missing",
                "start_s": 10,
                "end_s": 50,
                "box": [100, 100, 200, 200],
            },
            {
                "category": "street_vendor",
                "start_s": 20,
                "end_s": None,
                "box": [500, 500, 700, 700],
            },
        ],
        "distractors": [
            {
                "category": "umbrella",
                "start_s": 0,
                "end_s": None,
                "box": [800, 0, 900, 100],
                "score": False,
            },
            {"category": "parked_car", "start_s": 0, "end_s": None, "box": [0, 800, 100, 900]},
        ],
    }
)


def line(
    clip_s: float, phase: str, category: str, box: tuple[float, ...], issue: int = 1
) -> ReportLine:
    body = json.loads(GOLDEN.read_text())
    body |= {
        "phase": phase,
        "category": category,
        "family": Category(category).family,
        "issue_id": str(UUID(int=issue)),
        "box_xyxyn": [value / 1000 for value in box],
    }
    return ReportLine(IssueReport.model_validate(body), clip_s)


COVER, CART = (100, 100, 200, 200), (500, 500, 700, 700)


def test_an_event_is_found_and_cleared() -> None:
    lines = [
        line(20, "raised", "manhole_missing", COVER),
        line(60, "cleared", "manhole_missing", COVER),
    ]
    found, missed = evaluate(TRUTH, lines).events
    assert (found.raised_s, found.cleared_in_time, found.duplicates) == (20, True, 0)
    assert missed.raised_s is None


@pytest.mark.parametrize(
    ("clip_s", "category", "box", "finds"),
    [
        (20, "manhole_damaged", COVER, True),  # the cover categories count for each other
        (59, "manhole_missing", COVER, True),  # just within the grace after its end
        (61, "manhole_missing", COVER, False),
        (9, "manhole_missing", COVER, False),  # before it began
        (20, "street_vendor", COVER, False),  # another family
        (20, "manhole_missing", (150, 150, 250, 250), False),  # overlaps too little
    ],
)
def test_an_event_is_found_only_by_its_family_in_its_time_at_its_place(
    clip_s: float, category: str, box: tuple[float, ...], *, finds: bool
) -> None:
    result = evaluate(TRUTH, [line(clip_s, "raised", category, box)])
    assert (result.events[0].raised_s is not None) is finds
    assert len(result.false_issues) == (0 if finds else 1)


def test_a_second_issue_on_one_event_is_a_duplicate_and_not_false() -> None:
    lines = [
        line(30, "raised", "street_vendor", CART, 1),
        line(40, "raised", "street_vendor", CART, 2),
    ]
    result = evaluate(TRUTH, lines)
    assert result.events[1].duplicates == 1
    assert not result.false_issues


def test_a_reopened_issue_is_counted_once() -> None:
    lines = [
        line(30, "raised", "street_vendor", CART),
        line(40, "cleared", "street_vendor", CART),
        line(45, "raised", "street_vendor", CART),
    ]
    result = evaluate(TRUTH, lines)
    assert result.events[1].duplicates == 0
    assert result.events[1].cleared_in_time is False


def test_what_lies_on_a_distractor_that_does_not_count_is_not_counted() -> None:
    assert not evaluate(TRUTH, [line(5, "raised", "street_vendor", (800, 0, 900, 90))]).false_issues


def test_a_false_issue_says_what_it_lies_on() -> None:
    result = evaluate(TRUTH, [line(5, "raised", "exposed_garbage", (0, 800, 100, 900))])
    assert [issue.on for issue in result.false_issues] == ["parked_car"]


def test_overlap_of_boxes_that_do_not_touch_is_zero() -> None:
    assert iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def placed(**more: object) -> Truth:
    """One cart of 2 m × 1 m whose middle lies at the golden report's position, moved by `more`."""
    position = json.loads(GOLDEN.read_text())["position"]
    lon, lat = position["lon"], position["lat"]
    east, north = 1 / (111_320 * 0.8387), 1 / 110_900  # degrees a metre at 33° north, roughly
    corners = [
        (lon + x * east, lat + y * north) for x, y in ((-1, -0.5), (1, -0.5), (1, 0.5), (-1, 0.5))
    ]
    event = {
        "category": "street_vendor",
        "start_s": 0,
        "end_s": None,
        "box": CART,
        "footprint_lonlat": corners,
    }
    body = {
        "clip": "a.mp4",
        "fps": 10,
        "width": 1000,
        "height": 1000,
        "seconds": 100,
        "events": [event | more],
    }
    return Truth.model_validate(body)


def test_the_position_error_is_from_the_footprints_middle_and_outline() -> None:
    (event,) = evaluate(placed(), [line(5, "raised", "street_vendor", CART)]).events
    assert event.off_m == pytest.approx(0, abs=0.05)
    assert event.outside_m == 0


@pytest.mark.parametrize(
    ("cells", "on_border", "right"),
    [
        (["340302001001001"], False, True),
        (["340302001001009"], False, False),
        (["340302001001009", "340302001001001"], True, True),
        ([], False, None),
    ],
)
def test_the_nearest_cell_must_be_the_true_one_and_on_a_border_either(
    cells: list[str], *, right: bool | None, on_border: bool
) -> None:
    truth = placed(cells=cells, on_border=on_border)
    (event,) = evaluate(truth, [line(5, "raised", "street_vendor", CART)]).events
    assert event.cell_right is right


def test_an_event_is_looked_for_where_it_is_at_that_moment() -> None:
    boxes = [
        {"t_s": 0, "box": [0, 0, 100, 100], "visible": True},
        {"t_s": 30, "box": CART, "visible": True},
    ]
    truth = placed(boxes=boxes, box=[0, 0, 100, 100])
    assert evaluate(truth, [line(20, "raised", "street_vendor", CART)]).events[0].raised_s is None
    assert evaluate(truth, [line(40, "raised", "street_vendor", CART)]).events[0].raised_s == 40


def test_what_a_camera_never_sees_it_need_not_report() -> None:
    boxes = [{"t_s": 0, "box": CART, "visible": False}]
    assert evaluate(placed(boxes=boxes), []).events == ()
