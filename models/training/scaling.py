"""What a cheap way to shrink pictures costs in AP50.

Val pictures (640 x 640) hold fine detail; val-street scenes (1280 x 720) are enlarged frames, so
that only what was placed into them can alias.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from edge_agent.detector import Detector
from models.training.classes import COVERS, VAL_CLASSES
from models.training.detector import Picture
from models.training.judging import STREET_LOOK_CLASSES, WHOLE, judge_pictures, judge_street
from models.training.metrics import ClassScore, evaluate_split
from models.training.pictures import LabelledPicture
from models.training.val_street import StreetScene

Rgb = npt.NDArray[np.uint8]
Scale = Callable[[int, int], Rgb]


def _by_opencv(picture: Picture, method: int) -> Scale:
    rgb = np.ascontiguousarray(picture[:, :, ::-1])
    return lambda w, h: np.asarray(cv2.resize(rgb, (w, h), interpolation=method), np.uint8)


def _by_libswscale(picture: Picture, method: Interpolation) -> Scale:
    """Scale from YUV 4:2:0, as a decoder hands a frame over."""
    frame = av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format="yuv420p")
    scaler = VideoReformatter()
    return lambda w, h: np.asarray(
        scaler.reformat(frame, w, h, "rgb24", interpolation=method, threads=1).to_ndarray(),
        np.uint8,
    )


METHODS: dict[str, Callable[[Picture], Scale]] = {
    "OpenCV area": lambda p: _by_opencv(p, cv2.INTER_AREA),
    "OpenCV bilinear, aliasing": lambda p: _by_opencv(p, cv2.INTER_LINEAR),
    "OpenCV nearest": lambda p: _by_opencv(p, cv2.INTER_NEAREST),
    "libswscale area": lambda p: _by_libswscale(p, Interpolation.AREA),
    "libswscale fast bilinear": lambda p: _by_libswscale(p, Interpolation.FAST_BILINEAR),
    "libswscale nearest": lambda p: _by_libswscale(p, Interpolation.POINT),
}


@dataclass
class ScaledPicture:
    """A picture that is scaled by one method; notes the milliseconds that took."""

    width: int
    height: int
    scale: Scale
    times_ms: list[float] = field(default_factory=list)

    def rgb(self, width: int, height: int) -> Rgb:
        """Return it as RGB at that size."""
        begin = time.perf_counter()
        out = self.scale(width, height)
        self.times_ms.append(1000 * (time.perf_counter() - begin))
        return out


@dataclass(frozen=True)
class Scaled:
    """What one method gives."""

    method: str
    ms: float  # median of one scaling
    val: list[ClassScore]
    street: list[ClassScore]


def compare_scaling(
    detector: Detector, pictures: list[LabelledPicture], scenes: list[StreetScene]
) -> Iterator[Scaled]:
    """Yield what every method gives on val and, in full looks, on val-street."""
    for name, method in METHODS.items():
        times: list[float] = []

        def shrunk(picture: Picture, method: Callable[[Picture], Scale] = method) -> ScaledPicture:
            h, w = picture.shape[:2]
            return ScaledPicture(w, h, method(picture), times)  # noqa: B023 - used in this round only

        val = judge_pictures(detector, pictures, f"val, {name}", shrunk)
        times.clear()  # the time that counts is that of a camera's frame
        street = judge_street(detector, scenes, WHOLE, shrunk)
        yield Scaled(
            name,
            float(np.median(times)),
            evaluate_split("val", val, VAL_CLASSES, 1),
            evaluate_split("val-street", street, [*STREET_LOOK_CLASSES, *COVERS], 1),
        )
