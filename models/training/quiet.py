"""False alarms on quiet streets: every box from ``raise`` on where no problem is marked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from models.training.classes import CLASSES, PROBLEMS, STREET_VENDOR
from models.training.detector import Picture
from models.training.metrics import Judged
from models.training.pictures import LabelledPicture
from models.training.plots import Mark, draw_sheet

SHEET_MAX = 80
Thresholds = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class QuietHit:
    """A problem found in a street-camera frame that shows no marked one; box in its pixels.

    ``tiled``: found in tiles, in which agents look for all but vendors.
    """

    camera: str
    frame: str
    class_name: str
    score: float
    box_xyxy: tuple[float, float, float, float]
    tiled: bool = False

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def quiet_hits(
    judged: Iterable[Judged],
    camera_of: Mapping[str, str],
    thresholds: Thresholds,
    tiled: Iterable[Judged] = (),
) -> list[QuietHit]:
    """List the problem boxes at or above ``raise``, best first: those of whole looks and of tiled.

    Vendors in tiles are left out, for no agent looks for them so unless it is told to.
    """
    hits = [
        QuietHit(
            camera_of[one.name], one.name, name, round(float(row[4]), 3), _box(row), tiled=in_tiles
        )
        for looks, in_tiles in ((judged, False), (tiled, True))
        for one in looks
        for row in one.found
        if int(row[5]) in PROBLEMS and not (in_tiles and int(row[5]) == STREET_VENDOR)
        if row[4] >= thresholds[name := CLASSES[int(row[5])]]["raise"]
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.frame))


def _box(row: Iterable[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2, *_ = (round(float(v), 1) for v in row)
    return x1, y1, x2, y2


def count_by_class(hits: Iterable[QuietHit]) -> dict[str, int]:
    """Return how many hits each problem class has, also where it is none."""
    counts = {CLASSES[c]: 0 for c in PROBLEMS}
    for hit in hits:
        counts[hit.class_name] += 1
    return counts


def readers(pictures: Iterable[LabelledPicture]) -> dict[str, Callable[[], Picture]]:
    """Return by name how each picture is read."""
    return {p.name: p.read for p in pictures}


def draw_quiet_hits(
    hits: list[QuietHit], read: Mapping[str, Callable[[], Picture]], path: Path
) -> None:
    """Write a contact sheet of the hits, best first."""
    marks = [
        Mark(
            read[hit.frame],
            hit.box_xyxy,
            f"{hit.score:.2f} {hit.class_name} cam {hit.camera}",
        )
        for hit in hits[:SHEET_MAX]
    ]
    draw_sheet(marks, path)
