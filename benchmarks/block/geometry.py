"""Cameras of the block: from metres in the street to pixels and back, and to longitude, latitude.

The street's own axes: x along it, y across it to the left, z up from the carriageway, in metres.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from edge_agent.place import LocalPlane

Array = NDArray[np.float64]
# What lies nearer before the camera than this is not in the picture.
NEAR_M = 0.3


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera; `heading_deg` runs anticlockwise from x, `down_deg` below the horizon."""

    at: tuple[float, float, float]
    heading_deg: float
    down_deg: float
    focal_px: float
    width: int = 1280
    height: int = 720

    def axes(self) -> Array:
        """Right, up and forward as rows [3, 3]."""
        h, d = radians(self.heading_deg), radians(self.down_deg)
        forward = np.array([cos(h) * cos(d), sin(h) * cos(d), -sin(d)])
        right = np.array([sin(h), -cos(h), 0.0])
        return np.array([right, np.cross(right, forward), forward])

    def depth_m(self, points: Array) -> Array:
        """How far before the camera points [N, 3] lie, along its axis."""
        found: Array = (np.asarray(points, np.float64) - self.at) @ self.axes()[2]
        return found

    def project(self, points: Array) -> Array:
        """Pixels [N, 2] of points [N, 3] before the camera."""
        local = (np.asarray(points, np.float64) - self.at) @ self.axes().T
        forward = np.maximum(local[:, 2], NEAR_M)
        x = self.width / 2 + self.focal_px * local[:, 0] / forward
        y = self.height / 2 - self.focal_px * local[:, 1] / forward
        return np.stack([x, y], axis=1)

    def ground_homography(self) -> Array:
        """Pixels to metres on the carriageway (z = 0), [3, 3], as homogeneous coordinates."""
        right, up, forward = self.axes()
        f, cx, cy = self.focal_px, self.width / 2, self.height / 2
        to_pixels = np.array([[f, 0, cx], [0, -f, cy], [0, 0, 1]]) @ np.array([right, up, forward])
        plane = np.stack([to_pixels[:, 0], to_pixels[:, 1], -to_pixels @ np.array(self.at)], axis=1)
        inverse = np.linalg.inv(plane)
        return np.asarray(inverse / inverse[2, 2], np.float64)

    def ground(self, pixels: Array) -> Array:
        """Metres [N, 2] on the carriageway of pixels [N, 2] below the horizon."""
        points = np.column_stack([np.asarray(pixels, np.float64), np.ones(len(pixels))])
        ground = points @ self.ground_homography().T
        return np.asarray(ground[:, :2] / ground[:, 2:], np.float64)

    def turned(self, heading_deg: float, down_deg: float) -> "Camera":
        """The same camera after it turned or was knocked by so many degrees."""
        return Camera(
            self.at, self.heading_deg + heading_deg, self.down_deg + down_deg, self.focal_px,
            self.width, self.height,
        )  # fmt: skip

    def seen_from(self, other: "Camera") -> Array:
        """The homography from pixels of this camera to those of `other` at the same spot."""
        turn = other.axes() @ self.axes().T
        mapped: Array = other.intrinsic() @ turn @ np.linalg.inv(self.intrinsic())
        return mapped

    def intrinsic(self) -> Array:
        """From metres right, up and forward to homogeneous pixels, [3, 3]."""
        return np.array(
            [[self.focal_px, 0, self.width / 2], [0, -self.focal_px, self.height / 2], [0, 0, 1]]
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the street's origin lies, and how far its x axis is turned from east, anticlockwise."""

    lon: float
    lat: float
    heading_deg: float

    def lonlat(self, xy: Array) -> Array:
        """Degrees [N, 2] (CGCS2000) of points [N, 2] of the street."""
        c, s = cos(radians(self.heading_deg)), sin(radians(self.heading_deg))
        east_north = np.asarray(xy, np.float64) @ np.array([[c, s], [-s, c]])
        return LocalPlane(self.lon, self.lat).to_lonlat(east_north)
