"""val-street: held-out objects on held-out cameras' streets, the same every time.

Nothing in it was seen in training: objects come from the val split, frames from the cameras that
the recipe keeps out.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from models.training.cameras import FRAME, streets
from models.training.classes import COVERS
from models.training.cutouts import gather_cutouts
from models.training.pictures import Rows, labelled_pictures
from models.training.prepare import by_class
from models.training.pseudo import find_all
from models.training.recipe import Recipe, shared_root
from models.training.scenes import CANVAS, compose
from models.training.weather import any_weather, compress

SEED = 20_26
WEATHER_SHARE = 0.3
JPEG_QUALITY = 80


@dataclass(frozen=True)
class StreetScene:
    """One scene of 1280 x 720 on disk; ``labels`` [n, 5] class, xyxy in its pixels."""

    path: Path
    labels: Rows
    unsure: Rows


def make_val_street(recipe: Recipe, folder: Path) -> list[StreetScene]:
    """Return the scenes; made in ``folder``/val-street at the first call."""
    target = folder / "val-street"
    index = target / "index.json"
    if not index.is_file():
        _compose_all(recipe, folder, target)
    entries = json.loads(index.read_text("utf-8"))
    return [
        StreetScene(target / name, *(np.asarray(r, np.float32).reshape(-1, 5) for r in rows))
        for name, *rows in entries
    ]


def _compose_all(recipe: Recipe, folder: Path, target: Path) -> None:
    shared, names = shared_root(), [s.name for s in recipe.sources]
    pictures = list(labelled_pictures(shared / "data", "val", names))
    found = find_all(pictures, recipe.pseudo, shared / "weights", folder)
    cutouts = by_class(gather_cutouts(pictures, found, 10_000, folder / "cutouts" / "val"))
    fitted = streets(pictures)
    frames = [p for p in pictures if p.is_cctv and p.camera in fitted]
    cameras = sorted({f.camera for f in frames})
    target.mkdir(parents=True, exist_ok=True)
    entries: list[list[object]] = []
    for number in track(range(recipe.scenes.val if frames else 0), "val-street"):
        rng = np.random.default_rng([SEED, number])
        camera = cameras[number % len(cameras)]
        own = [f for f in frames if f.camera == camera]
        frame = own[int(rng.integers(len(own)))]
        extra = found[frame.name]
        given = np.concatenate([frame.rows(*FRAME), extra.labels])
        unsure = np.concatenate([extra.unsure, _real_covers(recipe, camera)])
        scene = compose(frame.read(), given, unsure, fitted[camera], cutouts, rng)
        if rng.random() < WEATHER_SHARE:
            scene.picture = any_weather(scene.picture, rng)
        name = f"{number:04d}-cam{frame.camera}.jpg"
        (target / name).write_bytes(compress(scene.picture, JPEG_QUALITY))
        entries.append([name, scene.labels.tolist(), scene.unsure.tolist()])
    part = target / "index.part"
    part.write_text(json.dumps(entries), "utf-8")
    part.replace(target / "index.json")


def _real_covers(recipe: Recipe, camera: str) -> Rows:
    """Return the camera's real, unmarked covers as unsure rows of every cover class."""
    boxes = recipe.scenes.real_covers.get(camera, [])
    return np.array([[c, *box] for box in boxes for c in COVERS], np.float32).reshape(-1, 5)


def in_canvas(labels: Rows) -> Rows:
    """Return labels clipped to the canvas."""
    out = labels.copy()
    out[:, [1, 3]] = labels[:, [1, 3]].clip(0, CANVAS[0])
    out[:, [2, 4]] = labels[:, [2, 4]].clip(0, CANVAS[1])
    return out
