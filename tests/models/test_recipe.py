"""Recipes are read strictly."""

from pathlib import Path

import pytest

from models.training.classes import CLASSES
from models.training.errors import DataError, RecipeError
from models.training.recipe import REPOSITORY, claim, read_recipe

FOLDER = REPOSITORY / "models" / "training" / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
DEFAULT = FOLDER / "gridwatch-n.yaml"


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
    path.write_text(DEFAULT.read_text("utf-8") + "\nlerning_rate: 1\n", "utf-8")
    with pytest.raises(RecipeError, match="lerning_rate"):
        read_recipe(path)


def test_a_comment_does_not_change_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "same.yaml"
    path.write_text("# a remark\n" + DEFAULT.read_text("utf-8"), "utf-8")
    assert read_recipe(path).sha256 == read_recipe(DEFAULT).sha256


def test_a_recipe_that_extends_another_takes_the_rest_from_it() -> None:
    free, default = read_recipe(FOLDER / "gridwatch-n-free.yaml"), read_recipe(DEFAULT)
    assert free.training.learning_rate == default.training.learning_rate
    assert free.training.steps < default.training.steps
    assert free.sources != default.sources


def test_the_free_recipe_names_only_licences_that_are_free() -> None:
    free = read_recipe(FOLDER / "gridwatch-n-free.yaml")
    assert {source.licence.split(" (")[0] for source in free.sources} == {"CC BY 4.0"}


def test_a_recipe_that_extends_nothing_known_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "child.yaml"
    path.write_text("extends: parent.yaml\nname: child\n", "utf-8")
    with pytest.raises(RecipeError, match=r"parent\.yaml"):
        read_recipe(path)


@pytest.mark.parametrize("pace", ["[[50, 0.5], [40, 0.6]]", "[[9999, 0.5]]", "[[0, 0.5]]"])
def test_a_pace_out_of_its_steps_is_refused_by_name(pace: str, tmp_path: Path) -> None:
    path = tmp_path / "hasty.yaml"
    own = f"name: hasty\ntraining: {{pace: {pace}}}\n"
    path.write_text("extends: new-city.yaml\n" + own, "utf-8")
    (tmp_path / "new-city.yaml").write_bytes((FOLDER / "new-city.yaml").read_bytes())
    with pytest.raises(RecipeError, match="pace: steps"):
        read_recipe(path)


def test_a_pattern_that_is_no_regular_expression_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "typo.yaml"
    text = (FOLDER / "new-city.yaml").read_text("utf-8")
    path.write_text(text.replace("licence:", "seen_again: 'a(b'\n    licence:"), "utf-8")
    with pytest.raises(RecipeError, match="seen_again"):
        read_recipe(path)


def test_a_folder_that_another_recipe_began_is_not_gone_on_with(tmp_path: Path) -> None:
    default = read_recipe(DEFAULT)
    claim(tmp_path / "fold", default)
    other_bar = default.model_copy(update={"limits": ["It knows no trees."]})
    claim(tmp_path / "fold", other_bar)  # one's own is, however it is described
    with pytest.raises(DataError, match="other settings"):
        claim(tmp_path / "fold", default.model_copy(update={"seed": default.seed + 1}))
