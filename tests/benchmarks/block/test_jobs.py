from pathlib import Path

import numpy as np
import pytest

from benchmarks.block.geometry import Camera
from benchmarks.block.jobs import Scene, crop, tasks
from benchmarks.block.script import Day

CACHE = Path("cache")


@pytest.fixture(scope="module")
def scene(day: Day) -> Scene:
    return Scene(day, day.clips[2], CACHE)


def test_a_clip_needs_one_plate_its_covers_states_and_sprites(scene: Scene) -> None:
    kinds = [task.kind for task in tasks(scene)]
    assert kinds[0] == "plate"
    assert kinds.count("plate") == 1
    assert kinds.count("patch") == 2
    assert kinds.count("sprite") > 20


def test_every_crop_lies_in_the_picture(scene: Scene) -> None:
    for task in tasks(scene):
        if task.border is not None:
            x1, y1, x2, y2 = task.border
            assert 0 <= x1 < x2 <= 1280
            assert 0 <= y1 < y2 <= 720


def test_the_name_of_a_picture_follows_what_goes_into_it_and_nothing_else(
    scene: Scene, day: Day
) -> None:
    task = next(tasks(scene))
    assert scene.path(task) == Scene(day, day.clips[2], CACHE).path(task)
    other_noise = day.lights["dusk"].model_copy(update={"noise": 9.0})
    same = day.model_copy(update={"lights": day.lights | {"dusk": other_noise}})
    assert Scene(same, day.clips[2], CACHE).path(task) == scene.path(task), "noise is added later"
    brighter = day.lights["dusk"].model_copy(update={"sky": 9.0})
    other = day.model_copy(update={"lights": day.lights | {"dusk": brighter}})
    assert Scene(other, day.clips[2], CACHE).path(task) != scene.path(task)


def test_what_lies_beside_or_behind_the_camera_is_not_rendered() -> None:
    camera = Camera((0, 0, 5), 0, 20, 1000)
    assert crop(camera, np.array([[-10.0, 0, 0], [-11, 1, 1]])) is None
    assert crop(camera, np.array([[10.0, 60, 0], [10, 61, 1]])) is None
    assert crop(camera, np.array([[15.0, -1, 0], [15, 1, 1]])) is not None
