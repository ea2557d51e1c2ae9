"""Objects cut out of pictures, to be placed into street scenes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track

from models.training.boxes import areas, covered
from models.training.classes import (
    ANY_CLASS,
    BIN_OVERFLOW,
    COVERS,
    EXPOSED_GARBAGE,
    GARBAGE_BIN,
    STREET_VENDOR,
)
from models.training.detector import Picture
from models.training.pictures import LabelledPicture, Rows
from models.training.pseudo import Found

STANDING = (STREET_VENDOR, GARBAGE_BIN, BIN_OVERFLOW, EXPOSED_GARBAGE)
WORK_PX = 180
SIDE_MIN_PX = 48
COVER_RING = 0.18  # context kept around a cover, as a share of its box
FILL_RANGE = (0.38, 0.97)
Mask = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cutout:
    """An object with its soft mask. ``class_index`` is -1 for what is no class of ours."""

    class_index: int
    origin: str  # name of the picture it came from
    bgra: npt.NDArray[np.uint8]  # [h, w, 4]
    box_xyxyn: tuple[float, float, float, float]  # the object's box inside the cut-out
    ring_mean: float  # mean grey of the ground around it; 0 where unknown

    @property
    def aspect(self) -> float:
        """Width of the object over its height."""
        x1, y1, x2, y2 = self.box_xyxyn
        h, w = self.bgra.shape[:2]
        return float((x2 - x1) * w / max((y2 - y1) * h, 1.0))


def _crop(
    picture: Picture, box: npt.NDArray[np.float32], margin: float
) -> tuple[Picture, npt.NDArray[np.int32]]:
    """Cut the box plus a margin (share of its sides); return it with the box inside it."""
    h, w = picture.shape[:2]
    mx, my = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    x1, y1 = int(max(box[0] - mx, 0)), int(max(box[1] - my, 0))
    x2, y2 = int(min(box[2] + mx, w)), int(min(box[3] + my, h))
    inner = np.array([box[0] - x1, box[1] - y1, box[2] - x1, box[3] - y1], np.int32)
    return picture[y1:y2, x1:x2], inner


def _rounded_box(crop: Picture, inner: npt.NDArray[np.int32]) -> Mask:
    """Return a soft mask [h, w] of the box with rounded corners: for rare classes."""
    h, w = crop.shape[:2]
    rx, ry = max((inner[2] - inner[0]) / 2, 1), max((inner[3] - inner[1]) / 2, 1)
    ys, xs = np.mgrid[:h, :w]
    radius = np.abs((xs - inner[0] - rx) / rx) ** 5 + np.abs((ys - inner[1] - ry) / ry) ** 5
    return np.asarray(np.clip((1.0 - radius) * 8, 0, 1), np.float32)


def _foreground(crop: Picture, inner: npt.NDArray[np.int32]) -> Mask | None:
    """Return GrabCut's soft mask [h, w] of the object inside ``inner``; None where it fails."""
    h, w = crop.shape[:2]
    scale = min(1.0, WORK_PX / max(h, w))
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x1, y1, x2, y2 = (inner * scale).astype(int)
    rect = (
        max(x1, 1),
        max(y1, 1),
        min(x2, small.shape[1] - 1) - max(x1, 1),
        min(y2, small.shape[0] - 1) - max(y1, 1),
    )
    if min(rect[2:]) < 12:
        return None
    marks = np.zeros(small.shape[:2], np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, marks, rect, *models, 3, cv2.GC_INIT_WITH_RECT)
    solid = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    closed = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return None
    keep = [
        i
        for i in range(1, count)
        if stats[i, cv2.CC_STAT_AREA] > 0.15 * stats[1:, cv2.CC_STAT_AREA].max()
    ]
    soft = np.isin(parts, keep).astype(np.float32)
    fill = soft.sum() / (rect[2] * rect[3])
    if not FILL_RANGE[0] < fill < FILL_RANGE[1]:
        return None
    large = cv2.resize(soft, (w, h), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(large, (0, 0), max(0.7, 0.006 * max(h, w))), np.float32)


def cut_standing(
    picture: Picture, row: npt.NDArray[np.float32], class_index: int, origin: str
) -> Cutout | None:
    """Cut a standing object out along its outline; None where no clean outline is found."""
    crop, inner = _crop(picture, row[1:], 0.12)
    mask = _foreground(crop, inner)
    if mask is None and class_index == STREET_VENDOR:
        mask = _rounded_box(crop, inner)
    if mask is None:
        return None
    ys, xs = np.nonzero(mask > 0.5)
    x1, x2, y1, y2 = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
    if x2 - x1 < 0.7 * (inner[2] - inner[0]) or y2 - y1 < 0.7 * (inner[3] - inner[1]):
        return None
    h, w = mask.shape
    bgra = np.dstack([crop, (mask * 255).astype(np.uint8)])
    return Cutout(class_index, origin, bgra, (x1 / w, y1 / h, x2 / w, y2 / h), 0.0)


