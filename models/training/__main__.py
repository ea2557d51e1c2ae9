"""The workshop's commands: prepare, train, export, evaluate, card."""

import json
from pathlib import Path
from typing import Annotated

import typer

from models.training.card import metrics_table, write_card
from models.training.errors import WorkshopError
from models.training.evaluate import evaluate as run_evaluation
from models.training.evaluate import to_json
from models.training.export import export as run_export
from models.training.int8 import quantise as run_quantise
from models.training.plots import draw_log
from models.training.prepare import prepare as run_prepare
from models.training.recipe import REPOSITORY, Recipe, read_recipe, work_folder
from models.training.speed import measure_speed
from models.training.train import train as run_training

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
RecipeOption = Annotated[Path, typer.Option("--recipe", help="the recipe, a YAML file")]
WorkOption = Annotated[
    Path | None, typer.Option("--work", help="folder for all that is made on the way")
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="Ed25519 private key to sign with; made where absent")
]
ModelsOption = Annotated[Path, typer.Option("--models", help="folder that holds the models")]
MODELS = REPOSITORY / "models"


def _open(recipe: Path, work: Path | None) -> tuple[Recipe, Path]:
    read = read_recipe(recipe)
    return read, work_folder(read, work)


@app.command()
def prepare(recipe: RecipeOption, work: WorkOption = None) -> None:
    """Make pseudo-labels, cut-outs and street scenes."""
    print(run_prepare(*_open(recipe, work)))


@app.command()
def train(recipe: RecipeOption, work: WorkOption = None) -> None:
    """Train, or go on after a stop."""
    read, folder = _open(recipe, work)
    print(run_training(read, folder))
    draw_log(folder / "log.csv", folder / "log.png")


@app.command()
def export(recipe: RecipeOption, work: WorkOption = None) -> None:
    """Write ONNX files and a draft card."""
    print(run_export(*_open(recipe, work)))


@app.command()
def evaluate(recipe: RecipeOption, work: WorkOption = None) -> None:
    """Measure the exported model on val and val-street."""
    result = to_json(run_evaluation(*_open(recipe, work)))
    print(metrics_table(result))
    print(
        json.dumps(
            {k: result[k] for k in ("thresholds", "confusion", "quiet_hits", "quiet_frames")}
        )
    )


@app.command()
def card(
    recipe: RecipeOption,
    work: WorkOption = None,
    models: ModelsOption = MODELS,
    key: KeyOption = None,
) -> None:
    """Put the evaluated model, its card and its signature into the models folder."""
    read, folder = _open(recipe, work)
    print(write_card(read, folder, models, key))


@app.command()
def speed(folder: Annotated[Path, typer.Argument(help="a model folder")], rounds: int = 40) -> None:
    """Measure milliseconds a picture of every file, on one and on two threads."""
    print("| file | threads | ms (median) |\n|---|---|---|")
    for name, threads, milliseconds in measure_speed(folder, rounds):
        print(f"| {name} | {threads} | {milliseconds:.1f} |")


@app.command()
def quantise(recipe: RecipeOption, height: int, width: int, work: WorkOption = None) -> None:
    """Write an int8 variant of an exported file, unless it loses more than one AP50 point."""
    path, loss = run_quantise(*_open(recipe, work), height, width)
    print(f"{path}: loses {100 * loss:.2f} AP50 points on val")


@app.command(name="all")
def run_all(
    recipe: RecipeOption,
    work: WorkOption = None,
    key: KeyOption = None,
    models: ModelsOption = MODELS,
) -> None:
    """Do everything in order: prepare, train, export, evaluate, card."""
    prepare(recipe, work)
    train(recipe, work)
    export(recipe, work)
    evaluate(recipe, work)
    card(recipe, work, models, key)


def main() -> None:
    """Run a command; a known failure is one line on stderr and exit code 1."""
    try:
        app()
    except WorkshopError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
