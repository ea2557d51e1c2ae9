"""The workshop's commands: prepare, train, export, evaluate, card."""

import json
from pathlib import Path
from typing import Annotated

import typer

from models.training import measures
from models.training.card import metrics_table, write_card
from models.training.errors import WorkshopError
from models.training.evaluate import evaluate as run_evaluation
from models.training.evaluate import to_json
from models.training.export import export as run_export
from models.training.measures import RecipeOption, WorkOption, opened
from models.training.plots import draw_log
from models.training.prepare import prepare as run_prepare
from models.training.recipe import REPOSITORY
from models.training.train import train as run_training

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="Ed25519 private key to sign with; made where absent")
]
ModelsOption = Annotated[Path, typer.Option("--models", help="folder that holds the models")]
MODELS = REPOSITORY / "models"


@app.command()
def prepare(recipe: RecipeOption, work: WorkOption = None) -> None:
    """Make pseudo-labels, cut-outs and street scenes."""
    print(run_prepare(*opened(recipe, work)))


@app.command()
def train(recipe: RecipeOption, work: WorkOption = None) -> None:
    """Train, or go on after a stop."""
    read, folder = opened(recipe, work)
    print(run_training(read, folder))
    draw_log(folder / "log.csv", folder / "log.png")


@app.command()
def export(recipe: RecipeOption, work: WorkOption = None) -> None:
    """Write ONNX files and a draft card."""
    print(run_export(*opened(recipe, work)))


@app.command()
def evaluate(
    recipe: RecipeOption,
    work: WorkOption = None,
    model: Annotated[
        Path | None, typer.Option(help="another model folder to measure the same way")
    ] = None,
) -> None:
    """Measure the exported model on val and val-street."""
    result = to_json(run_evaluation(*opened(recipe, work), model))
    print(metrics_table(result))
    print(
        json.dumps(
            {
                k: result[k]
                for k in ("thresholds", "confusion", "quiet_hits", "quiet_frames", "quiet_list")
            }
        )
    )


@app.command()
def card(
    recipe: RecipeOption,
    work: WorkOption = None,
    models: ModelsOption = MODELS,
    key: KeyOption = None,
    masking: Annotated[
        Path | None, typer.Option(help="what gridwatch-bench masking --json measured")
    ] = None,
) -> None:
    """Put the evaluated model, its card and its signature into the models folder."""
    read, folder = opened(recipe, work)
    print(write_card(read, folder, models, key, masking))


for _measure in (
    measures.speed,
    measures.quantise,
    measures.precision,
    measures.compare,
    measures.scaling,
    measures.folds,
    measures.ab,
    measures.draw,
):
    app.command()(_measure)


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
