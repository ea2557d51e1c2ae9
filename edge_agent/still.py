"""A camera's present picture, masked: what probe and calibrate show and write."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge_agent.detector import Detector
from edge_agent.evidence import snapshot
from edge_agent.frames import Picture
from edge_agent.masking import MaskedPicture
from edge_agent.witness import MASK_TILES

MaskPicture = Callable[[Picture], MaskedPicture]


def masker(model: Path) -> MaskPicture:
    """Mask heads and plates with this model. Raises ModelError when it cannot be loaded."""
    detector = Detector(model, threads=0)

    def mask(picture: Picture) -> MaskedPicture:
        found = detector.detect(picture, MASK_TILES)
        return MaskedPicture.of(picture.rgb(picture.width, picture.height), (found,))

    return mask


def still_jpeg(picture: MaskedPicture, at: datetime) -> bytes:
    """A masked picture as JPEG."""
    return snapshot(picture, at).data
