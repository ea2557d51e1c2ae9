"""Prepare: pseudo-labels, cut-outs and street scenes, from the shared data into the work folder."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track

from models.training.cameras import FRAME, Street, streets
from models.training.classes import CLASSES, COVERS, MANHOLE_DAMAGED, MANHOLE_MISSING, MANHOLE_OK
from models.training.cutouts import Cutout, gather_cutouts
from models.training.damage import broken
from models.training.detector import Picture
from models.training.errors import RecipeError
from models.training.pictures import CCTV_SOURCE, LabelledPicture, Rows, some_pictures
from models.training.prepared import Item, Kind, write_index
from models.training.pseudo import Found, find_all
from models.training.recipe import DataSource, Recipe, shared_root
from models.training.rendered import prepare_rendered
from models.training.scenes import CANVAS, Scene, compose, cropped
from models.training.weather import any_weather, compress

SMALLEST_LOOK_PX = 12  # longest side below which a pasted object is not asked for in a full look
Generator = np.random.Generator


def negative_weights(source: DataSource, *, empty: bool) -> npt.NDArray[np.float32]:
    """Return [9]: how much an unmarked place of this source counts as a negative of each class."""
    named = (
        source.unlabelled_if_empty
        if empty and source.unlabelled_if_empty is not None
        else source.unlabelled
    )
    return np.array([named.get(name, 1.0) for name in CLASSES], np.float32)


def _picture_item(item: LabelledPicture, found: Found, recipe: Recipe, folder: Path) -> Item:
    """Store one picture as JPEG with its own and its pseudo-labels."""
    picture = item.read()
    h, w = picture.shape[:2]
    source = recipe.source(item.source)
    file = f"pictures/{item.path.stem}.jpg"
    (folder / file).write_bytes(compress(picture, 92))
    given = item.rows(w, h)
    labels = np.concatenate([given, found.labels])
    weights = negative_weights(source, empty=not len(given))
    kind: Kind = "frame" if item.is_cctv else "picture"
    return Item(file, kind, item.source, labels, found.unsure, weights, source.repeat)


def _frame_choice(
    frames: list[LabelledPicture], count: int, share_max: float, rng: Generator
) -> list[LabelledPicture]:
    """Draw ``count`` frames, cameras by the root of their frames, none above its share."""
    per_camera = Counter(f.camera for f in frames)
    chance = {c: n**0.5 for c, n in per_camera.items()}
    total = sum(chance.values())
    chance = {c: min(v / total, share_max) / per_camera[c] for c, v in chance.items()}
    p = np.array([chance[f.camera] for f in frames])
    return [frames[i] for i in rng.choice(len(frames), count, p=p / p.sum())]


def _look(scene: Scene) -> tuple[Picture, Rows, Rows]:
    """Return the scene as a full look of 640 x 360 with labels and unsure places."""
    scale = np.array([1, 0.5, 0.5, 0.5, 0.5], np.float32)
    labels, unsure = scene.labels * scale, scene.unsure * scale
    sides = np.maximum(labels[:, 3] - labels[:, 1], labels[:, 4] - labels[:, 2])
    small = sides < SMALLEST_LOOK_PX
    small &= labels[:, 0] < 7  # persons and vehicles are wanted at any size
    picture = cv2.resize(scene.picture, FRAME, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return picture, labels[~small], np.concatenate([unsure, labels[small]])


def _tile(scene: Scene, rng: Generator) -> tuple[Picture, Rows, Rows]:
    """Return a 640 x 360 tile of the scene, mostly around a pasted cover or object."""
    chosen = [i for i in scene.placed if i < len(scene.labels)]
    covers = [i for i in chosen if scene.labels[i, 0] in COVERS]
    pool = covers if covers and rng.random() < 0.7 else chosen
    x, y = rng.uniform(0, CANVAS[0] - FRAME[0]), rng.uniform(0, CANVAS[1] - FRAME[1])
    if pool and rng.random() < 0.9:
        _, x1, y1, x2, y2 = scene.labels[int(rng.choice(pool))]
        x = (x1 + x2) / 2 - rng.uniform(0.1, 0.9) * FRAME[0]
        y = (y1 + y2) / 2 - rng.uniform(0.1, 0.9) * FRAME[1]
    left, top = int(np.clip(x, 0, CANVAS[0] - FRAME[0])), int(np.clip(y, 0, CANVAS[1] - FRAME[1]))
    labels, cut = cropped(scene.labels, left, top, *FRAME, 0.5)
    unsure, more = cropped(scene.unsure, left, top, *FRAME, 0.0)
    picture = scene.picture[top : top + FRAME[1], left : left + FRAME[0]]
    return picture, labels, np.concatenate([unsure, more, cut])


def _scene_items(
    frames: list[LabelledPicture],
    found: dict[str, Found],
    fitted: dict[str, Street],
    cutouts: dict[int, list[Cutout]],
    recipe: Recipe,
    folder: Path,
) -> Iterator[Item]:
    """Compose, disturb and store the training scenes; yields one look and some tiles each."""
    weights = negative_weights(recipe.source(CCTV_SOURCE), empty=False)
    rng = np.random.default_rng(recipe.seed)
    drawn = _frame_choice(frames, recipe.scenes.train, recipe.scenes.camera_share_max, rng)
    for number, frame in enumerate(track(drawn, "street scenes")):
        extra = found[frame.name]
        given = np.concatenate([frame.rows(*FRAME), extra.labels])
        scene = compose(frame.read(), given, extra.unsure, fitted[frame.camera], cutouts, rng)
        scene.picture = any_weather(scene.picture, rng)
        views = [
            ("look", _look(scene)),
            *(("tile", _tile(scene, rng)) for _ in range(recipe.scenes.tiles_per_scene)),
        ]
        for view, (kind, (picture, labels, unsure)) in enumerate(views):
            file = f"street/{number:05d}-{view}.jpg"
            (folder / file).write_bytes(compress(picture, int(rng.integers(35, 92))))
            yield Item(file, kind, CCTV_SOURCE, labels, unsure, weights, 1.0)  # type: ignore[arg-type]


def by_class(cutouts: list[Cutout]) -> dict[int, list[Cutout]]:
    """Group cut-outs by class index."""
    groups: dict[int, list[Cutout]] = {}
    for one in cutouts:
        groups.setdefault(one.class_index, []).append(one)
    return groups


def with_broken_covers(groups: dict[int, list[Cutout]], count: int, seed: int) -> None:
    """Add ``count`` broken covers made from intact ones to the groups."""
    intact, holes = groups.get(MANHOLE_OK, []), groups.get(MANHOLE_MISSING, [])
    if not intact or not holes:
        return
    rng = np.random.default_rng(seed)
    made = [
        broken(intact[rng.integers(len(intact))], holes[rng.integers(len(holes))], rng)
        for _ in range(count)
    ]
    groups[MANHOLE_DAMAGED] = groups.get(MANHOLE_DAMAGED, []) + made


def prepare(recipe: Recipe, folder: Path) -> Path:
    """Make everything training needs in ``folder``; return the prepared sub-folder."""
    shared, names = shared_root(), [s.name for s in recipe.sources]
    pictures = some_pictures(shared / "data", "train", names)
    missing = set(recipe.held_out) - {p.name for p in pictures}
    if missing:
        msg = f"recipe {recipe.name} holds out {sorted(missing)}, which its sources do not have"
        raise RecipeError(msg)
    apart = set(recipe.held_out)
    pictures = [
        p for p in pictures if p.camera not in recipe.validation_cameras and p.name not in apart
    ]
    found = find_all(pictures, recipe.pseudo, shared / "weights", folder)
    target = folder / "prepared"
    for sub in ("pictures", "street"):
        (target / sub).mkdir(parents=True, exist_ok=True)
    items = [_picture_item(p, found[p.name], recipe, target) for p in track(pictures, "pictures")]
    fitted = streets(pictures)
    frames = [p for p in pictures if p.is_cctv and p.camera in fitted]
    if frames and recipe.scenes.train:
        cutouts = gather_cutouts(
            pictures, found, recipe.scenes.cutouts_per_class, folder / "cutouts" / "train"
        )
        groups = by_class(cutouts)
        with_broken_covers(groups, recipe.scenes.broken_covers, recipe.seed)
        items += _scene_items(frames, found, fitted, groups, recipe, target)
    write_index(target, items)
    prepare_rendered(recipe, folder)
    return target
