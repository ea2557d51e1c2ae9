"""Recipes are read strictly."""

from pathlib import Path

import pytest

from models.training.classes import CLASSES
from models.training.errors import RecipeError
from models.training.recipe import REPOSITORY, read_recipe

RECIPES = sorted((REPOSITORY / "models" / "training" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_a_shipped_recipe_is_readable_and_named_as_its_file(path: Path) -> None:
    assert read_recipe(path).name == path.stem


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_a_shipped_recipe_weighs_only_known_classes(path: Path) -> None:
    for source in read_recipe(path).sources:
        named = {*source.unlabelled, *(source.unlabelled_if_empty or {})}
        assert named <= set(CLASSES)


def test_an_unknown_key_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "typo.yaml"
    path.write_text(RECIPES[0].read_text("utf-8") + "\nlerning_rate: 1\n", "utf-8")
    with pytest.raises(RecipeError, match="lerning_rate"):
        read_recipe(path)


def test_a_comment_does_not_change_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "same.yaml"
    path.write_text("# a remark\n" + RECIPES[0].read_text("utf-8"), "utf-8")
    assert read_recipe(path).sha256 == read_recipe(RECIPES[0]).sha256
