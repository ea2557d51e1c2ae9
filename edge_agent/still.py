"""A camera's present picture, masked: what probe and calibrate show and write."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from edge_agent.camera import Source
from edge_agent.config import CameraConfig
from edge_agent.detector import Detector
from edge_agent.errors import ConfigError
from edge_agent.evidence import snapshot
from edge_agent.frames import ArrayPicture, Picture
from edge_agent.masking import MaskedPicture
from edge_agent.video import first_picture
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


def camera_still(
    path: Path, config: CameraConfig, model: Path, file: Path | None = None
) -> Callable[[], bytes]:
    """Return what takes a masked picture of a camera, or of a picture file, whenever it is called.

    Raises ModelError; what is returned raises CameraError and ConfigError.
    """
    mask: MaskPicture = masker(model) if config.privacy.mask else _as_it_is

    def take() -> bytes:
        picture = _picture_of(path, config) if file is None else _read(file)
        return still_jpeg(mask(picture), datetime.now(UTC))

    return take


def _as_it_is(picture: Picture) -> MaskedPicture:
    return MaskedPicture.as_it_is(picture.rgb(picture.width, picture.height))


def _picture_of(path: Path, config: CameraConfig) -> Picture:
    source = Source.of(path, config)
    return first_picture(source.url(), source.shown, source.stream.transport)[1]


def _read(file: Path) -> Picture:
    bgr = cv2.imread(str(file)) if file.is_file() else None
    if bgr is None:
        raise ConfigError(f"图片无法读取。 {file}: is no picture that can be read")
    return ArrayPicture(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))
