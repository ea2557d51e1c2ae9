"""Pseudo-labels: persons and vehicles that nobody marked, by a detector trained on COCO."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from models.training.boxes import covered, greedy_nms, iou
from models.training.classes import PERSON, VEHICLE
from models.training.detector import Boxes, OnnxDetector, Picture
from models.training.pictures import LabelledPicture, Rows
from models.training.recipe import PseudoLabels

COCO_CLASS_COUNT = 80
COCO_TO_OURS = {0: PERSON, 1: VEHICLE, 2: VEHICLE, 3: VEHICLE, 5: VEHICLE, 7: VEHICLE}
COCO_ANIMALS = (15, 16, 17, 18, 19, 20)
SAME_OBJECT_IOU = 0.55
KNOWN_IOU = 0.4
CCTV_FRAME = (640, 360)
NO_ROWS: Rows = np.zeros((0, 5), np.float32)


@dataclass(frozen=True)
class Found:
    """What the COCO detector says about one picture, in its pixels."""

    labels: Rows  # [n, 5] class, xyxy: sure enough to learn from
    unsure: Rows  # [n, 5] class, xyxy: neither learn nor unlearn here
    animals: Rows  # [n, 5] COCO class, xyxy: cut-outs that are no problem class


def coco_detectors(
    pseudo: PseudoLabels, weights_root: Path, folder: Path
) -> dict[tuple[int, int], OnnxDetector]:
    """Export the COCO detector for every size the recipe names and open it."""
    # Only here is torch needed; scenes and cut-outs, which import this module, do without.
    from models.training.onnx_file import write_onnx  # noqa: PLC0415
    from models.training.toolkit import build_model, load_weights  # noqa: PLC0415

    detectors = {}
    for size in {*pseudo.sizes, *pseudo.cctv_sizes}:
        path = folder / f"{Path(pseudo.weights).stem}-{size[0]}x{size[1]}.onnx"
        if not path.is_file():
            model = build_model(pseudo.architecture, COCO_CLASS_COUNT)
            load_weights(model, weights_root / pseudo.weights)
            write_onnx(model, path, *size, head="one_to_one")
        detectors[size] = OnnxDetector(path)
    return detectors


def merge_looks(looks: Iterable[Boxes]) -> Boxes:
    """Join detections of several input sizes; the best of overlapping ones of a class stays."""
    rows = np.concatenate(list(looks))
    kept = [greedy_nms(rows[rows[:, 5] == c], SAME_OBJECT_IOU) for c in np.unique(rows[:, 5])]
    return np.concatenate(kept) if kept else rows


def _ours(rows: Boxes) -> Boxes:
    """Keep persons and vehicles of COCO rows, with our class numbers."""
    out = rows[np.isin(rows[:, 5], list(COCO_TO_OURS))].copy()
    out[:, 5] = [COCO_TO_OURS[int(c)] for c in out[:, 5]]
    return merge_looks([out])


def _unknown(rows: Boxes, given: Rows, *, cctv: bool) -> Boxes:
    """Drop vehicles that are already labelled (a rider's box holds the motorcycle)."""
    vehicles = given[given[:, 0] == VEHICLE, 1:]
    if not len(vehicles) or not len(rows):
        return rows
    known = iou(rows[:, :4], vehicles).max(axis=1) > KNOWN_IOU
    if cctv:
        known |= covered(rows[:, :4], vehicles).max(axis=1) > 0.6
    return np.asarray(rows[~(known & (rows[:, 5] == VEHICLE))], np.float32)


def find(
    picture: Picture,
    given: Rows,
    detectors: list[OnnxDetector],
    pseudo: PseudoLabels,
    *,
    cctv: bool,
) -> Found:
    """Return pseudo-labels for one picture with its given labels [n, 5]."""
    coco = merge_looks(d(picture, pseudo.ignore) for d in detectors)
    rows = _unknown(_ours(coco), given, cctv=cctv)
    sure = rows[:, 4] >= pseudo.keep
    as_rows = rows[:, [5, 0, 1, 2, 3]]
    animals = coco[np.isin(coco[:, 5], COCO_ANIMALS) & (coco[:, 4] > 0.4)][:, [5, 0, 1, 2, 3]]
    return Found(as_rows[sure], as_rows[~sure], animals)


def with_riders(found: Found, given: Rows) -> Found:
    """Believe unsure persons in a marked rider's box; learn nothing of persons in the others.

    A street camera's ``vehicle`` box that is taller than wide is a motorcycle with its rider.
    """
    size = given[:, 3:] - given[:, 1:3]
    riders = given[(given[:, 0] == VEHICLE) & (size[:, 1] > 1.15 * size[:, 0])]
    if not len(riders):
        return found
    unsure_person = found.unsure[:, 0] == PERSON
    seated = np.zeros(len(found.unsure), bool)
    seated[unsure_person] = (
        covered(found.unsure[unsure_person, 1:], riders[:, 1:]).max(axis=1, initial=0) > 0.7
    )
    labels = np.concatenate([found.labels, found.unsure[seated]])
    persons = labels[labels[:, 0] == PERSON]
    lonely = covered(persons[:, 1:], riders[:, 1:]).max(axis=0, initial=0) < 0.5
    unknown = riders[lonely].copy()
    unknown[:, 0] = PERSON
    return Found(labels, np.concatenate([found.unsure[~seated], unknown]), found.animals)


def find_all(
    pictures: list[LabelledPicture], pseudo: PseudoLabels | None, weights_root: Path, folder: Path
) -> dict[str, Found]:
    """Pseudo-label every picture; what was done before is read from ``folder``/pseudo.json.

    Without a plan for pseudo-labels, nothing is found.
    """
    if pseudo is None:
        return {p.name: Found(NO_ROWS, NO_ROWS, NO_ROWS) for p in pictures}
    cache = folder / "pseudo.json"
    known = json.loads(cache.read_text("utf-8")) if cache.is_file() else {}
    missing = [p for p in pictures if p.name not in known]
    if missing:
        detectors = coco_detectors(pseudo, weights_root, folder)
        for item in track(missing, "pseudo-labels"):
            picture = item.read()
            sizes = pseudo.cctv_sizes if item.is_cctv else pseudo.sizes
            given = item.rows(picture.shape[1], picture.shape[0])
            found = find(picture, given, [detectors[s] for s in sizes], pseudo, cctv=item.is_cctv)
            known[item.name] = [
                np.round(a, 1).tolist() for a in (found.labels, found.unsure, found.animals)
            ]
        part = cache.with_suffix(".part")
        part.write_text(json.dumps(known), "utf-8")
        part.replace(cache)
    every = {
        p.name: Found(*(np.asarray(a, np.float32).reshape(-1, 5) for a in known[p.name]))
        for p in pictures
    }
    for item in (p for p in pictures if p.is_cctv):
        every[item.name] = with_riders(every[item.name], item.rows(*CCTV_FRAME))
    return every
