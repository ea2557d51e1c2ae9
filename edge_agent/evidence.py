"""Stills and clips of an issue as they travel: encoded, named by their hash, marked with words.

Only a `MaskedPicture` becomes a still or a frame of a clip: what the masker did not see is not
written.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from contract.catalogue import Category
from contract.messages import BoxXyxyn, EvidenceRef, ShownMoment
from edge_agent.errors import VideoUnreadable
from edge_agent.frames import Rgb
from edge_agent.masking import MaskedPicture
from edge_agent.store import Evidence

JPEG_QUALITY = 88
CLIP_MEDIA_TYPE = "video/mp4"
MARK_RGB = (255, 210, 0)
EDGE_RGB = (0, 0, 0)
TEXT_RGB = (255, 255, 255)
# Text and lines grow with the picture: legible on a page at 360p and at 4K.
LINE_SHARE = 1 / 300
BAND_SHARE = 1 / 22
# OpenCV 5 carries this font (WenQuanYi Micro Hei, Apache 2.0) inside: Chinese without a font file.
FONT = "uni"

Kind = Literal["still", "still_marked", "clip"]


@dataclass(frozen=True, slots=True)
class Caption:
    """What is burnt into a marked still, and what its evidence says of itself.

    `captured_at` is the moment of the picture, `moment` the report that it belongs to.
    """

    box_xyxyn: BoxXyxyn
    category: Category
    camera: str
    captured_at: datetime
    timezone: str
    moment: ShownMoment
    cell: str | None = None

    @property
    def line(self) -> str:
        """One line of text: category, camera, local time with its offset, cell."""
        local = self.captured_at.astimezone(ZoneInfo(self.timezone))
        gone = "已消失 gone · " if self.moment == "cleared" else ""
        parts = [
            f"{gone}{self.category.name_zh} {self.category.value}",
            self.camera,
            local.isoformat(sep=" ", timespec="seconds"),
        ]
        return "   ".join([*parts, f"网格 {self.cell}"] if self.cell else parts)


def stills(picture: MaskedPicture, caption: Caption) -> tuple[Evidence, Evidence]:
    """Make the plain still and the marked one, as JPEG."""
    plain, marked = _jpeg(picture.array), _jpeg(_marked(picture.array, caption))
    return (
        evidence_of(plain, "still", "image/jpeg", caption.moment, caption.captured_at),
        evidence_of(marked, "still_marked", "image/jpeg", caption.moment, caption.captured_at),
    )


def snapshot(picture: MaskedPicture, captured_at: datetime) -> Evidence:
    """Make a plain still that belongs to no report: somebody asked for it."""
    return evidence_of(_jpeg(picture.array), "still", "image/jpeg", None, captured_at)


def evidence_of(
    data: bytes, kind: Kind, media_type: str, moment: ShownMoment | None, captured_at: datetime
) -> Evidence:
    """Name bytes by their SHA-256, with what a report says of them."""
    ref = EvidenceRef(
        sha256=hashlib.sha256(data).hexdigest(),
        kind=kind,
        media_type=media_type,
        bytes=len(data),
        moment=moment,
        captured_at=captured_at,
    )
    return Evidence(ref, data)


def _jpeg(rgb: Rgb) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise VideoUnreadable(f"a picture of {rgb.shape} could not be written as JPEG")
    return bytes(encoded.tobytes())


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
    font = cv2.FontFace(FONT)
    size = max(6, round(band * 0.55))
    _, _, wide, _ = cv2.getTextSize((0, 0), text, (0, 0), font, size)
    room = canvas.shape[1] - 2 * origin[0]
    if wide > room:
        size = max(1, int(size * room / wide))
    cv2.putText(canvas, text, origin, TEXT_RGB, font, size)
