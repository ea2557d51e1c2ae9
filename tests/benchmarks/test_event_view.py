"""A table for the terminal and a timeline as a picture."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from benchmarks.event_figures import summary
from benchmarks.event_view import draw_timeline, event_table, figures_table
from benchmarks.events import ClipResult, EventResult, FalseIssue

CART = EventResult(
    clip="a.mp4", category="manhole_missing", start_s=10, end_s=50, raised_s=18, raised_as="manhole_missing",
    last_as="manhole_damaged", cleared_s=30, cleared_in_time=False, duplicates=1, off_m=0.35, cell_right=True,
)  # fmt: skip
MISSED = replace(CART, raised_s=None, last_as=None, cleared_s=None, off_m=None, cell_right=None)
FALSE = FalseIssue("a.mp4", "exposed_garbage", 30, None, (0, 0, 1, 1), 0.5, "parked_car")
RESULTS = [ClipResult("a.mp4", 100, (CART, MISSED), (FALSE,)), ClipResult("b.mp4", 50, (), ())]


def shown(*tables: object) -> str:
    console = Console(file=StringIO(), width=200)
    for table in tables:
        console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_table_names_what_was_missed_early_false_and_confused() -> None:
    text = shown(event_table(RESULTS, "gridwatch-n"))
    for word in (
        "manhole_missing → manhole_damaged",
        "MISSED",
        "early",
        "FALSE exposed_garbage",
        "parked_car",
        "0.35",
        "✓",
    ):
        assert word in text


def test_figures_of_two_models_stand_side_by_side() -> None:
    text = shown(figures_table({"one": summary(RESULTS), "two": summary(RESULTS[1:])}))
    assert "one" in text
    assert "two" in text
    assert "recall" in text
    assert "manhole_missing → manhole_damaged" in text


def test_the_timeline_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_timeline(RESULTS, "truth against reports", tmp_path / "t.png")
    picture = cv2.imread(str(tmp_path / "t.png"))
    assert picture is not None
    assert picture.shape[1] > 800
