"""Run a model folder as an agent does, over val and val-street, and keep what it found."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track

from edge_agent.detections import Detections
from edge_agent.detector import Detector
from edge_agent.frames import ArrayPicture
from models.training.classes import (
    BIN_OVERFLOW,
    COVERS,
    EXPOSED_GARBAGE,
    GARBAGE_BIN,
    STREET_VENDOR,
)
from models.training.detector import Picture
from models.training.metrics import ClassScore, Judged, evaluate_split
from models.training.pictures import LabelledPicture, Rows, some_pictures
from models.training.pseudo import find_all
from models.training.recipe import Recipe, shared_root
from models.training.val_street import StreetScene, in_canvas

STREET_LOOK_CLASSES = [STREET_VENDOR, GARBAGE_BIN, BIN_OVERFLOW, EXPOSED_GARBAGE]
WHOLE = (1, 1)
TILES = (2, 2)
NO_ROWS: Rows = np.zeros((0, 5), np.float32)
AsPicture = Callable[[Picture], Any]  # BGR in, what `Detector.detect` takes out


def val_pictures(recipe: Recipe) -> list[LabelledPicture]:
    """Return the val split of the recipe's sources; DataError where it is empty."""
    return some_pictures(shared_root() / "data", "val", [s.name for s in recipe.sources])


def as_rgb(picture: Picture) -> ArrayPicture:
    """Return a BGR picture as an agent's picture, scaled by area where it shrinks."""
    return ArrayPicture(np.ascontiguousarray(picture[:, :, ::-1]))


def in_pixels(found: Detections, width: int, height: int) -> npt.NDArray[np.float32]:
    """Return [n, 6] xyxy in pixels, score, class."""
    scale = np.array([width, height] * 2, np.float32)
    columns = (found.xyxyn * scale, found.scores[:, None], found.classes[:, None])
    return np.concatenate(columns, axis=1).astype(np.float32)


def one_size(folder: Path, height: int, width: int, threads: int) -> Detector:
    """Open a model folder so that every picture goes through the float file of one size."""
    detector = Detector(folder, threads=threads)
    files = tuple(
        f
        for f in detector.card.files
        if (f.height, f.width, f.precision) == (height, width, "fp32")
    )
    detector.card = detector.card.model_copy(update={"files": files})
    return detector


def judge_pictures(
    detector: Detector,
    pictures: Iterable[LabelledPicture],
    note: str,
    as_picture: AsPicture = as_rgb,
    tiles: tuple[int, int] = WHOLE,
) -> list[Judged]:
    """Detect in every labelled picture, whole or tiled."""
    out = []
    for item in track(list(pictures), note):
        picture = item.read()
        h, w = picture.shape[:2]
        found = in_pixels(detector.detect(as_picture(picture), tiles), w, h)
        out.append(Judged(item.name, (w, h), item.rows(w, h), NO_ROWS, found))
    return out


def with_parked_unsure(
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
    detector: Detector,
    scenes: list[StreetScene],
    tiles: tuple[int, int] = WHOLE,
    as_picture: AsPicture = as_rgb,
) -> list[Judged]:
    """Detect in every val-street scene: whole (a full look, scaled as a sub-stream) or tiled."""
    out = []
    for scene in track(scenes, f"val-street {tiles[0]}x{tiles[1]}"):
        picture = np.asarray(cv2.imread(str(scene.path)), np.uint8)
        h, w = picture.shape[:2]
        found = in_pixels(detector.detect(as_picture(picture), tiles), w, h)
        out.append(
            Judged(scene.path.name, (w, h), in_canvas(scene.labels), in_canvas(scene.unsure), found)
        )
    return out


def street_scores(look: list[Judged], tiled: list[Judged], rounds: int) -> list[ClassScore]:
    """Score val-street: covers in tiled looks, all else in full ones."""
    if not look:
        return []
    scores = evaluate_split("val-street", look, STREET_LOOK_CLASSES, rounds)
    return scores + evaluate_split("val-street", tiled, list(COVERS), rounds)
