"""Average precision by pycocotools, with bootstrap intervals over pictures."""

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.training.boxes import iou
from models.training.classes import CLASSES
from models.training.pictures import Rows

RECALL_STEPS = np.linspace(0, 1, 101)
DETECTIONS_MAX = 300
IOU_LEVELS = np.array([0.3, *np.arange(0.5, 0.96, 0.05)])  # 0.3 is what an event needs
AT_30, AT_50 = 0, 1
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One picture with its truth and what was detected.

    ``truth`` [n, 5] class, xyxy; ``unsure`` the same, neither right nor wrong to find;
    ``found`` [m, 6] xyxy, score, class.
    """

    name: str
    size: tuple[int, int]  # width, height
    truth: Rows
    unsure: Rows
    found: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ranked:
    """All detections of a class by falling score, and whether each matched a truth."""

    scores: Floats
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found on one split."""

    split: str
    class_name: str
    n: int
    ap50: float
    ap: float
    ci95: tuple[float, float]
    by_size: dict[str, float]
    at_50: Ranked
    at_30: Ranked

    def as_json(self) -> dict[str, object]:
        """Return plain values; a size without boxes has none."""
        return {
            "split": self.split,
            "class": self.class_name,
            "n": self.n,
            "ap50": round(self.ap50, 4),
            "ap50_95": round(self.ap, 4),
            "ci95": [round(v, 4) for v in self.ci95],
            "ap50_by_size": {
                k: None if np.isnan(v) else round(v, 4) for k, v in self.by_size.items()
            },
        }


def evaluate_split(
    split: str, pictures: list[Judged], classes: list[int], bootstrap: int
) -> list[ClassScore]:
    """Score the named classes; classes without truth on this split are left out."""
    evaluation = _run_pycocotools(pictures, classes)
    return [
        _class_score(split, evaluation, position, class_index, bootstrap)
        for position, class_index in enumerate(classes)
        if any((p.truth[:, 0] == class_index).any() for p in pictures)
    ]


def _coco_box(xyxy: npt.NDArray[np.float32]) -> list[float]:
    x1, y1, x2, y2 = map(float, xyxy)
    return [x1, y1, x2 - x1, y2 - y1]


def _run_pycocotools(pictures: list[Judged], classes: list[int]) -> Any:
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, 1):
        for rows, crowd in ((picture.truth, 0), (picture.unsure, 1)):
            for row in rows:
                box = _coco_box(row[1:])
                common = {
                    "image_id": number,
                    "category_id": int(row[0]),
                    "bbox": box,
                    "area": box[2] * box[3],
                }
                annotations.append({**common, "id": len(annotations) + 1, "iscrowd": crowd})
        results += [
            {
                "image_id": number,
                "category_id": int(r[5]),
                "bbox": _coco_box(r[:4]),
                "score": float(r[4]),
            }
            for r in picture.found
        ]
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [
            {"id": i, "width": p.size[0], "height": p.size[1]} for i, p in enumerate(pictures, 1)
        ],
        "categories": [{"id": i, "name": n} for i, n in enumerate(CLASSES)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, _detections(coco, results), "bbox")
        evaluation.params.catIds = classes
        evaluation.params.iouThrs = IOU_LEVELS
        evaluation.params.maxDets = [1, 100, DETECTIONS_MAX]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _detections(coco: Any, results: list[dict[str, Any]]) -> Any:
    """Return results as pycocotools wants them; it cannot load an empty list itself."""
    if results:
        return coco.loadRes(results)
    empty = COCO()
    empty.dataset = {**coco.dataset, "annotations": []}
    empty.createIndex()
    return empty


