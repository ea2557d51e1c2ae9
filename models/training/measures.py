"""The workshop's measuring commands: speed, quantise, precision, compare, scaling, folds, ab."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from models.training.ab import Plan, difference_table, train_arms, verdict
from models.training.classes import CLASSES
from models.training.compare import class_table, summary_table
from models.training.compare import compare as run_comparison
from models.training.drawn import DRAWN, draw_all
from models.training.export import DRAFT_THRESHOLD, draft_folder
from models.training.folds import cross_validate, to_json
from models.training.int8 import quantise as run_quantise
from models.training.judging import one_size, val_pictures
from models.training.precision import compare_precisions
from models.training.recipe import Phase, Recipe, read_recipe, start_weights, work_folder
from models.training.scaling import compare_scaling
from models.training.speed import measure_speed
from models.training.val_street import make_val_street

RecipeOption = Annotated[Path, typer.Option("--recipe", help="the recipe, a YAML file")]
WorkOption = Annotated[
    Path | None, typer.Option("--work", help="folder for all that is made on the way")
]
HeightArgument = Annotated[int, typer.Argument(help="of the network's input, pixels")]
WidthArgument = Annotated[int, typer.Argument(help="of the network's input, pixels")]
RoundsOption = Annotated[int, typer.Option(help="pictures timed for the median")]
EveryOption = Annotated[int, typer.Option(min=1, help="judge every so many-th picture only")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="write the figures here")]


def opened(recipe: Path, work: Path | None) -> tuple[Recipe, Path]:
    """Read a recipe and find its work folder."""
    read = read_recipe(recipe)
    return read, work_folder(read, work)


def _write(path: Path | None, body: object) -> None:
    if path is not None:
        path.write_text(json.dumps(body, indent=1) + "\n", "utf-8")


def speed(
    folder: Annotated[Path, typer.Argument(help="a model folder")], rounds: RoundsOption = 40
) -> None:
    """Measure milliseconds a picture of every file, on one and on two threads."""
    print("| file | threads | ms (median) |\n|---|---|---|")
    for name, threads, milliseconds in measure_speed(folder, rounds):
        print(f"| {name} | {threads} | {milliseconds:.1f} |")


def quantise(
    recipe: RecipeOption, height: HeightArgument, width: WidthArgument, work: WorkOption = None
) -> None:
    """Write an int8 variant of an exported file, unless it loses more than one AP50 point."""
    path, loss = run_quantise(*opened(recipe, work), height, width)
    print(f"{path}: loses {100 * loss:.2f} AP50 points on val")


def precision(
    recipe: RecipeOption,
    height: HeightArgument,
    width: WidthArgument,
    work: WorkOption = None,
    rounds: RoundsOption = 40,
    every: EveryOption = 1,
) -> None:
    """Compare precisions of one exported file: AP50 on val against fp32, and milliseconds."""
    read, folder = opened(recipe, work)
    path = draft_folder(folder, read) / f"{read.name}-{height}x{width}.onnx"
    print("| runtime | precision | mean AP50 on val | ms, 1 thread | 2 threads |")
    print("|---|---|---|---|---|")
    for one in compare_precisions(path, val_pictures(read)[::every], rounds):
        times = f"{one.ms_1:.1f} | {one.ms_2:.1f}"
        print(f"| {one.runtime} | {one.precision} | {one.ap50:.4f} | {times} |")


def compare(
    folders: Annotated[list[Path], typer.Argument(help="model folders")],
    recipe: RecipeOption,
    work: WorkOption = None,
    rounds: RoundsOption = 40,
    every: EveryOption = 1,
    json_file: JsonOption = None,
) -> None:
    """Compare model folders, file by file, on the recipe's val and val-street."""
    read, folder = opened(recipe, work)
    pictures, scenes = val_pictures(read)[::every], make_val_street(read, folder)[::every]
    rows = list(run_comparison(folders, pictures, scenes, rounds))
    print(summary_table(rows), class_table(rows), sep="\n\n")
    _write(json_file, [row.as_json() for row in rows])


def scaling(
    model: Annotated[Path, typer.Argument(help="a model folder")],
    height: HeightArgument,
    width: WidthArgument,
    recipe: RecipeOption,
    work: WorkOption = None,
    every: EveryOption = 1,
) -> None:
    """Measure what fast ways to shrink pictures cost in AP50 on val and val-street."""
    read, folder = opened(recipe, work)
    detector = one_size(model, height, width, threads=2)
    pictures, scenes = val_pictures(read)[::every], make_val_street(read, folder)[::every]
    print("| scaling | ms | mean AP50 on val | on val-street | each class of both |")
    print("|---|---|---|---|---|")
    for one in compare_scaling(detector, pictures, scenes):
        val, street = (sum(s.ap50 for s in x) / len(x) for x in (one.val, one.street))
        each = ", ".join(f"{s.ap50:.2f}" for s in [*one.val, *one.street])
        print(f"| {one.method} | {one.ms:.2f} | {val:.3f} | {street:.3f} | {each} |")


def folds(
    recipe: RecipeOption,
    work: WorkOption = None,
    start: Annotated[
        Path | None,
        typer.Option(help="common checkpoint; it must not know what the folds leave out"),
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="how many folds")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="training steps a fold")] = 400,
    picture_px: Annotated[int, typer.Option(help="resolution of the square pictures")] = 416,
) -> None:
    """Cross-validate rare classes and quiet cameras by short trainings."""
    read, folder = opened(recipe, work)
    phase = Phase(steps=steps, picture_px=picture_px, batch=16, street_share=0.4, mosaic=0.3)
    result = cross_validate(
        read, folder, count, start or start_weights(read), phase, _thresholds(folder)
    )
    for s in result.scores:
        print(f"{s.class_name}: n={s.n} AP50 {s.ap50:.3f} ({s.ci95[0]:.2f}-{s.ci95[1]:.2f})")
    print(json.dumps({k: v for k, v in to_json(result).items() if k != "metrics"}))


def ab(
    rendered: Annotated[
        Path, typer.Argument(help="folder that `python -m benchmarks.block training` wrote")
    ],
    recipe: RecipeOption,
    work: WorkOption = None,
    start: Annotated[
        Path | None, typer.Option(help="weights that both arms start from; absent: the recipe's")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="training steps an arm")] = 200,
    every: EveryOption = 1,
) -> None:
    """Train briefly twice, with and without rendered pictures, and judge both on real ones.

    Figures are written to `ab/ab.json` in the work folder, too.
    """
    read, folder = opened(recipe, work)
    plan = Plan(start or start_weights(read), steps, rendered)
    models = list(train_arms(read, folder, plan))
    pictures, scenes = val_pictures(read)[::every], make_val_street(read, folder)[::every]
    rows = list(run_comparison(models, pictures, scenes, rounds=5))
    print(class_table(rows), difference_table(*rows), verdict(*rows), sep="\n\n")
    _write(folder / "ab" / "ab.json", [row.as_json() for row in rows])


def _thresholds(folder: Path) -> dict[str, dict[str, float]]:
    """Return the thresholds of the recipe's own evaluation; a draft's before there is one."""
    report = folder / "evaluation" / "evaluation.json"
    if not report.is_file():
        return {name: dict(DRAFT_THRESHOLD) for name in CLASSES}
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return {str(k): v for k, v in found["thresholds"].items()}


def draw(folder: Annotated[Path, typer.Argument(help="where the pictures go")] = DRAWN) -> None:
    """Draw the small committed street pictures anew."""
    draw_all(folder)
