"""What a fixed camera's frames tell about its street: scale by row, and where the road is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.training.classes import VEHICLE
from models.training.pictures import LabelledPicture
from models.training.pseudo import CCTV_FRAME

FRAME = CCTV_FRAME  # width, height to which all rows and columns here refer
RIDER_HEIGHT_M = 1.7  # motorcycle with rider, ground to helmet
CAR_HEIGHT_M = 1.6
PORTRAIT = 1.15  # height over width above which a vehicle box is a rider seen along the road
FOCAL_PX = 560.0  # of a lens with 60 degrees across 640 pixels
CAMERA_HEIGHT_M = (3.0, 15.0)
DEFAULT_HEIGHT_M = 6.5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Street:
    """A flat street below a camera: size of a metre by row, and points where vehicles stood."""

    camera: str
    horizon_row: float
    camera_height_m: float
    road_points: Floats  # [n, 2] column, row of vehicles' feet

    def px_per_metre(self, row: float) -> float:
        """Return how many pixels a metre across takes at the given row of a 640 x 360 frame."""
        return max(row - self.horizon_row, 1.0) / self.camera_height_m

    def squash(self, row: float) -> float:
        """Return how flat a circle on the ground looks at a row (height over width)."""
        return float(np.clip((row - self.horizon_row) / FOCAL_PX, 0.22, 0.75))


def _fit(feet: Floats, heights: Floats, true_height_m: float) -> tuple[float, float]:
    """Return horizon row and camera height from standing objects' feet rows and pixel heights.

    Height in pixels grows linearly below the horizon; the slope is the object's height over the
    camera's. Slope by Theil-Sen; where it is not plausible, by the default camera height.
    """
    low, high = true_height_m / CAMERA_HEIGHT_M[1], true_height_m / CAMERA_HEIGHT_M[0]
    i, j = np.triu_indices(len(feet), 1)
    far = np.abs(feet[i] - feet[j]) > 25
    slope = np.nan
    if far.sum() >= 10:
        slope = float(np.median((heights[i] - heights[j])[far] / (feet[i] - feet[j])[far]))
    if not low <= slope <= high:
        slope = true_height_m / DEFAULT_HEIGHT_M
    horizon = float(np.median(feet - heights / slope))
    return horizon, true_height_m / slope


def street_of(camera: str, pictures: list[LabelledPicture]) -> Street | None:
    """Fit one camera's street from its labelled vehicles; None where too few are marked."""
    rows = np.concatenate([p.rows(*FRAME) for p in pictures]).astype(np.float64)
    rows = rows[(rows[:, 0] == VEHICLE) & (rows[:, 4] < FRAME[1] - 3) & (rows[:, 2] > 3)]
    if len(rows) > 600:
        rows = rows[:: len(rows) // 600 + 1]
    width, height = rows[:, 3] - rows[:, 1], rows[:, 4] - rows[:, 2]
    riders = (height > PORTRAIT * width) & (height > 10)
    use, true_height = (
        (riders, RIDER_HEIGHT_M) if riders.sum() >= 4 else (height > 10, CAR_HEIGHT_M)
    )
    if use.sum() < 3:
        return None
    horizon, camera_height = _fit(rows[use, 4], height[use], true_height)
    feet = np.stack([(rows[:, 1] + rows[:, 3]) / 2, rows[:, 4]], axis=1)
    return Street(camera, horizon, camera_height, feet)


def streets(pictures: list[LabelledPicture]) -> dict[str, Street]:
    """Fit every camera that has enough marked vehicles."""
    by_camera: dict[str, list[LabelledPicture]] = {}
    for p in pictures:
        if p.is_cctv:
            by_camera.setdefault(p.camera, []).append(p)
    fitted = ((c, street_of(c, ps)) for c, ps in by_camera.items())
    return {c: s for c, s in fitted if s is not None}
