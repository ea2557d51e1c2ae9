"""A model folder: its card, read and held against the files beside it."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contract.messages import Fraction, ModelRef, Sha256
from edge_agent.detections import CLASSES
from edge_agent.errors import ConfigError, ModelError
from edge_agent.yaml_file import Section, read_yaml

CARD_NAME = "card.yaml"
Pixels = Annotated[int, Field(gt=0, multiple_of=32)]


class ModelFile(Section):
    """One exported network."""

    path: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", description="file name beside the card")
    sha256: Sha256
    precision: Literal["fp32", "fp16", "bf16", "int8"]
    height: Pixels
    width: Pixels
    dynamic: bool = Field(description="whether the batch size is free")


class ModelInput(Section):
    """What the network takes."""

    layout: Literal["NHWC"]
    dtype: Literal["uint8"]
    colour: Literal["RGB"]
    resize: Literal["letterbox"]
    pad: int = Field(ge=0, le=255)


class ModelOutput(Section):
    """What the network gives: boxes in pixels of its input, best first, no NMS to do."""

    name: str
    shape: tuple[str | int, ...]
    columns: tuple[str, ...]


class Thresholds(Section):
    """Scores of one class: from `raise` on it opens, from `keep` on it holds what is open."""

    raise_: Fraction = Field(alias="raise")
    keep: Fraction


class TrainingSource(Section):
    """Where some of the training images came from."""

    source: str
    licence: str
    images: int = Field(ge=0)


class Training(Section):
    """How the model came about."""

    recipe: str = Field(description="hash of the recipe")
    commit: str
    data: tuple[TrainingSource, ...]


class Metric(Section):
    """Average precision of one class on one split, with its bootstrap interval."""

    split: str
    class_: str = Field(alias="class")
    n: int = Field(ge=0)
    ap50: Fraction
    ci95: tuple[Fraction, Fraction]


class Masking(Section):
    """How many of the hand-labelled heads or plates the masking rules cover with this model."""

    kind: Literal["head", "plate"]
    n: int = Field(ge=0)
    recall: Fraction
    ci95: tuple[Fraction, Fraction]


class ModelCard(Section):
    """`card.yaml` of a model folder."""

    schema_: Literal["card/1.0"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]+$")
    default: bool
    classes: tuple[str, ...]
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]
    input: ModelInput
    output: ModelOutput
    thresholds: dict[str, Thresholds]
    training: Training
    metrics: tuple[Metric, ...]
    masking: tuple[Masking, ...] = ()
    limits: tuple[str, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.classes != CLASSES:
            raise ValueError(f"classes must be these, in this order: {', '.join(CLASSES)}")
        if missing := [name for name in CLASSES if name not in self.thresholds]:
            raise ValueError(f"thresholds are missing for {', '.join(missing)}")
        return self

    def file_for(self, width: int, height: int) -> ModelFile:
        """Choose the float file whose shape wastes least on a picture of that size."""

        def waste(file: ModelFile) -> tuple[float, int]:
            scale = min(file.width / width, file.height / height)
            used = width * height * scale * scale / (file.width * file.height)
            return (round(1 - used, 2), file.width * file.height)

        return min((file for file in self.files if file.precision == "fp32"), key=waste)

    def reference(self, file: ModelFile) -> ModelRef:
        """Name the file as reports name it."""
        return ModelRef(name=self.name, sha256=file.sha256)


def load_card(folder: Path) -> ModelCard:
    """Read a folder's card. Raises ModelError with file and line."""
    if not folder.is_dir():
        raise ModelError(f"model {folder}: no such folder; models/ holds those that ship")
    try:
        return read_yaml(folder / CARD_NAME, ModelCard)
    except ConfigError as error:
        raise ModelError(str(error)) from None


def verified_path(folder: Path, file: ModelFile) -> Path:
    """Return the file's path once its bytes have the card's hash. Raises ModelError if not."""
    path = folder / file.path
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read ({error.strerror})") from None
    if found != file.sha256:
        raise ModelError(
            f"model {path}: its sha256 is {found[:12]}…, the card says {file.sha256[:12]}…; "
            "the file was changed or is incomplete: copy the folder again from its release"
        )
    return path


def default_folder() -> Path:
    """Find the shipped model whose card says `default: true`. Raises ModelError without one."""
    for root in (Path.cwd() / "models", Path(__file__).parents[1] / "models"):
        for card in sorted(root.glob(f"*/{CARD_NAME}")):
            if re.search(r"^default: true$", card.read_text(encoding="utf-8"), re.MULTILINE):
                return card.parent
    raise ModelError("no model was named and models/ holds no default one; give --model FOLDER")
