"""Samples: boxes follow the picture."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")

from models.training.batches import (
    Sample,
    Sampler,
    _moved,
    batch_stream,
    phase_at,
    street_weights,
    to_tensors,
)
from models.training.classes import CLASSES
from models.training.errors import DataError
from models.training.losses import Region
from models.training.recipe import REPOSITORY, read_recipe

WINDOW = (0.0, 0.0, 100.0, 100.0)
ROW = np.array([[3, 10, 20, 30, 40]], np.float32)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0]], [3, 10, 20, 30, 40]),
        ([[2, 0, 5], [0, 2, -20]], [3, 25, 20, 65, 60]),  # enlarged and shifted
        ([[-1, 0, 100], [0, 1, 0]], [3, 70, 20, 90, 40]),  # mirrored
    ],
)
def test_a_box_moves_with_its_picture(matrix: list[list[float]], expected: list[float]) -> None:
    kept, _ = _moved(ROW, np.array(matrix, float), WINDOW)
    assert kept[0].tolist() == pytest.approx(expected)


def test_a_box_cut_off_too_far_becomes_unsure() -> None:
    kept, unsure = _moved(ROW, np.array([[1.0, 0, -25], [0, 1, 0]]), WINDOW)
    assert (len(kept), len(unsure)) == (0, 1)


def test_a_batch_holds_fractions_and_a_weight_for_every_anchor() -> None:
    region = Region((0.0, 0.0, 96.0, 64.0), np.ones(len(CLASSES), np.float32))
    picture = np.zeros((64, 96, 3), np.uint8)
    sample = Sample(picture, np.array([[1, 0, 0, 48, 32]], np.float32), ROW[:0], [region])
    batch = to_tensors([sample, sample])
    assert batch["img"].shape == (2, 3, 64, 96)
    assert batch["bboxes"][0].tolist() == pytest.approx([0.25, 0.25, 0.5, 0.5])
    assert batch["batch_idx"].tolist() == [0, 1]
    assert batch["class_weights"].shape == (2, 8 * 12 + 4 * 6 + 2 * 3, len(CLASSES))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_batch_that_cannot_be_made_ends_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise OSError("broken.jpg")

    monkeypatch.setattr(Sampler, "__init__", lambda *_: None)
    monkeypatch.setattr(Sampler, "reseed", broken)
    recipe = read_recipe(REPOSITORY / "models/training/recipes/gridwatch-n.yaml")
    with pytest.raises(DataError, match="could not be made"):
        next(batch_stream(None, recipe, 0))  # type: ignore[arg-type]


def test_steps_walk_through_the_phases() -> None:
    recipe = read_recipe(REPOSITORY / "models/training/recipes/gridwatch-n.yaml")
    first, *_, last = recipe.training.phases
    assert phase_at(recipe, 0) is first
    assert phase_at(recipe, recipe.training.steps - 1) is last


@pytest.mark.parametrize(
    ("kinds", "share", "expected"),
    [
        (["look", "tile", "frame"], 0.0, [0.45, 0.35, 0.2]),
        (["look", "look", "tile", "frame", "picture"], 0.0, [0.225, 0.225, 0.35, 0.2, 0]),
        (["look", "tile", "frame", "rendered"], 0.25, [0.3375, 0.2625, 0.15, 0.25]),
        (["look", "rendered", "rendered"], 0.5, [0.5, 0.25, 0.25]),
        (["look", "tile", "frame"], 0.25, [0.45, 0.35, 0.2]),  # none there: none drawn
        (["frame", "rendered"], 0.0, [1, 0]),
        (["picture"], 0.25, [0]),
    ],
)
def test_street_views_are_drawn_by_kind_and_rendered_ones_by_their_share(
    kinds: list[str], share: float, expected: list[float]
) -> None:
    assert street_weights(np.array(kinds), share).tolist() == pytest.approx(expected)
