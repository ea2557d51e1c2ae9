"""Rendered pictures of the virtual street block (``benchmarks/block``) as a source of training.

Every object in them is labelled, so what is unmarked counts fully as a negative of every class.
They go through the same disturbances and compression as composed street scenes, and are drawn among
street views at the recipe's share.
"""

from pathlib import Path

import numpy as np
from rich.progress import track

from models.training.classes import CLASSES
from models.training.errors import DataError
from models.training.pictures import LabelledPicture, read_labels
from models.training.prepared import Item, write_index
from models.training.recipe import Recipe
from models.training.weather import any_weather, compress

SOURCE = "virtual_block"
LICENCE = "that of this repository; rendered by benchmarks/block"
PICTURES, LABELS = Path("images") / "train", Path("labels") / "train"
QUALITIES = (35, 92)  # of JPEG, as composed scenes have


def rendered_folder(folder: Path) -> Path:
    """Return where a work folder keeps prepared rendered pictures."""
    return folder / "rendered"


def rendered_pictures(folder: Path) -> list[LabelledPicture]:
    """Return what ``python -m benchmarks.block training`` wrote, by name; DataError where none is.

    A picture without a label file is refused, because it would teach that nothing is there.
    """
    found = sorted((folder / PICTURES).glob("*.webp"))
    if not found:
        raise DataError(
            f"{folder / PICTURES} holds no rendered picture (*.webp): make some with "
            f"`python -m benchmarks.block training {folder}`"
        )
    files = [folder / LABELS / f"{path.stem}.txt" for path in found]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DataError(
            f"{missing[0]} is missing, and {len(missing) - 1} more label files: render the folder "
            "again, or take the pictures without labels away"
        )
    return [
        LabelledPicture(path, SOURCE, "", "train", read_labels(file))
        for path, file in zip(found, files, strict=True)
    ]


def prepare_rendered(recipe: Recipe, folder: Path) -> Path | None:
    """Store the recipe's rendered pictures with weather in ``folder``; None where it names none."""
    if recipe.rendered is None:
        return None
    target = rendered_folder(folder)
    target.mkdir(parents=True, exist_ok=True)
    pictures = rendered_pictures(folder / recipe.rendered.folder)
    items = [
        _item(picture, np.random.default_rng([recipe.seed, number]), target)
        for number, picture in enumerate(track(pictures, "rendered pictures"))
    ]
    write_index(target, items)
    return target


def _item(picture: LabelledPicture, rng: np.random.Generator, target: Path) -> Item:
    pixels = any_weather(picture.read(), rng)
    height, width = pixels.shape[:2]
    file = f"{picture.path.stem}.jpg"
    (target / file).write_bytes(compress(pixels, int(rng.integers(*QUALITIES))))
    every = np.ones(len(CLASSES), np.float32)
    nothing = np.zeros((0, 5), np.float32)
    return Item(file, "rendered", SOURCE, picture.rows(width, height), nothing, every, 1.0)
