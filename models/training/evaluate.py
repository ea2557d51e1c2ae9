"""Evaluate: the exported model as the agent runs it, on val and on val-street."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track

from edge_agent.detector import Detector
from edge_agent.frames import ArrayPicture
from models.training.classes import (
    BIN_OVERFLOW,
    CLASSES,
    COVERS,
    EXPOSED_GARBAGE,
    GARBAGE_BIN,
    PROBLEMS,
    STREET_VENDOR,
    VAL_CLASSES,
    VEHICLE,
)
from models.training.detector import Picture
from models.training.export import draft_folder
from models.training.metrics import ClassScore, Judged, confusion, evaluate_split, threshold_for
from models.training.pictures import LabelledPicture, Rows, labelled_pictures
from models.training.plots import draw_curves, draw_mistakes
from models.training.pseudo import find_all
from models.training.recipe import Recipe, shared_root
from models.training.val_street import in_canvas, make_val_street

THREADS = 2
STREET_LOOK_CLASSES = [STREET_VENDOR, GARBAGE_BIN, BIN_OVERFLOW, EXPOSED_GARBAGE]
FAMILIES = {"bin": [GARBAGE_BIN, BIN_OVERFLOW], "cover": list(COVERS)}
TILES = (2, 2)
NO_ROWS: Rows = np.zeros((0, 5), np.float32)


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one exported model."""

    scores: list[ClassScore]
    thresholds: dict[str, dict[str, float]]
    confusions: dict[str, list[list[int]]]  # "split family" → truth by found, last column none
    quiet_hits: dict[str, int]  # problem class → boxes at or above ``raise`` on quiet val frames
    quiet_frames: int


def detect(
    detector: Detector, picture: Picture, tiles: tuple[int, int] = (1, 1)
) -> npt.NDArray[np.float32]:
    """Return [n, 6] xyxy in pixels, score, class of a BGR picture, as the agent sees it."""
    rgb = np.ascontiguousarray(picture[:, :, ::-1])
    found = detector.detect(ArrayPicture(rgb), tiles)
    scale = np.array([picture.shape[1], picture.shape[0]] * 2, np.float32)
    columns = (found.xyxyn * scale, found.scores[:, None], found.classes[:, None])
    return np.concatenate(columns, axis=1).astype(np.float32)


def judge_val(detector: Detector, pictures: list[LabelledPicture]) -> list[Judged]:
    """Detect in every picture of the val split."""
    out = []
    for item in track(pictures, "val"):
        picture = item.read()
        h, w = picture.shape[:2]
        out.append(Judged(item.name, (w, h), item.rows(w, h), NO_ROWS, detect(detector, picture)))
    return out


def _with_parked_unsure(
    val: list[Judged], pictures: list[LabelledPicture], recipe: Recipe, folder: Path
) -> list[Judged]:
    """Return the street-camera frames; vehicles that only the COCO detector sees count neither way.

    Hand-made labels there leave parked vehicles out, and other pictures have no vehicle labels.
    """
    found = find_all(pictures, recipe.pseudo, shared_root() / "weights", folder)
    return [
        replace(j, unsure=np.concatenate([found[j.name].labels, found[j.name].unsure]))
        for j, p in zip(val, pictures, strict=True)
        if p.is_cctv
    ]


def judge_street(
    detector: Detector, recipe: Recipe, folder: Path, tiles: tuple[int, int]
) -> list[Judged]:
    """Detect in every val-street scene: whole (a full look, scaled as a sub-stream) or tiled."""
    out = []
    for scene in track(make_val_street(recipe, folder), f"val-street {tiles[0]}x{tiles[1]}"):
        picture = np.asarray(cv2.imread(str(scene.path)), np.uint8)
        h, w = picture.shape[:2]
        found = detect(detector, picture, tiles)
        out.append(
            Judged(scene.path.name, (w, h), in_canvas(scene.labels), in_canvas(scene.unsure), found)
        )
    return out


