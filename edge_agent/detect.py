"""Still pictures through the shipped detector, written as COCO results."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edge_agent.detections import Detections
from edge_agent.errors import ConfigError
from edge_agent.frames import ArrayPicture, Picture

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


class PictureDetector(Protocol):
    """What finds things in a picture: a `Detector`."""

    def detect(self, picture: Picture, /) -> Detections:
        """Detect, boxes as fractions of the picture."""
        ...


def detect_images(sources: Sequence[Path], detector: PictureDetector, out: Path) -> int:
    """Detect in every picture that `sources` name and write `out`; returns how many pictures.

    Raises ConfigError for a source that is missing, empty or not a picture; `out` is written
    only when all could be read.
    """
    results: list[dict[str, object]] = []
    count = 0
    for path in _pictures(sources):
        picture = read_picture(path)
        results.extend(coco_results(path.name, picture, detector.detect(picture)))
        count += 1
    try:
        out.write_text(json.dumps(results), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written ({error.strerror})") from None
    return count


def read_picture(path: Path) -> ArrayPicture:
    """Read a picture file. Raises ConfigError when it is not one."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise ConfigError(f"{path}: is not a picture that can be read")
    return ArrayPicture(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))


def coco_results(
    image_id: str, picture: ArrayPicture, found: Detections
) -> Iterator[dict[str, object]]:
    """Write detections in COCO's results format: `bbox` is x, y, w, h in pixels."""
    size = np.array([picture.width, picture.height] * 2, np.float32)
    for box, score, index in zip(found.xyxyn * size, found.scores, found.classes, strict=True):
        x1, y1, x2, y2 = (round(float(value), 2) for value in box)
        yield {
            "image_id": image_id,
            "category_id": int(index),
            "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
            "score": round(float(score), 5),
        }


def _pictures(sources: Sequence[Path]) -> Iterator[Path]:
    for source in sources:
        if not source.is_dir():
            yield source
            continue
        inside = sorted(p for p in source.iterdir() if p.suffix.lower() in SUFFIXES)
        if not inside:
            raise ConfigError(f"{source}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
        yield from inside
