"""A frame of a camera, and pictures that can be had at any size."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from contract.messages import CameraState
from edge_agent.clock import Instant

# Each camera and each lane of the engine has a thread of its own; OpenCV's pool would take their
# cores for pictures that one thread converts in a tenth of a millisecond.
cv2.setNumThreads(1)

Rgb = NDArray[np.uint8]
Luma = NDArray[np.uint8]


class Picture(Protocol):
    """A decoded picture that can be had at any size; scaling is the decoder's business."""

    @property
    def width(self) -> int:
        """Width in pixels."""
        ...

    @property
    def height(self) -> int:
        """Height in pixels."""
        ...

    def rgb(self, width: int, height: int) -> Rgb:
        """Return the picture as uint8 RGB [height, width, 3], scaled to that size."""
        ...

    def luma(self, width: int, height: int) -> Luma:
        """Return its brightness as uint8 [height, width], scaled quickly: for comparing pictures.

        Lines are skipped rather than averaged (40 µs from 1080p to 320×180); one camera's pictures
        are scaled alike, so what stands still stays still.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPicture:
    """A picture that is already an RGB array [height, width, 3]."""

    array: Rgb

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.array.shape[2] != 3 or self.array.dtype != np.uint8:
            raise ValueError(
                f"picture is {self.array.dtype} {self.array.shape}; uint8 [H, W, 3] was expected"
            )

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.array.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.array.shape[0])

    def rgb(self, width: int, height: int) -> Rgb:
        """Return the picture scaled, by area when it shrinks so that nothing aliases."""
        if (width, height) == (self.width, self.height):
            return self.array
        shrinks = width < self.width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(self.array, (width, height), interpolation=how), np.uint8)

    def luma(self, width: int, height: int) -> Luma:
        """Return its brightness, see `Picture.luma`."""
        small = cv2.resize(self.array, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


@dataclass(frozen=True, slots=True)
class View:
    """What a camera shows: whether it is well (`state`, since when, why), and where it looks.

    `suspended` tells why nothing may be concluded from this picture; it comes seconds before an
    alarm changes `state`, and goes seconds after. `preset_id` is the preset of a turning camera.
    """

    state: CameraState
    since: Instant
    detail: str = ""
    suspended: str | None = None
    preset_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera; `at` is the moment its packet arrived.

    `view` is what the camera's health watch made of it; None where nobody watched.
    """

    camera_id: str
    at: Instant
    picture: Picture
    clip_s: float | None = None
    view: View | None = None
