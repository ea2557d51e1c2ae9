"""What of val is judged apart."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")

from models.training.evaluate import without_seen_again
from models.training.judging import NO_ROWS
from models.training.metrics import Judged
from models.training.recipe import REPOSITORY, read_recipe

RECIPE = read_recipe(REPOSITORY / "models" / "training" / "recipes" / "gridwatch-n.yaml")


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("atanu_002679.webp", True),
        ("atanu_002680.webp", False),
        ("atanu_003361.webp", False),
        ("atanu_000312.webp", True),
        ("cctv35_000002700.webp", True),
    ],
)
def test_scenes_that_training_saw_too_are_left_out(name: str, *, stays: bool) -> None:
    judged = Judged(name, (640, 640), NO_ROWS, NO_ROWS, np.zeros((0, 6), np.float32))
    assert without_seen_again(RECIPE, [judged]) == ([judged] if stays else [])
