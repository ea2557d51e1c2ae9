"""Rendered pictures: taken with their labels, drawn at their share, refused where labels lack."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.errors import DataError
from models.training.prepared import Item, Prepared, write_index
from models.training.recipe import REPOSITORY, Recipe, Rendered, read_recipe
from models.training.rendered import SOURCE, prepare_rendered, rendered_pictures

RECIPE = REPOSITORY / "models" / "training" / "recipes" / "gridwatch-n.yaml"


def block(folder: Path, count: int = 3) -> Path:
    """Lay out pictures as `python -m benchmarks.block training` does: grey, one bin each."""
    for part in ("images", "labels"):
        (folder / part / "train").mkdir(parents=True)
    for number in range(count):
        name = f"block-1-{number:04d}"
        picture = np.full((360, 640, 3), 90 + number, np.uint8)
        cv2.imwrite(str(folder / "images" / "train" / f"{name}.webp"), picture)
        label = folder / "labels" / "train" / f"{name}.txt"
        label.write_text("1 0.5 0.5 0.1 0.2\n", "utf-8")
    return folder


def recipe_with(folder: Path | str, share: float = 0.25) -> Recipe:
    return read_recipe(RECIPE).model_copy(
        update={"rendered": Rendered(folder=str(folder), share=share)}
    )


def test_a_recipe_without_rendered_pictures_prepares_none(tmp_path: Path) -> None:
    assert prepare_rendered(read_recipe(RECIPE), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_every_rendered_picture_is_kept_with_its_boxes_in_pixels(tmp_path: Path) -> None:
    block(tmp_path / "block")
    target = prepare_rendered(recipe_with("block"), tmp_path)  # beside the work folder's own
    assert target is not None
    items = Prepared(target).items
    assert [(item.kind, item.source) for item in items] == [("rendered", SOURCE)] * 3
    assert items[0].labels.tolist() == [[1, 288, 144, 352, 216]]
    assert all(item.weights.tolist() == [1.0] * 9 for item in items)


def test_the_same_recipe_disturbs_them_the_same_way(tmp_path: Path) -> None:
    source, made = block(tmp_path / "source"), []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        target = prepare_rendered(recipe_with(source), tmp_path / name)
        assert target is not None
        made.append([file.read_bytes() for file in sorted(target.glob("*.jpg"))])
    assert made[0] == made[1]


def test_a_folder_without_pictures_is_refused_with_the_command_that_makes_some(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match=r"benchmarks\.block training"):
        rendered_pictures(tmp_path)


def test_a_picture_without_labels_is_refused_by_name(tmp_path: Path) -> None:
    block(tmp_path)
    (tmp_path / "labels" / "train" / "block-1-0001.txt").unlink()
    with pytest.raises(DataError, match=r"block-1-0001\.txt is missing"):
        rendered_pictures(tmp_path)


def test_several_prepared_folders_are_read_as_one(tmp_path: Path) -> None:
    for name, grey in (("first", 40), ("second", 200)):
        (tmp_path / name).mkdir()
        picture = np.full((8, 8, 3), grey, np.uint8)
        cv2.imwrite(str(tmp_path / name / "a.jpg"), picture)
        rows = np.zeros((0, 5), np.float32)
        weights = np.ones(9, np.float32)
        write_index(tmp_path / name, [Item("a.jpg", "look", name, rows, rows, weights, 1.0)])
    both = Prepared(tmp_path / "first", tmp_path / "second")
    assert [item.source for item in both.items] == ["first", "second"]
    assert [int(both.picture(n).mean().round()) for n in range(2)] == [40, 200]


def test_taking_them_or_taking_more_makes_another_recipe() -> None:
    hashes = {
        read_recipe(RECIPE).sha256,
        recipe_with("block").sha256,
        recipe_with("block", 0.5).sha256,
    }
    assert len(hashes) == 3
