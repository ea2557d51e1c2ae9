"""Labelled pictures as the shared data set holds them: a manifest, pictures, YOLO labels."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.training.classes import CLASSES
from models.training.detector import Picture
from models.training.errors import DataError

Rows = npt.NDArray[np.float32]  # [n, 5]: class, x1, y1, x2, y2 in pixels
CCTV_SOURCE = "vn_cctv_traffic"


@dataclass(frozen=True)
class LabelledPicture:
    """One picture on disk with its hand-made labels."""

    path: Path
    source: str
    camera: str
    split: str
    labels_xywhn: Rows = field(
        repr=False
    )  # [n, 5]: class, centre x, centre y, width, height as fractions

    @property
    def name(self) -> str:
        """The file's name, which is also its identity."""
        return self.path.name

    @property
    def is_cctv(self) -> bool:
        """Whether a street camera took it."""
        return self.source == CCTV_SOURCE

    def read(self) -> Picture:
        """Decode to BGR [h, w, 3]; DataError where that fails."""
        picture = cv2.imread(str(self.path))
        if picture is None:
            msg = f"cannot decode {self.path}"
            raise DataError(msg)
        return picture.astype(np.uint8)

    def rows(self, width: int, height: int) -> Rows:
        """Return the labels as [n, 5]: class, xyxy in pixels of ``width`` x ``height``."""
        n = self.labels_xywhn
        half_w, half_h = n[:, 3] / 2, n[:, 4] / 2
        out = np.stack(
            [n[:, 0], n[:, 1] - half_w, n[:, 2] - half_h, n[:, 1] + half_w, n[:, 2] + half_h],
            axis=1,
        )
        out[:, [1, 3]] = (out[:, [1, 3]] * width).clip(0, width)
        out[:, [2, 4]] = (out[:, [2, 4]] * height).clip(0, height)
        return out.astype(np.float32)


def read_labels(path: Path) -> Rows:
    """Read a YOLO label file as [n, 5]; an absent or empty file is a picture without objects.

    Raises DataError naming file and line for what is no class and box.
    """
    lines = path.read_text("utf-8").split("\n") if path.is_file() else []
    rows = [_label(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return np.asarray(rows, np.float32).reshape(-1, 5)


def _label(path: Path, number: int, line: str) -> list[float]:
    try:
        kind, *box = (float(v) for v in line.split())
    except ValueError:
        kind, box = -1.0, []
    if kind not in range(len(CLASSES)) or len(box) != 4 or not all(0 <= v <= 1 for v in box):
        raise DataError(
            f"{path}, line {number}: {line.strip()!r} is no label; expected 'class x y w h' with a "
            f"class from 0 to {len(CLASSES) - 1} and centre and size as fractions of the picture"
        )
    return [kind, *box]


def some_pictures(data: Path, split: str, sources: list[str]) -> list[LabelledPicture]:
    """Return the split's pictures of the named sources; DataError where there is none."""
    found = list(labelled_pictures(data, split, sources))
    if not found:
        raise DataError(
            f"{data / 'manifest.csv'} names no {split} picture of the recipe's sources "
            f"({', '.join(sources)}): are its columns split,file,source,camera, and is a source's "
            "name there as in the recipe?"
        )
    return found


def labelled_pictures(data: Path, split: str, sources: list[str]) -> Iterator[LabelledPicture]:
    """Yield the split's pictures of the named sources, in the manifest's order."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["split"] == split and row["source"] in sources:
                labels = data / "labels" / split / (Path(row["file"]).stem + ".txt")
                picture = data / "images" / split / row["file"]
                yield LabelledPicture(
                    picture, row["source"], row["camera"], split, read_labels(labels)
                )
