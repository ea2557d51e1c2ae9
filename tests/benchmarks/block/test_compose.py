from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.block.compose import encode, faded, frames, screen, to_light, whole
from benchmarks.block.errors import RenderError
from benchmarks.block.jobs import Scene, scenes, tasks
from benchmarks.block.script import Clip, Day, View
from edge_agent.video import read_clip


def paint(scene: Scene) -> None:
    """Stand in for Blender: grey plates, patches a little lighter, sprites half transparent."""
    scene.cache.mkdir(exist_ok=True)
    for task in tasks(scene):
        x1, y1, x2, y2 = task.border or (0, 0, 1280, 720)
        channels = 4 if task.kind == "sprite" else 3
        picture = np.full((y2 - y1, x2 - x1, channels), 20000, np.uint16)
        picture[..., :3] = {"plate": 16000, "patch": 24000, "sprite": 30000}[task.kind]
        cv2.imwrite(str(scene.path(task)), picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])


@pytest.fixture(scope="module")
def short(day: Day) -> tuple[Day, Clip]:
    """A second of dusk with one cover missing and one thing on its way."""
    hour = day.hours["dusk"]
    way = next(actor for actor in hour.actors if actor.id == "rider-a")
    leg = way.legs[0].model_copy(update={"start_s": 0.0, "end_s": 1.0})
    state = hour.covers[0].model_copy(update={"start_s": 0.5, "end_s": 1.0})
    brief = hour.model_copy(
        update={"seconds": 1.0, "actors": (way.model_copy(update={"legs": (leg,), "step_m": 9.0}),),
                "covers": (state,), "events": ()}
    )  # fmt: skip
    clip = next(clip for clip in day.clips if clip.hour == "dusk")
    return day.model_copy(update={"hours": day.hours | {"dusk": brief}}), clip


def test_light_survives_the_way_through_blender_s_coding() -> None:
    coded = np.array([[[0, 32768, 65535]]], np.uint16)
    light = to_light(coded)
    assert light[0, 0, 0] == 0
    assert light[0, 0, 2] == pytest.approx(4.0)
    grey = screen(light)[0, 0]
    assert grey[0] < grey[1] < grey[2]


def test_states_and_movers_appear_over_the_plate(short: tuple[Day, Clip], tmp_path: Path) -> None:
    day, clip = short
    for scene in scenes(day, clip, tmp_path):
        paint(scene)
    found = list(frames(day, clip, tmp_path))
    assert len(found) == 10
    assert found[0].shape == (720, 1280, 3)
    cover = (slice(500, 540), slice(640, 680))
    assert found[9][cover].mean() > found[0][cover].mean() + 5, "the cover's state begins at 0.5 s"
    assert not np.array_equal(found[1], found[3]), "something moves"


def test_a_clip_can_be_read_and_a_turning_camera_needs_both_views(
    short: tuple[Day, Clip], tmp_path: Path
) -> None:
    day, clip = short
    turned = clip.model_copy(update={"views": (View(start_s=0.6, heading_deg=8, turn_s=0.3),)})
    first, second = scenes(day, turned, tmp_path)
    paint(first)
    with pytest.raises(RenderError, match="is not rendered"):
        list(frames(day, turned, tmp_path))
    paint(second)
    out = tmp_path / "clip.mp4"
    encode(day, turned, tmp_path, out)
    times = [at_s for at_s, _ in read_clip(out)]
    assert times == pytest.approx([number / 10 for number in range(10)])


@pytest.mark.parametrize(
    ("border", "shift", "expected"),
    [
        ((100, 100, 200, 200), (0, 0), True),
        ((100, 100, 200, 200), (40, 40), True),  # nothing was cut off
        ((100, 600, 200, 720), (0, 0), True),
        ((100, 600, 200, 720), (0, 30), True),  # pushed further out
        ((100, 600, 200, 720), (0, -30), False),  # its cut edge would show
        ((0, 100, 90, 200), (20, 0), False),
    ],
)
def test_a_sprite_cut_off_by_the_picture_s_edge_never_shows_the_cut(
    border: tuple[int, int, int, int], shift: tuple[int, int], *, expected: bool
) -> None:
    matrix = np.array([[1, 0, border[0] + shift[0]], [0, 1, border[1] + shift[1]], [0, 0, 1.0]])
    assert whole(border, matrix, (720, 1280)) is expected


def test_a_shadow_fades_out_at_the_crop_s_edge_and_the_thing_does_not() -> None:
    made = np.zeros((100, 100, 4), np.float32)
    made[..., 3] = 0.5
    made[:50, :] = 1.0
    done = faded(made.copy())
    assert done[99, 50, 3] == 0
    assert done[60, 50, 3] == pytest.approx(0.5)
    assert np.array_equal(done[:50], made[:50])
