"""Masked stills of an issue: plain, and marked with box, time, camera and cell.

Only a `MaskedPicture` can become a still, and only a look with its detections becomes one: what
the masker did not see is not written.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from contract.messages import BoxXyxyn, EvidenceRef
from edge_agent.detections import Detections
from edge_agent.errors import VideoUnreadable
from edge_agent.frames import Picture, Rgb
from edge_agent.looks import Look
from edge_agent.masking import MaskRegions
from edge_agent.store import Evidence

DetectClosely = Callable[[Picture, tuple[int, int]], Detections]

MASK_TILES = (2, 2)
JPEG_QUALITY = 88
MARK_RGB = (255, 210, 0)
EDGE_RGB = (0, 0, 0)
# Text and lines grow with the picture: legible on a page at 360p and at 4K.
LINE_SHARE = 1 / 300
BAND_SHARE = 1 / 22


@dataclass(frozen=True, slots=True, eq=False)
class MaskedPicture:
    """A whole picture, RGB [H, W, 3], on which the masker ran."""

    array: Rgb


@dataclass(frozen=True, slots=True)
class Caption:
    """What is burnt into a marked still. ASCII: OpenCV's fonts have no Chinese characters."""

    box_xyxyn: BoxXyxyn
    category: str
    camera_id: str
    captured_at: datetime
    timezone: str
    cell: str | None = None

    @property
    def line(self) -> str:
        """One line of text: category, camera, local time with its offset, cell."""
        local = self.captured_at.astimezone(ZoneInfo(self.timezone))
        parts = [self.category, self.camera_id, local.isoformat(sep=" ", timespec="seconds")]
        return "  ".join([*parts, self.cell] if self.cell else parts)


def masked(
    look: Look, recent: tuple[Detections, ...], closely: DetectClosely, *, mask: bool = True
) -> MaskedPicture:
    """Take the look's picture in full size and mask what it and the `recent` looks found.

    `recent` are those of the second before: heads and plates that this look missed stay covered.
    Small heads need pixels, so `closely` looks once more, in tiles. `mask` is false only where
    the camera file says so, for test images.
    """
    picture = look.frame.picture
    rgb = picture.rgb(picture.width, picture.height)
    if not mask:
        return MaskedPicture(rgb)
    looks = (*recent, look.detections, closely(picture, MASK_TILES))
    return MaskedPicture(MaskRegions.of(looks, (picture.width, picture.height)).applied(rgb))


def stills(picture: MaskedPicture, caption: Caption) -> tuple[Evidence, Evidence]:
    """Make the plain still and the marked one, as JPEG."""
    return (
        _still(picture.array, "still"),
        _still(_marked(picture.array, caption), "still_marked"),
    )


def _still(rgb: Rgb, kind: Literal["still", "still_marked"]) -> Evidence:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise VideoUnreadable(f"a picture of {rgb.shape} could not be written as JPEG")
    data = encoded.tobytes()
    sha256 = hashlib.sha256(data).hexdigest()
    ref = EvidenceRef(sha256=sha256, kind=kind, media_type="image/jpeg", bytes=len(data))
    return Evidence(ref, data)


def _marked(rgb: Rgb, caption: Caption) -> Rgb:
    """Draw the box and, below the picture so that nothing is hidden, a band with the text."""
    height, width = rgb.shape[:2]
    band = max(16, round(height * BAND_SHARE))
    canvas = np.zeros((height + band, width, 3), np.uint8)
    canvas[:height] = rgb
    line = max(2, round(height * LINE_SHARE))
    x1, y1, x2, y2 = caption.box_xyxyn
    corners = (round(x1 * width), round(y1 * height)), (round(x2 * width), round(y2 * height))
    cv2.rectangle(canvas, *corners, EDGE_RGB, 3 * line)
    cv2.rectangle(canvas, *corners, MARK_RGB, line)
    _write(canvas, caption.line, (band // 3, height + band - band // 3), band)
    return canvas


def _write(canvas: Rgb, text: str, origin: tuple[int, int], band: int) -> None:
    """Write as large as the band allows, and never wider than the picture."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = cv2.getFontScaleFromHeight(font, max(6, band // 2))
    (wide, _), _ = cv2.getTextSize(text, font, scale, 1)
    scale *= min(1.0, (canvas.shape[1] - 2 * origin[0]) / wide)
    thickness = max(1, round(scale * 1.6))
    cv2.putText(canvas, text, origin, font, scale, (255, 255, 255), thickness, cv2.LINE_AA)
