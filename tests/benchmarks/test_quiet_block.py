"""The block's quiet seconds hold no event of any camera, and keep their own light."""

import pytest

from benchmarks.block.script import Clip, View
from benchmarks.quiet_block import block_cameras, quiet_seconds
from benchmarks.quiet_footage import FRAMES_MIN
from benchmarks.truth import Truth

CLIP = Clip(name="street", title="street", camera="west", hour="noon")
BOX = [0, 0, 10, 10]


def truth(**more: object) -> Truth:
    return Truth.model_validate(
        {"clip": "street.mp4", "fps": 10, "width": 64, "height": 36, "seconds": 12, "events": []}
        | more
    )


@pytest.mark.parametrize(
    ("more", "quiet"),
    [
        ({}, range(12)),
        ({"events": [{"category": "bin_overflow", "start_s": 3, "end_s": 6, "box": BOX}]}, (0, 1, 8, 9, 10, 11)),
        ({"events": [{"category": "bin_overflow", "start_s": 3, "end_s": None, "box": BOX}]}, (0, 1)),
        ({"distractors": [{"category": "street_vendor_passing", "start_s": 0, "end_s": 12, "box": BOX}]}, range(12)),
        ({"distractors": [{"category": "street_vendor", "start_s": 0, "end_s": 9, "box": BOX}]}, (11,)),
        ({"darks": [{"start_s": 2, "end_s": 9, "state": "dark"}]}, (0, 11)),
    ],
)  # fmt: skip
def test_a_second_is_quiet_when_nothing_is_to_be_raised_near_it(
    more: dict[str, object], quiet: range | tuple[int, ...]
) -> None:
    assert quiet_seconds(CLIP, truth(**more)) == [float(second) for second in quiet]


def test_only_the_first_view_of_a_camera_counts() -> None:
    turned = CLIP.model_copy(update={"views": (View(start_s=7, turn_s=2),)})
    assert quiet_seconds(turned, truth()) == [0, 1, 2, 3, 4]


def test_the_block_has_quiet_cameras_by_day_at_dusk_in_rain_and_at_night() -> None:
    cameras = block_cameras(16)
    assert {camera.light for camera in cameras} == {"day", "dusk", "rain", "night"}
    assert all(FRAMES_MIN <= len(camera.frames) <= 16 for camera in cameras)
    assert {camera.treatment("night") for camera in cameras} == {"day"}
