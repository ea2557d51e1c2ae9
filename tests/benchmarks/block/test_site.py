from pathlib import Path

import numpy as np
import pytest

from benchmarks.block.script import Day
from benchmarks.block.site import camera_text, components_text, grid_text, site_files
from benchmarks.block.truths import FPS
from benchmarks.block.views import camera_at, origin_of
from benchmarks.truth import load_truth
from edge_agent.config import load_camera
from edge_agent.grid import Components, Grid
from edge_agent.place import Homography, LocalPlane
from edge_agent.video import read_clip

DEMO = Path(__file__).parents[3] / "camera_configs" / "demo"
MAX_CLIPS_BYTES = 12_000_000


def test_the_shipped_files_are_those_of_the_script_byte_for_byte(day: Day) -> None:
    for name, text in site_files(day).items():
        assert (DEMO / name).read_bytes() == text.encode(), (
            f"{name}: `python -m benchmarks.block site`"
        )


def test_the_shipped_clips_are_whole_and_small(day: Day) -> None:
    for clip in day.clips:
        times = [at_s for at_s, _ in read_clip(DEMO / f"{clip.name}.mp4")]
        assert len(times) == day.hours[clip.hour].seconds * FPS
    assert sum(path.stat().st_size for path in DEMO.glob("*.mp4")) < MAX_CLIPS_BYTES


def test_the_evaluation_reads_every_shipped_truth_file(day: Day) -> None:
    for clip in day.clips:
        found = load_truth(DEMO / f"{clip.name}.json")
        assert found.events
        assert all(event.boxes and event.cells and event.footprint_lonlat for event in found.events)


def test_the_agent_reads_the_grid_and_finds_the_cell_of_each_bin(day: Day) -> None:
    grid = Grid.from_geojson(grid_text(day), "grid")
    assert set(grid.codes) == set(day.cells)
    assert grid.version == day.grid_version


def test_the_agent_reads_the_components_and_their_kinds(day: Day) -> None:
    found = Components.from_geojson(components_text(day), "components").components
    assert len(found) == len(day.covers) + len(day.bins)
    assert {one.kind[:2] for one in found} == {"01", "03"}


@pytest.mark.parametrize("number", range(4))
def test_a_camera_file_places_a_pixel_where_the_camera_sees_the_ground(
    day: Day, tmp_path: Path, number: int
) -> None:
    clip = day.clips[number]
    path = tmp_path / "camera.yaml"
    path.write_text(camera_text(day, clip), encoding="utf-8")
    place = load_camera(path).place
    assert place is not None
    fitted = Homography.fit(place.points)
    true = origin_of(day).lonlat(camera_at(day, clip, 0.0).ground(np.array([[640.0, 500.0]])))[0]
    found = fitted.position((0.5, 500 / 720), (0.002, 0.002))
    assert np.linalg.norm(LocalPlane(*true).to_xy(np.array([[found.lon, found.lat]]))) < 0.02
