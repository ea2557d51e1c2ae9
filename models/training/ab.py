"""A/B: what rendered pictures change on real ones, by two trainings that differ in nothing else.

Both arms start from the same weights and take the same steps with the same seed over the same
prepared data; one of them draws a share of its street views from rendered pictures. Both are judged
on the recipe's val and val-street.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.training.classes import CLASSES
from models.training.compare import PARTS, Compared
from models.training.export import export
from models.training.prepared import Prepared
from models.training.recipe import Phase, Recipe, Rendered, claim
from models.training.rendered import prepare_rendered
from models.training.train import train

WITHOUT, WITH = "without", "with"
REAL = "val"  # the part of the comparison that holds real pictures
LOSS_MAX = 0.005  # of mean AP50 on real pictures, above which rendered ones do not stay
LEARNING_RATE = 2e-4  # low, since both arms start from weights that know the classes
SHARE = 0.25  # of street views, where the recipe names none
WARM_UP_SHARE = 0.15


@dataclass(frozen=True)
class Plan:
    """How both arms are trained."""

    start: Path
    steps: int
    rendered: Path


def arm_recipe(recipe: Recipe, plan: Plan, name: str) -> Recipe:
    """Return the recipe of one arm, named as it; only ``rendered`` differs between them."""
    phase = Phase(steps=plan.steps, picture_px=416, batch=16, street_share=0.5, mosaic=0.3)
    training = recipe.training.model_copy(
        update={
            "phases": [phase],
            "pace": [],
            "learning_rate": LEARNING_RATE,
            "warmup_steps": max(int(plan.steps * WARM_UP_SHARE), 1),
        }
    )
    share = recipe.rendered.share if recipe.rendered else SHARE
    rendered = Rendered(folder=str(plan.rendered.resolve()), share=share)
    return recipe.model_copy(
        update={
            "name": name,
            "default": False,
            "start": str(plan.start.resolve()),
            "rendered": rendered if name == WITH else None,
            "training": training,
            "export": recipe.export.model_copy(update={"sizes": recipe.export.sizes[:1]}),
        }
    )


def train_arms(recipe: Recipe, folder: Path, plan: Plan) -> Iterator[Path]:
    """Train and export each arm below ``folder``/ab; yield its model folder.

    Needs the recipe's own 'prepare' done in ``folder``. An arm that was stopped goes on; another
    plan needs another work folder, or ``ab`` taken away. DataError where nothing is prepared.
    """
    prepared = folder / "prepared"
    Prepared.index(prepared)
    for name in (WITHOUT, WITH):
        own, target = arm_recipe(recipe, plan, name), folder / "ab" / name
        claim(target, own)
        if not (target / "prepared").exists():
            (target / "prepared").symlink_to(prepared.resolve())
        prepare_rendered(own, target)
        train(own, target)
        yield export(own, target)


def difference_table(before: Compared, after: Compared) -> str:
    """Return AP50 of both arms side by side, by class and in the mean, with the points gained."""
    lines = ["| split | class | without | with | points |", "|---|---|---|---|---|"]
    for part in PARTS:
        scores = [
            (n, before.scores[part][n][0], after.scores[part][n][0]) for n in _named(before, part)
        ]
        scores.append(("**mean**", before.mean(part)[0], after.mean(part)[0]))
        lines += [
            f"| {part} | {name} | {a:.3f} | {b:.3f} | {100 * (b - a):+.1f} |"
            for name, a, b in scores
        ]
    return "\n".join(lines)


def _named(row: Compared, part: str) -> list[str]:
    return [name for name in CLASSES if name in row.scores[part]]


def verdict(before: Compared, after: Compared) -> str:
    """Say in one line whether rendered pictures stay: not where real AP falls by half a point."""
    change = after.mean(REAL)[0] - before.mean(REAL)[0]
    kept = "they stay" if change >= -LOSS_MAX else "they do not stay"
    return (
        f"Mean AP50 on real {REAL} changes by {100 * change:+.2f} points with rendered pictures: "
        f"{kept} (they may cost {100 * LOSS_MAX:.1f} at most)."
    )
