import json

import numpy as np
import pytest
from shapely import Polygon

from benchmarks.block.script import Day
from benchmarks.block.site import site_files
from benchmarks.block.things import Placed
from benchmarks.block.truths import cells_of, in_picture, truth, visible_share
from benchmarks.block.views import camera_at, origin_of
from edge_agent.place import LocalPlane


def test_one_event_has_one_id_one_footprint_and_one_cell_in_every_camera(day: Day) -> None:
    seen = [
        e
        for clip in day.clips
        for e in truth(day, clip)["events"]
        if e["event_id"] == "noon/fruit-cart"
    ]
    assert len(seen) == 2
    for key in ("footprint_lonlat", "cells", "component_id", "start_s", "end_s"):
        assert seen[0][key] == seen[1][key]


def test_the_homography_puts_a_box_s_foot_near_the_footprint(day: Day) -> None:
    clip = day.clips[0]
    found = truth(day, clip)
    event = next(e for e in found["events"] if e["category"] == "street_vendor")
    x1, _, x2, y2 = event["box"]
    x, y, w = np.array(found["homography"]) @ ((x1 + x2) / 2, y2, 1)
    foot = origin_of(day).lonlat(np.array([[x / w, y / w]]))
    middle = np.array(event["footprint_lonlat"]).mean(0)
    assert np.linalg.norm(LocalPlane(*middle).to_xy(foot)) < 1.5


def test_a_cart_across_a_border_names_both_cells(day: Day) -> None:
    clip = next(clip for clip in day.clips if clip.hour == "rain")
    second = next(e for e in truth(day, clip)["events"] if e["event_id"] == "rain/vegetable-cart-2")
    assert second["on_border"]
    assert set(second["cells"]) == {"340399001001002", "340399001001003"}


@pytest.mark.parametrize(("x", "expected"), [(0.0, "340399001001002"), (-60.0, "340399001001001")])
def test_a_footprint_inside_a_cell_names_only_it(day: Day, x: float, expected: str) -> None:
    square = Polygon([(x, 2), (x + 1, 2), (x + 1, 3), (x, 3)])
    assert cells_of(day, square) == [expected]


def test_a_thing_behind_a_nearer_one_is_not_visible(day: Day) -> None:
    clip = next(clip for clip in day.clips if clip.hour == "dusk")
    camera = camera_at(day, clip, 0.0)
    storm = Placed("patch:", (*day.covers["storm"].at, 0.0), 0.0)
    assert visible_share(day, clip, storm, 20.0) > 0.9
    van = [pose for pose in (25.0,) if in_picture(camera, storm.body())]
    assert van, "the cover lies in the picture"
    far = Placed("patch:", (camera.at[0] - 20, 0.0, 0.0), 0.0)
    assert in_picture(camera, far.body()) is None


def test_truth_is_plain_json_of_the_agreed_form(day: Day) -> None:
    text = site_files(day)["demo-east.json"]
    again = json.loads(text)
    assert again["schema"] == "truth/1.0"
    assert {"event_id", "component_id", "footprint_lonlat", "cells", "on_border", "boxes"} <= set(
        again["events"][0]
    )
