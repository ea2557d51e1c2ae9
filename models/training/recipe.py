"""A recipe: everything that decides what a detector becomes, in one YAML file."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from models.training.errors import DataError, RecipeError

REPOSITORY = Path(__file__).resolve().parents[2]
Head = Literal["one_to_one", "one_to_many"]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSource(_Part):
    """One source of pictures and what it teaches.

    ``unlabelled`` gives, per class name, how much an unmarked place of that class counts as a
    negative: 1 (the default) fully, 0 not at all, because the class is there but not labelled.
    ``seen_again``, a regular expression, names the files of val whose scene training pictures show
    from another side.
    """

    name: str
    licence: str
    repeat: float = 1.0
    unlabelled: dict[str, Share] = {}
    unlabelled_if_empty: dict[str, Share] | None = None
    seen_again: str | None = None

    @field_validator("seen_again")
    @classmethod
    def _is_an_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value


class PseudoLabels(_Part):
    """Labels for person and vehicle by a detector trained on COCO."""

    weights: str
    architecture: str
    keep: Share
    ignore: Share
    sizes: list[tuple[int, int]]
    cctv_sizes: list[tuple[int, int]]


class Scenes(_Part):
    """Street scenes made by placing cut-out objects into camera frames.

    ``real_covers`` gives, per validation camera, boxes (xyxy, pixels of 640 x 360) of covers that
    are really there and that nobody marked: finding them is neither right nor wrong.
    """

    train: int
    val: int
    cutouts_per_class: int = 450
    tiles_per_scene: int = 2
    camera_share_max: Share = 0.08
    broken_covers: int = 0
    real_covers: dict[str, list[tuple[float, float, float, float]]] = {}


class Rendered(_Part):
    """Pictures of the virtual street block, as ``share`` of the street views that training draws.

    ``folder`` is what ``python -m benchmarks.block training`` wrote; relative to the work folder.
    """

    folder: str = "block"
    share: Share


class Phase(_Part):
    """A stretch of training at one resolution; its first ``frozen`` layers learn nothing more.

    ``zoom``: pictures outside mosaics are drawn between so and so many times as large as they fit;
    without it mostly close up, 0.9 to 1.5, as is best to learn from, if not what is judged.
    """

    steps: int
    picture_px: int
    batch: int
    street_share: Share
    mosaic: Share
    frozen: int = 0
    zoom: tuple[float, float] | None = None


class Training(_Part):
    """How the network is trained.

    ``pace``: knots (step, share of the way) of rate and loss weights where their way from 0 at the
    first step to 1 at the last is no straight line. A share below the one before is a fresh start.
    """

    learning_rate: float
    final_share: Share
    weight_decay: float
    warmup_steps: int
    ema_decay: float
    checkpoint_every: int
    precision: Literal["bf16", "float32"]
    phases: list[Phase]
    pace: list[tuple[int, Share]] = []

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return sum(p.steps for p in self.phases)

    @model_validator(mode="after")
    def _pace_within_steps(self) -> Self:
        """Refuse knots out of order or beyond the end, as one inherits who says new phases."""
        knots = [step for step, _ in self.pace]
        if knots != sorted(set(knots)) or (knots and not 0 < knots[0] <= knots[-1] < self.steps):
            msg = f"pace: steps {knots} are not ascending between 0 and {self.steps}, the last step"
            raise ValueError(msg)
        return self


class Evaluation(_Part):
    """How thresholds and intervals are found."""

    bootstrap: int = 300
    raise_precision: Share = 0.9
    raise_precision_of: dict[str, Share] = {}
    keep_precision: Share = 0.7
    keep_precision_of: dict[str, Share] = {}
    bounds: tuple[Share, Share] = (0.15, 0.85)
    fixed: dict[str, dict[str, Share]] = {}


class Export(_Part):
    """Which files are shipped."""

    sizes: list[tuple[int, int]]
    head: Head = "one_to_one"


class Recipe(_Part):
    """The whole recipe."""

    name: str
    seed: int
    architecture: str
    start: str
    default: bool = False
    validation_cameras: list[str]
    held_out: list[str] = []  # training pictures that nothing may learn from, by file name
    sources: list[DataSource]
    pseudo: PseudoLabels | None = None  # absent: all that counts is marked by hand
    scenes: Scenes
    rendered: Rendered | None = None
    training: Training
    evaluation: Evaluation = Evaluation()
    export: Export
    limits: list[str]

    @property
    def sha256(self) -> str:
        """Hash of the recipe's content, independent of comments, order and what is left as it is.

        So a field that is new with some later version changes no recipe that does without it.
        """
        return _hash(self.model_dump(mode="json", exclude_defaults=True))

    @property
    def weights_sha256(self) -> str:
        """Hash of what decides the weights: not how they are judged, exported and described."""
        apart = {"evaluation", "export", "limits"}
        return _hash(self.model_dump(mode="json", exclude_defaults=True, exclude=apart))

    def source(self, name: str) -> DataSource:
        """Return the named source; RecipeError where the recipe lacks it."""
        for one in self.sources:
            if one.name == name:
                return one
        msg = f"recipe {self.name} has no source {name!r}; it has {[s.name for s in self.sources]}"
        raise RecipeError(msg)


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe; RecipeError says what is wrong and where.

    ``extends: other.yaml`` takes everything that a recipe does not say itself from the one beside
    it; lists are taken or replaced whole.
    """
    try:
        return Recipe.model_validate(_extended(path))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        msg = f"recipe {path}: {error}"
        raise RecipeError(msg) from error


def _extended(path: Path) -> Any:
    """Return a recipe file's content over that of the recipe it extends."""
    own = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(own, dict) or "extends" not in own:
        return own
    return _over(_extended(path.parent / own.pop("extends")), own)


def _over(base: Any, own: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    return {
        k: _over(base[k], own[k]) if k in own and k in base else own.get(k, base.get(k))
        for k in {**base, **own}
    }


def shared_root() -> Path:
    """Return the shared data: ``GRIDWATCH_SHARED``, else ``../shared`` beside the repository."""
    root = Path(os.environ.get("GRIDWATCH_SHARED", REPOSITORY.parent / "shared"))
    if not (root / "data" / "manifest.csv").is_file():
        hint = "set GRIDWATCH_SHARED to the folder of data/manifest.csv"
        raise DataError(f"no shared data at {root}: {hint}")
    return root


def start_weights(recipe: Recipe) -> Path:
    """Return the weights to start from: in this models folder, else in the shared weights."""
    own = REPOSITORY / "models" / recipe.start
    return own if own.is_file() else shared_root() / "weights" / recipe.start


def claim(folder: Path, recipe: Recipe) -> None:
    """Make a folder for one recipe's weights; DataError where it holds what another one began."""
    note = folder / "recipe.sha256"
    if note.is_file() and note.read_text("utf-8") != recipe.weights_sha256:
        raise DataError(
            f"{folder} was begun with other settings: take {folder.parent} away, or name another "
            "work folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(recipe.weights_sha256, "utf-8")


def work_folder(recipe: Recipe, root: Path | None) -> Path:
    """Return (and make) the folder for all that is made on the way; never inside the repository."""
    base = root or Path(
        os.environ.get("GRIDWATCH_WORKSHOP", Path.home() / ".cache" / "gridwatch" / "workshop")
    )
    folder = base / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
