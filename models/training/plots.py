"""Pictures for people: precision-recall curves, training curves, the worst mistakes."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from models.training.boxes import iou
from models.training.classes import CLASSES
from models.training.detector import Picture
from models.training.metrics import ClassScore, Judged

mpl.use("Agg")
from matplotlib import pyplot as plt

TILE_PX = 240
SHEET_COLUMNS, SHEET_ROWS = 8, 5
WRONG, MISSED = (0, 0, 255), (0, 200, 255)


@dataclass(frozen=True)
class Mark:
    """One tile of a contact sheet: a picture (BGR) with one box, xyxy in its pixels."""

    read: Callable[[], Picture]
    box_xyxy: tuple[float, float, float, float]
    caption: str
    colour: tuple[int, int, int] = WRONG


def draw_curves(scores: list[ClassScore], folder: Path) -> None:
    """Write one precision-recall picture a split into ``folder``."""
    for split in sorted({s.split for s in scores}):
        figure, axes = plt.subplots(figsize=(7, 6))
        for s in (x for x in scores if x.split == split):
            hits = np.cumsum(s.at_50.right)
            axes.plot(
                hits / max(s.n, 1),
                hits / np.arange(1, len(hits) + 1),
                label=f"{s.class_name} {s.ap50:.2f} (n={s.n})",
            )
        axes.set(
            xlabel="recall",
            ylabel="precision",
            title=f"{split}, IoU 0.5",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        axes.legend(loc="lower left", fontsize=8)
        figure.savefig(folder / f"pr-{split}.png", dpi=110)
        plt.close(figure)


def draw_log(log: Path, path: Path) -> None:
    """Draw loss and learning rate of a training log."""
    with log.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    steps = [int(r["step"]) for r in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for name in ("loss", "box_loss", "cls_loss"):
        left.plot(steps, [float(r[name]) for r in rows], label=name, linewidth=0.8)
    left.set(xlabel="step", ylim=(0, None))
    left.legend()
    right.plot(steps, [float(r["rate"]) for r in rows])
    right.set(xlabel="step", ylabel="learning rate")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _mistakes(
    judged: Judged, thresholds: dict[str, dict[str, float]]
) -> list[tuple[float, int, npt.NDArray[np.float32], bool]]:
    """Return (badness, class, box, missed?): false from ``raise`` on, or not found at ``keep``."""
    out = []
    for c, name in enumerate(CLASSES):
        if name in ("person", "vehicle"):
            continue
        truth = judged.truth[judged.truth[:, 0] == c, 1:]
        found = judged.found[judged.found[:, 5] == c]
        overlap = (
            iou(found[:, :4], truth)
            if len(truth) and len(found)
            else np.zeros((len(found), len(truth)), np.float32)
        )
        for row, best in zip(found, overlap.max(axis=1, initial=0), strict=True):
            if best < 0.3 and row[4] >= thresholds[name]["raise"]:
                out.append((float(row[4]), c, row[:4], False))
        kept = found[:, 4] >= thresholds[name]["keep"]
        for box, best in zip(truth, overlap[kept].max(axis=0, initial=0), strict=True):
            if best < 0.3:
                out.append((0.5, c, box, True))
    return out


def draw_mistakes(
    judged: list[Judged],
    readers: dict[str, Callable[[], Picture]],
    thresholds: dict[str, dict[str, float]],
    path: Path,
) -> None:
    """Write a contact sheet of the worst mistakes: red is a false box, yellow a missed object."""
    ranked = sorted(
        ((m, j) for j in judged for m in _mistakes(j, thresholds)), key=lambda pair: -pair[0][0]
    )
    marks = [
        Mark(
            readers[one.name],
            (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            f"{'missed' if missed else f'{score:.2f}'} {CLASSES[c]}",
            MISSED if missed else WRONG,
        )
        for (score, c, box, missed), one in ranked[: SHEET_COLUMNS * SHEET_ROWS]
    ]
    draw_sheet(marks, path)


def draw_sheet(marks: Sequence[Mark], path: Path) -> None:
    """Write the marks as one picture, eight tiles a row; nothing where there are none."""
    tiles = [_tile(mark) for mark in marks]
    if not tiles:
        path.unlink(missing_ok=True)
        return
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % SHEET_COLUMNS)
    rows = [np.hstack(tiles[i : i + SHEET_COLUMNS]) for i in range(0, len(tiles), SHEET_COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows))


def _tile(mark: Mark) -> Picture:
    picture = mark.read().copy()
    x1, y1, x2, y2 = (int(v) for v in mark.box_xyxy)
    cv2.rectangle(picture, (x1, y1), (x2, y2), mark.colour, 3)
    scale = TILE_PX / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.zeros((TILE_PX + 18, TILE_PX, 3), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    at = (2, TILE_PX + 13)
    cv2.putText(tile, mark.caption, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, mark.colour, 1)
    return tile