def _matches(
    evaluation: Any, position: int, level: int
) -> list[tuple[Floats, npt.NDArray[np.bool_], int]]:
    """Return per picture: scores, right at the IoU level or not, number of truths; none ignored."""
    images = len(evaluation.params.imgIds)
    areas = len(evaluation.params.areaRng)
    out = []
    for i in range(images):
        one = evaluation.evalImgs[position * areas * images + i]
        if one is None:
            continue
        counted = ~np.asarray(one["dtIgnore"][level], bool)
        scores = np.asarray(one["dtScores"], float)[counted]
        right = np.asarray(one["dtMatches"][level])[counted] > 0
        out.append((scores, right, int((np.asarray(one["gtIgnore"]) == 0).sum())))
    return out


def _ranked(matches: list[tuple[Floats, npt.NDArray[np.bool_], int]]) -> Ranked:
    scores = np.concatenate([m[0] for m in matches])
    order = np.argsort(-scores, kind="mergesort")
    return Ranked(scores[order], np.concatenate([m[1] for m in matches])[order])


def average_precision(scores: Floats, right: npt.NDArray[np.bool_], truths: int) -> float:
    """Return AP as COCO defines it (101 recall points, precision made falling)."""
    if truths == 0:
        return float("nan")
    order = np.argsort(-scores, kind="mergesort")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    index = np.searchsorted(hits / truths, RECALL_STEPS, side="left")
    return float(
        np.where(
            index < len(precision),
            np.append(precision, 0.0)[np.minimum(index, len(precision))],
            0.0,
        ).mean()
    )


def _interval(
    matches: list[tuple[Floats, npt.NDArray[np.bool_], int]], rounds: int
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of AP50 over pictures."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(rounds):
        chosen = [matches[i] for i in rng.integers(len(matches), size=len(matches))]
        scores, right = (
            np.concatenate([c[0] for c in chosen]),
            np.concatenate([c[1] for c in chosen]),
        )
        values.append(average_precision(scores, right, sum(c[2] for c in chosen)))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _class_score(
    split: str, evaluation: Any, position: int, class_index: int, bootstrap: int
) -> ClassScore:
    precision = evaluation.eval["precision"]  # [iou, recall, class, area, detections]

    def mean(values: Any) -> float:
        return float(values[values > -1].mean()) if (values > -1).any() else float("nan")

    matches = _matches(evaluation, position, AT_50)
    sizes = {
        name: mean(precision[AT_50, :, position, i, -1])
        for i, name in ((1, "small"), (2, "medium"), (3, "large"))
    }
    return ClassScore(
        split,
        CLASSES[class_index],
        sum(m[2] for m in matches),
        mean(precision[AT_50, :, position, 0, -1]),
        mean(precision[AT_50:, :, position, 0, -1]),
        _interval(matches, bootstrap),
        sizes,
        _ranked(matches),
        _ranked(_matches(evaluation, position, AT_30)),
    )


def threshold_for(
    scores: Floats, right: npt.NDArray[np.bool_], precision: float, bounds: tuple[float, float]
) -> float:
    """Return the lowest score from which on ``precision`` of detections is right, in bounds."""
    order = np.argsort(-scores, kind="mergesort")
    share = np.cumsum(right[order]) / np.arange(1, len(scores) + 1)
    good = np.flatnonzero(share >= precision)
    value = float(scores[order][good[-1]]) if len(good) else bounds[1]
    return float(np.clip(value, *bounds))


def confusion(pictures: list[Judged], family: list[int], score_min: float) -> npt.NDArray[np.int64]:
    """Return [states, states + 1]: truth by best detection of the family; last column: none."""
    out = np.zeros((len(family), len(family) + 1), np.int64)
    for picture in pictures:
        found = picture.found[
            np.isin(picture.found[:, 5], family) & (picture.found[:, 4] >= score_min)
        ]
        for row in picture.truth[np.isin(picture.truth[:, 0], family)]:
            column = len(family)
            if len(found):
                overlap = iou(row[None, 1:], found[:, :4])[0]
                best = np.where(overlap >= 0.5, found[:, 4], -1.0).argmax()
                if overlap[best] >= 0.5:
                    column = family.index(int(found[best, 5]))
            out[family.index(int(row[0])), column] += 1
    return out
