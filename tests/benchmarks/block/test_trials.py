"""The trials: what they hold, and that they are a test of the demo's detector and not its copy."""

from pathlib import Path

import numpy as np
import pytest
from shapely import Point, Polygon

from benchmarks.block.actors import sprites
from benchmarks.block.geometry import Array
from benchmarks.block.jobs import scenes, tasks
from benchmarks.block.script import TRIALS as SCRIPT
from benchmarks.block.script import Clip, Day, View, load_day
from benchmarks.block.site import site_files
from benchmarks.block.statics import statics
from benchmarks.block.truths import FPS, truth
from benchmarks.block.views import camera_in, knocked_s, origin_of, presets_of, views_of
from edge_agent.config import load_camera
from edge_agent.place import Homography, LocalPlane
from edge_agent.video import read_clip
from edge_agent.view_files import known_views

FOLDER = Path(__file__).parents[3] / "benchmarks" / "block" / "trials"
MAX_CLIPS_BYTES = 8 * 2**20


@pytest.fixture(scope="module")
def trials() -> Day:
    return load_day(SCRIPT)


def clip_of(day: Day, name: str) -> Clip:
    return next(clip for clip in day.clips if clip.name == f"trial-{name}")


def variants(day: Day) -> set[str]:
    """Every asset that is not one of a kind, such as the lamp."""
    found = {placed.asset for placed in statics(day)}
    for hour in day.hours.values():
        found |= {placed.asset for parts in sprites(day, hour) for placed in parts}
    return {one for one in found if one.startswith(("cart", "bin", "garbage", "person", "scooter"))}


def test_the_committed_files_are_those_of_the_script_byte_for_byte(trials: Day) -> None:
    for name, text in site_files(trials).items():
        assert (FOLDER / name).read_bytes() == text.encode(), f"{name}: see the block's README"


def test_the_clips_are_whole_and_small(trials: Day) -> None:
    for clip in trials.clips:
        times = [at_s for at_s, _ in read_clip(FOLDER / f"{clip.name}.mp4")]
        assert len(times) == trials.hours[clip.hour].seconds * FPS
    assert sum(path.stat().st_size for path in FOLDER.glob("*.mp4")) < MAX_CLIPS_BYTES


def test_nothing_of_the_demo_is_used_again(trials: Day, day: Day) -> None:
    assert trials.world.seed != day.world.seed
    assert not variants(trials) & variants(day)
    assert not set(trials.cells) & set(day.cells)
    assert not {one.at for one in trials.cameras.values()} & {
        one.at for one in day.cameras.values()
    }
    for kind in ("covers", "bins"):
        mine, theirs = getattr(trials, kind).values(), getattr(day, kind).values()
        assert not {one.component for one in mine} & {one.component for one in theirs}


def test_each_preset_has_its_still_its_zones_and_the_homography_of_its_pose(trials: Day) -> None:
    clip = clip_of(trials, "turning")
    path = FOLDER / f"{clip.name}.yaml"
    config = load_camera(path)
    assert [preset.id for preset in config.presets] == ["east", "west"]
    assert [file.view.still is not None for file in known_views(path, config)] == [True, True]
    for preset, view in zip(config.presets, presets_of(clip), strict=True):
        assert preset.place is not None
        assert {zone.id for zone in preset.zones} == {zone.id for zone in view.zones}
        found = Homography.fit(preset.place.points).position((0.5, 500 / 720), (0.002, 0.002))
        off_m = {
            other.preset: np.linalg.norm(
                LocalPlane(*_seen(trials, clip, other)).to_xy(np.array([[found.lon, found.lat]]))
            )
            for other in presets_of(clip)
        }
        assert off_m.pop(view.preset) < 0.05
        assert min(off_m.values()) > 5


def _seen(day: Day, clip: Clip, view: View) -> Array:
    """Longitude and latitude of what a view shows below its middle."""
    return origin_of(day).lonlat(camera_in(day, clip, view).ground(np.array([[640.0, 500.0]])))[0]


def test_what_comes_after_the_knock_would_lie_in_another_cell_and_is_not_to_be_told(
    trials: Day,
) -> None:
    clip = clip_of(trials, "knocked")
    found = truth(trials, clip)
    assert knocked_s(clip) == found["views"][0]["start_s"] == 30
    assert [event["event_id"] for event in found["events"]] == ["knocked/kept-cart"]
    assert found["events"][0]["end_s"] is None
    (trap,) = [one for one in found["distractors"] if one["category"] == "exposed_garbage"]
    x1, _, x2, y2 = trap["box"]
    x, y, w = np.array(found["homography"]) @ ((x1 + x2) / 2, y2, 1)
    told = [
        code for code, ring in trials.cells.items() if Polygon(ring).contains(Point(x / w, y / w))
    ]
    at = trials.hours["knocked"].actors[2].legs[0].at
    true = [code for code, ring in trials.cells.items() if Polygon(ring).contains(Point(at))]
    assert told != true


def test_the_truth_tells_of_presets_darkness_night_and_the_market(trials: Day) -> None:
    turning, covered = (truth(trials, clip_of(trials, name)) for name in ("turning", "covered"))
    assert turning["preset"] == "east"
    assert [view["preset"] for view in turning["views"]] == ["west", "east"]
    assert "street_vendor_allowed" in {one["category"] for one in turning["distractors"]}
    assert [dark["state"] for dark in covered["darks"]] == ["dark", "covered"]
    assert truth(trials, clip_of(trials, "night"))["start_utc"] == "2026-06-30T13:30:00.000Z"


def test_of_each_view_only_what_it_shows_is_rendered(trials: Day) -> None:
    clip = clip_of(trials, "turning")
    made = [list(tasks(scene)) for scene in scenes(trials, clip, Path("cache"))]
    assert [scene_tasks[0].kind for scene_tasks in made] == ["plate"] * 3
    assert len(views_of(clip)) == 3
    bins = [any("bin:" in one.asset for task in each for one in task.items) for each in made]
    assert bins == [False, True, False]
    carts = [any("cart:16" in one.asset for task in each for one in task.items) for each in made]
    assert carts == [True, False, False]


def test_the_lorry_hides_the_open_cover(trials: Day) -> None:
    (event,) = truth(trials, clip_of(trials, "lorry"))["events"]
    hidden = [one["t_s"] for one in event["boxes"] if not one["visible"]]
    assert hidden[0] <= 24
    assert hidden[-1] >= 43.5
    assert len(hidden) > 30
