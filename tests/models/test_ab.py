"""A/B: two arms that differ in rendered pictures alone, and what their figures decide."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the training extra")

from models.training.ab import (
    WITH,
    WITHOUT,
    Plan,
    arm_recipe,
    difference_table,
    train_arms,
    verdict,
)
from models.training.compare import PARTS, Compared
from models.training.errors import DataError
from models.training.recipe import REPOSITORY, Rendered, read_recipe

RECIPE = REPOSITORY / "models" / "training" / "recipes" / "gridwatch-n.yaml"
PLAN = Plan(start=Path("start.safetensors"), steps=40, rendered=Path("block"))


def scored(val: float) -> Compared:
    scores = {part: {"garbage_bin": (0.5, 0.3)} for part in PARTS}
    return Compared("arm", 384, 640, 1, 1.0, 1.0, scores | {"val": {"garbage_bin": (val, 0.3)}})


def test_the_arms_differ_in_name_and_rendered_pictures_alone() -> None:
    recipe = read_recipe(RECIPE)
    one, other = (arm_recipe(recipe, PLAN, name).model_dump() for name in (WITHOUT, WITH))
    assert {key for key in one if one[key] != other[key]} == {"name", "rendered"}
    assert (one["training"]["phases"][0]["steps"], one["rendered"]) == (40, None)
    assert other["rendered"]["folder"] == str(PLAN.rendered.resolve())


def test_a_recipe_s_own_share_is_tried() -> None:
    recipe = read_recipe(RECIPE).model_copy(update={"rendered": Rendered(share=0.4)})
    own = arm_recipe(recipe, PLAN, WITH).rendered
    assert own is not None
    assert own.share == 0.4


def test_nothing_is_trained_before_the_recipe_is_prepared(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run 'prepare' first"):
        next(train_arms(read_recipe(RECIPE), tmp_path, PLAN))


def test_an_arm_begun_with_another_plan_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "prepared").mkdir()
    (tmp_path / "prepared" / "index.json").write_text("[]", "utf-8")
    (tmp_path / "ab" / WITHOUT).mkdir(parents=True)
    (tmp_path / "ab" / WITHOUT / "recipe.sha256").write_text("another", "utf-8")
    with pytest.raises(DataError, match="other settings"):
        next(train_arms(read_recipe(RECIPE), tmp_path, PLAN))


@pytest.mark.parametrize(
    ("after", "decision"),
    [(0.72, "they stay"), (0.70, "they stay"), (0.696, "they stay"), (0.69, "they do not stay")],
)
def test_they_stay_unless_real_ap_falls_by_more_than_half_a_point(
    after: float, decision: str
) -> None:
    assert decision in verdict(scored(0.70), scored(after))


def test_the_table_sets_both_arms_and_the_points_between_them_side_by_side() -> None:
    lines = difference_table(scored(0.70), scored(0.65)).splitlines()
    assert "| val | garbage_bin | 0.700 | 0.650 | -5.0 |" in lines
    assert "| street | **mean** | 0.500 | 0.500 | +0.0 |" in lines
