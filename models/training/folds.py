"""Cross-validation for what val has too little of: rare classes, and quiet cameras.

Each fold leaves some training pictures and some cameras out, starts from one common checkpoint,
trains few steps, and is judged on what it left out; the judgements of all folds are scored
together. The checkpoint must not have learned from what the folds leave out.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_agent.detector import Detector
from models.training.classes import COVERS, STREET_VENDOR
from models.training.evaluate import THREADS
from models.training.export import draft_folder, export
from models.training.judging import judge_pictures
from models.training.metrics import ClassScore, Judged, evaluate_split
from models.training.pictures import LabelledPicture, labelled_pictures
from models.training.prepare import prepare
from models.training.quiet import QuietHit, Thresholds, draw_quiet_hits, quiet_hits, readers
from models.training.recipe import Phase, Recipe, claim, shared_root
from models.training.train import train

RARE = (STREET_VENDOR, *COVERS)
RUN = 4  # pictures of a source whose names follow each other stay together: they may look alike
WARM_UP_SHARE = 0.15


@dataclass(frozen=True)
class Fold:
    """What one fold leaves out."""

    cameras: tuple[str, ...]
    pictures: tuple[str, ...]  # names


@dataclass(frozen=True)
class FoldResult:
    """The folds' pooled scores of the rare classes, and hits on quiet frames of unseen cameras."""

    scores: list[ClassScore]
    hits: list[QuietHit]
    quiet_frames: int


def split_folds(pictures: list[LabelledPicture], count: int, seed: int) -> list[Fold]:
    """Share rare pictures and cameras out evenly; the same seed gives the same folds."""
    rng = np.random.default_rng(seed)
    rare = sorted(p.name for p in pictures if set(p.labels_xywhn[:, 0].astype(int)) & set(RARE))
    runs = [rare[i : i + RUN] for i in range(0, len(rare), RUN)]
    names: list[list[str]] = [[] for _ in range(count)]
    for place, run in enumerate(rng.permutation(len(runs))):
        names[place % count] += runs[run]
    cameras: list[list[str]] = [[] for _ in range(count)]
    frames = Counter(p.camera for p in pictures if p.is_cctv)
    load = [0] * count
    for camera, number in sorted(frames.items(), key=lambda pair: (-pair[1], pair[0])):
        least = load.index(min(load))
        cameras[least].append(camera)
        load[least] += number
    return [Fold(tuple(c), tuple(n)) for c, n in zip(cameras, names, strict=True)]


def fold_recipe(recipe: Recipe, fold: Fold, start: Path, phase: Phase, scenes: int) -> Recipe:
    """Return the recipe of one fold: less data, fewer scenes, one phase."""
    training = recipe.training.model_copy(
        update={
            "phases": [phase],
            "pace": [],
            "warmup_steps": max(int(phase.steps * WARM_UP_SHARE), 1),
        }
    )
    return recipe.model_copy(
        update={
            "start": str(start.resolve()),
            "validation_cameras": [*recipe.validation_cameras, *fold.cameras],
            "held_out": [*recipe.held_out, *fold.pictures],
            "scenes": recipe.scenes.model_copy(update={"train": scenes}),
            "training": training,
        }
    )


def _lend(folder: Path, target: Path, fold: Fold) -> None:
    """Link pseudo-labels and cut-outs made for the whole recipe, less what the fold leaves out."""
    cutouts = target / "cutouts" / "train"
    if (cutouts / "done").is_file():
        return
    cutouts.mkdir(parents=True, exist_ok=True)
    left_out = set(fold.pictures)
    for path in (folder / "cutouts" / "train").glob("*@*"):
        if path.name.rsplit("@", 1)[0] not in left_out and not (cutouts / path.name).exists():
            os.link(path, cutouts / path.name)
    if (folder / "pseudo.json").is_file():
        (target / "pseudo.json").write_bytes((folder / "pseudo.json").read_bytes())
    (cutouts / "done").touch()


def _judge_fold(recipe: Recipe, folder: Path, left_out: list[LabelledPicture]) -> list[Judged]:
    """Prepare, train and export one fold, or go on where it stopped; judge what it left out."""
    if not (folder / "prepared" / "index.json").is_file():
        prepare(recipe, folder)
    train(recipe, folder)
    export(recipe, folder)
    detector = Detector(draft_folder(folder, recipe), threads=THREADS)
    return judge_pictures(detector, left_out, f"left out of {folder.name}")


def cross_validate(
    recipe: Recipe, folder: Path, count: int, start: Path, phase: Phase, thresholds: Thresholds
) -> FoldResult:
    """Run all folds; each can be stopped and goes on. Needs the recipe's own 'prepare' done.

    Val is neither learned from nor judged. Raises DataError where a fold was begun with other
    settings: what it left out then is not what it would leave out now.
    """
    apart = set(recipe.held_out)
    names = [s.name for s in recipe.sources]
    every = [
        p for p in labelled_pictures(shared_root() / "data", "train", names) if p.name not in apart
    ]
    judged: list[Judged] = []
    for number, fold in enumerate(split_folds(every, count, recipe.seed), 1):
        target = folder / "folds" / str(number)
        own = fold_recipe(recipe, fold, start, phase, recipe.scenes.train // 4)
        claim(target, own)
        _lend(folder, target, fold)
        chosen = set(fold.pictures)
        left_out = [p for p in every if p.name in chosen or p.camera in fold.cameras]
        judged += _judge_fold(own, target, left_out)
    return _result(judged, every, thresholds, folder)


def _result(
    judged: list[Judged], every: list[LabelledPicture], thresholds: Thresholds, folder: Path
) -> FoldResult:
    cctv = {p.name: p.camera for p in every if p.is_cctv}
    rare = [j for j in judged if j.name not in cctv]
    quiet = [j for j in judged if j.name in cctv]
    hits = quiet_hits(quiet, cctv, thresholds)
    draw_quiet_hits(hits, readers(every), folder / "folds" / "quiet.png")
    result = FoldResult(evaluate_split("folds", rare, list(RARE), 300), hits, len(quiet))
    (folder / "folds" / "folds.json").write_text(json.dumps(to_json(result), indent=1), "utf-8")
    return result


def to_json(result: FoldResult) -> dict[str, object]:
    """Return plain values."""
    return {
        "metrics": [s.as_json() for s in result.scores],
        "quiet_frames": result.quiet_frames,
        "quiet_list": [hit.as_json() for hit in result.hits],
    }
