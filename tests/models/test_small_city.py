"""A new city's path: one command from labelled pictures to a signed model that an agent runs."""

import csv
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("torch", reason="needs the training extra")
if find_spec("ultralytics") is None:  # imported only through the workshop's own door
    pytest.skip("needs the training extra", allow_module_level=True)

from typer.testing import CliRunner

from edge_agent.detect import read_picture
from edge_agent.detector import Detector
from models.training.__main__ import app
from models.training.recipe import REPOSITORY
from models.training.signing import is_signed

RECIPE = REPOSITORY / "models" / "training" / "recipes" / "new-city.yaml"
SIDE = 192


def draw_city(root: Path) -> None:
    """Lay out a few drawn pictures with a green bin each, as models/README.md says."""
    rows = []
    for number in range(8):
        split = "val" if number % 4 == 3 else "train"
        rng = np.random.default_rng(number)
        picture = rng.integers(90, 140, (SIDE, SIDE, 3), dtype=np.uint8)
        x, y = (int(v) for v in rng.integers(20, 100, 2))
        cv2.rectangle(picture, (x, y), (x + 50, y + 70), (40, 120, 30), -1)
        for kind in ("images", "labels"):
            (root / "data" / kind / split).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "data" / "images" / split / f"{number}.png"), picture)
        label = f"1 {(x + 25) / SIDE} {(y + 35) / SIDE} {50 / SIDE} {70 / SIDE}\n"
        (root / "data" / "labels" / split / f"{number}.txt").write_text(label, "utf-8")
        rows.append([split, f"{number}.png", "new_city", ""])
    with (root / "data" / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["split", "file", "source", "camera"], *rows])


def short_recipe(path: Path) -> None:
    """Write the shipped recipe with three steps and one small input."""
    recipe = yaml.safe_load(RECIPE.read_text("utf-8"))
    phase = {"steps": 3, "picture_px": 128, "batch": 2, "street_share": 0.0, "mosaic": 0.4}
    recipe["training"] |= {"phases": [phase], "warmup_steps": 2}
    recipe["export"]["sizes"] = [[192, 192]]
    path.write_text(yaml.safe_dump(recipe), "utf-8")


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_one_command_makes_a_signed_model_that_detects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_city(tmp_path)
    short_recipe(tmp_path / "recipe.yaml")
    monkeypatch.setenv("GRIDWATCH_SHARED", str(tmp_path))
    options = [
        f"--recipe={tmp_path / 'recipe.yaml'}",
        f"--work={tmp_path / 'work'}",
        f"--models={tmp_path / 'models'}",
        f"--key={tmp_path / 'city.pem'}",
    ]
    done = CliRunner().invoke(app, ["all", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "models" / "new-city"
    assert is_signed(folder / "card.yaml", tmp_path / "models" / "gridwatch.pub")
    detector = Detector(folder, threads=1)
    judged = {metric.class_ for metric in detector.card.metrics if metric.split == "val"}
    assert judged == {"garbage_bin"}
    detector.detect(read_picture(tmp_path / "data" / "images" / "val" / "3.png"))
