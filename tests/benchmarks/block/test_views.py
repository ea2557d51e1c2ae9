import numpy as np
import pytest

from benchmarks.block.script import Clip, Dark, Day, View
from benchmarks.block.truths import truth
from benchmarks.block.views import camera_at, light_share, turning, view_at

PRESET = View(start_s=20, heading_deg=-12, turn_s=2)
KNOCK = View(start_s=40, heading_deg=-12, down_deg=3)


@pytest.fixture(scope="module")
def clip(day: Day) -> Clip:
    return day.clips[0].model_copy(update={"views": (PRESET, KNOCK)})


@pytest.mark.parametrize(
    ("at_s", "heading_deg", "down_deg"),
    [
        (0, 30, 17),
        (17.9, 30, 17),
        (19, 24, 17),
        (20, 18, 17),
        (39.9, 18, 17),
        (40, 18, 20),
        (74, 18, 20),
    ],
)
def test_a_camera_turns_to_a_preset_and_is_knocked(
    day: Day, clip: Clip, at_s: float, heading_deg: float, down_deg: float
) -> None:
    camera = camera_at(day, clip, at_s)
    assert camera.heading_deg == pytest.approx(heading_deg)
    assert camera.down_deg == pytest.approx(down_deg)


def test_it_turns_only_before_a_preset_and_a_knock_takes_no_time(clip: Clip) -> None:
    assert [turning(clip, at_s) for at_s in (17.9, 18, 19.9, 20, 39.9)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert view_at(clip, 19) == View(start_s=0)
    assert view_at(clip, 41) == KNOCK


def test_truth_follows_the_camera_and_names_each_view_s_homography(day: Day, clip: Clip) -> None:
    found = truth(day, clip)
    assert [view["start_s"] for view in found["views"]] == [20, 40]
    assert not np.allclose(found["homography"], found["views"][0]["homography"])
    cart = next(e for e in found["events"] if e["event_id"] == "noon/fruit-cart")
    boxes = {one["t_s"]: one["box"] for one in cart["boxes"]}
    assert boxes[15.0][0] > boxes[25.0][0], "what a camera sees goes left when it turns right"
    assert boxes[25.0][1] > boxes[45.0][1], "a camera knocked down sees things higher"


def test_what_a_dark_camera_looks_at_is_not_visible(day: Day) -> None:
    clip = day.clips[0].model_copy(update={"darks": (Dark(start_s=20, end_s=30, share=0.02),)})
    assert [light_share(clip, at_s) for at_s in (19.9, 20, 29.9, 30)] == [1.0, 0.02, 0.02, 1.0]
    cart = next(e for e in truth(day, clip)["events"] if e["event_id"] == "noon/fruit-cart")
    seen = {one["t_s"]: one["visible"] for one in cart["boxes"]}
    assert seen[15.0]
    assert not seen[25.0]
    assert seen[45.0]
