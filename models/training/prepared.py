"""What training reads: JPEG files and one index of labels, unsure places and class weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from models.training.detector import Picture
from models.training.errors import DataError
from models.training.pictures import Rows

Kind = Literal["picture", "frame", "look", "tile", "rendered"]


@dataclass(frozen=True)
class Item:
    """One training picture. ``weights``: how much unmarked places count against each class."""

    file: str
    kind: Kind
    source: str
    labels: Rows  # [n, 5] class, xyxy in pixels of the file
    unsure: Rows  # [n, 5]
    weights: npt.NDArray[np.float32]  # [9]
    repeat: float


class Prepared:
    """Folders of prepared items, one after the other, their JPEG bytes held in memory."""

    def __init__(self, *folders: Path) -> None:
        indices = [(folder, self.index(folder)) for folder in folders]
        self.items = [item for _, items in indices for item in items]
        self._bytes = [
            np.fromfile(f / item.file, np.uint8) for f, items in indices for item in items
        ]

    @staticmethod
    def index(folder: Path) -> list[Item]:
        """Read the index alone; DataError where nothing is prepared."""
        index = folder / "index.json"
        if not index.is_file():
            raise DataError(f"nothing prepared in {folder}: run 'prepare' first")
        return [_from_json(entry) for entry in json.loads(index.read_text("utf-8"))]

    def picture(self, number: int, *, half: bool = False) -> Picture:
        """Decode one picture (BGR), at half size where asked (cheaper)."""
        flag = cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR
        return np.asarray(cv2.imdecode(self._bytes[number], flag), np.uint8)


def write_index(folder: Path, items: list[Item]) -> None:
    """Write the index whole or not at all."""
    part = folder / "index.part"
    part.write_text(json.dumps([_to_json(item) for item in items]), "utf-8")
    part.replace(folder / "index.json")


def _to_json(item: Item) -> dict[str, object]:
    entry = asdict(item)
    for name in ("labels", "unsure", "weights"):
        entry[name] = np.round(entry[name], 2).tolist()
    return entry


def _from_json(entry: dict[str, object]) -> Item:
    arrays = {n: np.asarray(entry[n], np.float32).reshape(-1, 5) for n in ("labels", "unsure")}
    weights = np.asarray(entry["weights"], np.float32)
    return Item(**{**entry, **arrays, "weights": weights})  # type: ignore[arg-type]
