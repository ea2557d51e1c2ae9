"""Folds: everything rare is left out once, cameras never return, nothing else changes."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")

from models.training.classes import GARBAGE_BIN, MANHOLE_DAMAGED, STREET_VENDOR
from models.training.folds import fold_recipe, split_folds
from models.training.pictures import CCTV_SOURCE, LabelledPicture
from models.training.recipe import REPOSITORY, Phase, read_recipe

RECIPE = REPOSITORY / "models" / "training" / "recipes" / "gridwatch-n.yaml"
PHASE = Phase(steps=40, picture_px=416, batch=16, street_share=0.4, mosaic=0.3)


def picture(name: str, kind: int, camera: str = "") -> LabelledPicture:
    labels = np.array([[kind, 0.5, 0.5, 0.2, 0.2]], np.float32)
    source = CCTV_SOURCE if camera else "carts"
    return LabelledPicture(Path(name), source, camera, "train", labels)


def pictures() -> list[LabelledPicture]:
    carts = [picture(f"cart{n:03}.webp", STREET_VENDOR) for n in range(40)]
    covers = [picture(f"cover{n:03}.webp", MANHOLE_DAMAGED) for n in range(12)]
    bins = [picture(f"bin{n:03}.webp", GARBAGE_BIN) for n in range(30)]
    frames = [picture(f"frame{n:03}.webp", 8, camera=str(n % 7)) for n in range(35)]
    return carts + covers + bins + frames


def test_every_rare_picture_and_every_camera_is_left_out_exactly_once() -> None:
    folds = split_folds(pictures(), 3, seed=1)
    names = [name for fold in folds for name in fold.pictures]
    assert sorted(names) == sorted(p.name for p in pictures() if p.name.startswith("c"))
    assert sorted(c for fold in folds for c in fold.cameras) == [str(n) for n in range(7)]


def test_neighbouring_names_stay_together() -> None:
    folds = split_folds(pictures(), 3, seed=1)
    home = {name: number for number, fold in enumerate(folds) for name in fold.pictures}
    assert len({home[f"cart{n:03}.webp"] for n in range(4)}) == 1


def test_the_same_seed_gives_the_same_folds() -> None:
    assert split_folds(pictures(), 3, seed=1) == split_folds(pictures(), 3, seed=1)
    assert split_folds(pictures(), 3, seed=1) != split_folds(pictures(), 3, seed=2)


def test_a_fold_leaves_out_more_and_trains_less_than_its_recipe(tmp_path: Path) -> None:
    recipe = read_recipe(RECIPE)
    fold = split_folds(pictures(), 3, seed=1)[0]
    own = fold_recipe(recipe, fold, tmp_path / "start.safetensors", PHASE, 100)
    assert set(own.validation_cameras) == {*recipe.validation_cameras, *fold.cameras}
    assert set(own.held_out) == {*recipe.held_out, *fold.pictures}
    assert (own.training.steps, own.scenes.train) == (40, 100)
    assert own.training.warmup_steps < own.training.steps
