"""Reports are matched with events one to one, and what is left over is false."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.events import ReportLine, evaluate, iou
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
