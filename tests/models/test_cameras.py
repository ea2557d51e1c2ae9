"""What a camera's own vehicles tell about its street."""

from pathlib import Path

import numpy as np
import pytest

from models.training.cameras import FRAME, RIDER_HEIGHT_M, street_of
from models.training.classes import VEHICLE
from models.training.pictures import CCTV_SOURCE, LabelledPicture

HORIZON, HEIGHT_M = 60.0, 6.0


def frame_with_riders(feet_rows: list[float]) -> LabelledPicture:
    rows = []
    for row in feet_rows:
        tall = (row - HORIZON) * RIDER_HEIGHT_M / HEIGHT_M
        wide = tall / 2
        rows.append([VEHICLE, 0.5, (row - tall / 2) / FRAME[1], wide / FRAME[0], tall / FRAME[1]])
    labels = np.array(rows, np.float32)
    return LabelledPicture(Path("frame.webp"), CCTV_SOURCE, "7", "train", labels)


def test_riders_along_the_road_give_horizon_and_camera_height() -> None:
    street = street_of("7", [frame_with_riders([120, 150, 180, 220, 260, 300, 340])])
    assert street is not None
    assert street.horizon_row == pytest.approx(HORIZON, abs=2)
    assert street.camera_height_m == pytest.approx(HEIGHT_M, rel=0.05)


def test_a_metre_grows_linearly_below_the_horizon() -> None:
    street = street_of("7", [frame_with_riders([120, 150, 180, 220, 260, 300, 340])])
    assert street is not None
    assert street.px_per_metre(HORIZON + 200) == pytest.approx(
        2 * street.px_per_metre(HORIZON + 100), rel=0.05
    )


def test_a_street_without_vehicles_is_unknown() -> None:
    empty = LabelledPicture(Path("x"), CCTV_SOURCE, "7", "train", np.zeros((0, 5), np.float32))
    assert street_of("7", [empty]) is None