def evaluate(recipe: Recipe, folder: Path) -> Evaluation:
    """Measure the exported model; write ``evaluation.json``, curves and worst mistakes."""
    detector = Detector(draft_folder(folder, recipe), threads=THREADS)
    pictures = list(
        labelled_pictures(shared_root() / "data", "val", [s.name for s in recipe.sources])
    )
    rounds = recipe.evaluation.bootstrap
    val = judge_val(detector, pictures)
    look, tiled = (judge_street(detector, recipe, folder, t) for t in ((1, 1), TILES))
    scores = evaluate_split("val", val, VAL_CLASSES, rounds)
    scores += evaluate_split(
        "val-cctv", _with_parked_unsure(val, pictures, recipe, folder), [VEHICLE], rounds
    )
    if look:
        scores += evaluate_split("val-street", look, STREET_LOOK_CLASSES, rounds)
        scores += evaluate_split("val-street", tiled, list(COVERS), rounds)
    thresholds = find_thresholds(recipe, scores)
    quiet = [j for j, p in zip(val, pictures, strict=True) if p.is_cctv]
    result = Evaluation(
        scores,
        thresholds,
        _confusions({"val": val, "val-street": tiled}, thresholds),
        _quiet_hits(quiet, thresholds),
        len(quiet),
    )
    target = folder / "evaluation"
    target.mkdir(exist_ok=True)
    (target / "evaluation.json").write_text(json.dumps(to_json(result), indent=1), "utf-8")
    draw_curves(scores, target)
    draw_mistakes(val, {p.name: p.read for p in pictures}, thresholds, target / "mistakes.png")
    return result


def find_thresholds(recipe: Recipe, scores: list[ClassScore]) -> dict[str, dict[str, float]]:
    """Return raise and keep per class: at the recipe's precisions on val with val-street.

    A box counts as right from IoU 0.3 on, as it does for an event.
    """
    plan = recipe.evaluation
    out: dict[str, dict[str, float]] = {}
    for name in CLASSES:
        own = [s for s in scores if s.class_name == name]
        if name in plan.fixed:
            out[name] = dict(plan.fixed[name])
        elif own:
            values = np.concatenate([x.at_30.scores for x in own])
            right = np.concatenate([x.at_30.right for x in own])
            precision = plan.raise_precision_of.get(name, plan.raise_precision)
            high = threshold_for(values, right, precision, plan.bounds)
            hold = plan.keep_precision_of.get(name, plan.keep_precision)
            low = threshold_for(values, right, hold, plan.bounds)
            out[name] = {"raise": round(high, 2), "keep": round(min(low, high), 2)}
        else:
            out[name] = {"raise": plan.bounds[1], "keep": plan.bounds[1]}
    return out


def _confusions(
    splits: dict[str, list[Judged]], thresholds: dict[str, dict[str, float]]
) -> dict[str, list[list[int]]]:
    out = {}
    for split, judged in splits.items():
        for family, classes in FAMILIES.items():
            score_min = min(thresholds[CLASSES[c]]["keep"] for c in classes)
            out[f"{split} {family}"] = confusion(judged, classes, score_min).tolist()
    return out


def _quiet_hits(judged: list[Judged], thresholds: dict[str, dict[str, float]]) -> dict[str, int]:
    """Count boxes from ``raise`` on in street-camera frames that show no marked problem."""
    rows = np.concatenate([j.found for j in judged]) if judged else np.zeros((0, 6), np.float32)
    return {
        CLASSES[c]: int(((rows[:, 5] == c) & (rows[:, 4] >= thresholds[CLASSES[c]]["raise"])).sum())
        for c in PROBLEMS
    }


def to_json(result: Evaluation) -> dict[str, object]:
    """Return plain values: what ``card`` and the report read."""
    return {
        "metrics": [
            {
                "split": s.split,
                "class": s.class_name,
                "n": s.n,
                "ap50": round(s.ap50, 4),
                "ap50_95": round(s.ap, 4),
                "ci95": [round(v, 4) for v in s.ci95],
                "ap50_by_size": {
                    k: None if np.isnan(v) else round(v, 4) for k, v in s.by_size.items()
                },
            }
            for s in result.scores
        ],
        "thresholds": result.thresholds,
        "confusion": result.confusions,
        "quiet_hits": result.quiet_hits,
        "quiet_frames": result.quiet_frames,
    }