def _ellipse(h: int, w: int, inner: npt.NDArray[np.int32], feather: float) -> Mask:
    """Return a mask: 1 inside the ellipse of ``inner``, fading over ``feather`` of its radius."""
    cx, cy = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    rx, ry = max((inner[2] - inner[0]) / 2, 1), max((inner[3] - inner[1]) / 2, 1)
    ys, xs = np.mgrid[:h, :w]
    radius = np.hypot((xs - cx) / rx, (ys - cy) / ry)
    return np.asarray(np.clip(1 - (radius - 1.0) / feather, 0, 1), np.float32)


def cut_cover(picture: Picture, row: npt.NDArray[np.float32], origin: str) -> Cutout:
    """Cut a cover out as an ellipse that fades into a little of the ground around it."""
    crop, inner = _crop(picture, row[1:], COVER_RING)
    h, w = crop.shape[:2]
    core = _ellipse(h, w, inner, 0.01)
    ring = crop[core < 0.5]
    ring_mean = float(ring.mean()) if len(ring) else 0.0
    studio = (
        ring_mean > 190 or ring_mean == 0.0
    )  # white paper or no ground at all: fade out at once
    bgra = np.dstack(
        [crop, (_ellipse(h, w, inner, 0.04 if studio else 0.22) * 255).astype(np.uint8)]
    )
    box = (inner[0] / w, inner[1] / h, inner[2] / w, inner[3] / h)
    return Cutout(int(row[0]), origin, bgra, box, 0.0 if studio else ring_mean)


def _usable(rows: Rows, width: int, height: int) -> list[int]:
    """Return the indices of objects that are large, whole and not covered by another."""
    sides = np.minimum(rows[:, 3] - rows[:, 1], rows[:, 4] - rows[:, 2])
    edges = np.stack(
        [rows[:, 1] < 2, rows[:, 2] < 2, rows[:, 3] > width - 2, rows[:, 4] > height - 2]
    )
    vendor = rows[:, 0] == STREET_VENDOR
    inside = edges.sum(axis=0) <= vendor  # carts are few: one may touch one edge
    overlap = covered(rows[:, 1:], rows[:, 1:]) * (1 - np.eye(len(rows), dtype=np.float32))
    alone = overlap.max(axis=1, initial=0) < np.where(vendor, 0.45, 0.25)
    is_cover = np.isin(rows[:, 0], COVERS)
    wanted = np.isin(rows[:, 0], (*STANDING, *COVERS)) & (
        sides >= np.where(is_cover, 30, SIDE_MIN_PX)
    )
    return np.flatnonzero(wanted & (is_cover | (inside & alone))).tolist()


def cutouts_of(item: LabelledPicture, found: Found | None) -> Iterator[Cutout]:
    """Yield every clean cut-out of a picture, animals among them as class -1."""
    picture = item.read()
    h, w = picture.shape[:2]
    rows = item.rows(w, h)
    for i in _usable(rows, w, h):
        if rows[i, 0] in COVERS:
            yield cut_cover(picture, rows[i], item.name)
            continue
        one = cut_standing(picture, rows[i], int(rows[i, 0]), item.name)
        if one:
            yield one
    animals = found.animals if found is not None else rows[:0]
    for row in animals[areas(animals[:, 1:]) > 4000]:
        one = cut_standing(picture, row, ANY_CLASS, item.name)
        if one:
            yield one


def _save(cutout: Cutout, path: Path) -> None:
    numbers = [cutout.class_index, *cutout.box_xyxyn, cutout.ring_mean]
    path.with_suffix(".txt").write_text(" ".join(f"{v:.5f}" for v in numbers), "utf-8")
    cv2.imwrite(str(path), cutout.bgra)


def _load(path: Path) -> Cutout:
    class_index, x1, y1, x2, y2, ring = map(
        float, path.with_suffix(".txt").read_text("utf-8").split()
    )
    bgra = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)
    return Cutout(int(class_index), path.name.rsplit("@", 1)[0], bgra, (x1, y1, x2, y2), ring)


def gather_cutouts(
    pictures: list[LabelledPicture], found: dict[str, Found], per_class_max: int, folder: Path
) -> list[Cutout]:
    """Cut at most ``per_class_max`` objects a class into ``folder``, once; read them."""
    done = folder / "done"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        counts: dict[int, int] = {}
        for item in track([p for p in pictures if not p.is_cctv], "cut-outs"):
            classes = {int(c) for c in item.labels_xywhn[:, 0]} or {ANY_CLASS}
            if all(counts.get(c, 0) >= per_class_max for c in classes):
                continue
            for i, one in enumerate(cutouts_of(item, found.get(item.name))):
                counts[one.class_index] = counts.get(one.class_index, 0) + 1
                _save(one, folder / f"{item.name}@{i}.png")
        done.touch()
    return [_load(p) for p in sorted(folder.glob("*.png"))]
