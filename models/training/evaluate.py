"""Evaluate: the exported model as the agent runs it, on val and on val-street."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_agent.detector import Detector
from edge_agent.model import load_card
from models.training.classes import (
    BIN_OVERFLOW,
    CLASSES,
    COVERS,
    EXPOSED_GARBAGE,
    GARBAGE_BIN,
    VAL_CLASSES,
    VEHICLE,
)
from models.training.drawn import DRAWN, SOURCE, drawn_pictures
from models.training.export import CARD_NAME, draft_folder
from models.training.judging import (
    TILES,
    WHOLE,
    judge_pictures,
    judge_street,
    street_scores,
    val_pictures,
    with_parked_unsure,
)
from models.training.metrics import ClassScore, Judged, confusion, evaluate_split, threshold_for
from models.training.plots import draw_curves, draw_mistakes
from models.training.quiet import QuietHit, count_by_class, draw_quiet_hits, quiet_hits, readers
from models.training.recipe import Recipe, start_weights
from models.training.val_street import make_val_street

THREADS = 2
SEEN_AGAIN = [GARBAGE_BIN, BIN_OVERFLOW, EXPOSED_GARBAGE]  # what the sources' cut series show
FAMILIES = {"bin": [GARBAGE_BIN, BIN_OVERFLOW], "cover": list(COVERS)}


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one exported model."""

    scores: list[ClassScore]
    thresholds: dict[str, dict[str, float]]
    confusions: dict[str, list[list[int]]]  # "split family" → truth by found, last column none
    quiet_hits: list[QuietHit]  # problem boxes at or above ``raise`` on quiet val frames
    quiet_frames: int


def evaluate(recipe: Recipe, folder: Path, model: Path | None = None) -> Evaluation:
    """Measure the exported model, or another model folder by the same recipe's splits.

    Writes ``evaluation.json``, curves, worst mistakes and quiet hits into ``evaluation``, or into
    ``evaluation-<model>`` for another model.
    """
    source = model or draft_folder(folder, recipe)
    target = folder / (f"evaluation-{source.name}" if model else "evaluation")
    detector = Detector(source, threads=THREADS)
    pictures = val_pictures(recipe)
    rounds = recipe.evaluation.bootstrap
    val = judge_pictures(detector, pictures, "val")
    scenes = make_val_street(recipe, folder)
    look, tiled = (judge_street(detector, scenes, t) for t in (WHOLE, TILES))
    parked = with_parked_unsure(val, pictures, recipe, folder)
    scores = evaluate_split("val", val, VAL_CLASSES, rounds)
    scores += evaluate_split("val-cctv", parked, [VEHICLE], rounds)
    scores += street_scores(look, tiled, rounds)
    drawn = judge_pictures(detector, drawn_pictures(DRAWN), SOURCE)
    thresholds = find_thresholds(recipe, scores)
    apart = without_seen_again(recipe, val)
    scores += (
        evaluate_split("val-apart", apart, SEEN_AGAIN, rounds) if len(apart) < len(val) else []
    )
    frames = [p for p in pictures if p.is_cctv]
    cctv = {p.name: p.camera for p in frames}
    scores += evaluate_split(SOURCE, drawn, VAL_CLASSES, rounds)  # after the thresholds: not real
    close = judge_pictures(detector, frames, "street-camera frames, tiled", tiles=TILES)
    hits = quiet_hits([j for j in val if j.name in cctv], cctv, thresholds, close)
    confusions = _confusions({"val": val, "val-street": tiled}, thresholds)
    result = Evaluation(scores, thresholds, confusions, hits, len(cctv))
    target.mkdir(exist_ok=True)
    (target / "evaluation.json").write_text(json.dumps(to_json(result), indent=1), "utf-8")
    draw_curves(scores, target)
    read = readers(pictures)
    draw_mistakes(val, read, thresholds, target / "mistakes.png")
    draw_quiet_hits(hits, read, target / "quiet.png")
    return result


def without_seen_again(recipe: Recipe, val: list[Judged]) -> list[Judged]:
    """Return what was judged in scenes that no training picture shows from another side."""
    known = [re.compile(s.seen_again) for s in recipe.sources if s.seen_again]
    return [j for j in val if not any(k.match(j.name) for k in known)]


def find_thresholds(recipe: Recipe, scores: list[ClassScore]) -> dict[str, dict[str, float]]:
    """Return raise and keep per class: at the recipe's precisions on val with val-street.

    A box counts as right from IoU 0.3 on, as it does for an event. A class without truth keeps the
    thresholds of the model that the recipe starts from.
    """
    plan, known = recipe.evaluation, _known_thresholds(recipe)
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
            out[name] = known.get(name, {"raise": plan.bounds[1], "keep": plan.bounds[1]})
    return out


def _known_thresholds(recipe: Recipe) -> dict[str, dict[str, float]]:
    """Return the thresholds of the model folder that holds the start weights; none elsewhere."""
    folder = start_weights(recipe).parent
    if not (folder / CARD_NAME).is_file():
        return {}
    thresholds = load_card(folder).thresholds
    return {name: {"raise": t.raise_, "keep": t.keep} for name, t in thresholds.items()}


def _confusions(
    splits: dict[str, list[Judged]], thresholds: dict[str, dict[str, float]]
) -> dict[str, list[list[int]]]:
    out = {}
    for split, judged in splits.items():
        for family, classes in FAMILIES.items():
            score_min = min(thresholds[CLASSES[c]]["keep"] for c in classes)
            out[f"{split} {family}"] = confusion(judged, classes, score_min).tolist()
    return out


def to_json(result: Evaluation) -> dict[str, object]:
    """Return plain values: what ``card`` and the report read."""
    return {
        "metrics": [s.as_json() for s in result.scores],
        "thresholds": result.thresholds,
        "confusion": result.confusions,
        "quiet_hits": count_by_class(result.quiet_hits),
        "quiet_list": [hit.as_json() for hit in result.quiet_hits],
        "quiet_frames": result.quiet_frames,
    }
