"""Compare networks and input sizes: AP on val and val-street, milliseconds, parameters."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edge_agent.model import ModelFile, load_card
from models.training.classes import CLASSES, COVERS, VAL_CLASSES
from models.training.detector import OnnxDetector
from models.training.judging import (
    STREET_LOOK_CLASSES,
    TILES,
    WHOLE,
    judge_pictures,
    judge_street,
    one_size,
)
from models.training.metrics import ClassScore, evaluate_split
from models.training.pictures import LabelledPicture
from models.training.speed import median_ms
from models.training.val_street import StreetScene

THREADS = 2
COVER_CLASSES = list(COVERS)
PARTS = {  # part of the comparison → classes judged there
    "val": VAL_CLASSES,
    "street": STREET_LOOK_CLASSES,
    "covers": COVER_CLASSES,
    "covers tiled": COVER_CLASSES,
}


@dataclass(frozen=True)
class Compared:
    """One file of one model. ``scores``: part → class → (AP50, AP50-95)."""

    model: str
    height: int
    width: int
    parameters: int
    ms_1: float
    ms_2: float
    scores: dict[str, dict[str, tuple[float, float]]]

    def mean(self, part: str) -> tuple[float, float]:
        """Return the mean AP50 and AP50-95 of one part."""
        rows = np.array(list(self.scores[part].values()))
        return float(rows[:, 0].mean()), float(rows[:, 1].mean())

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def parameters_of(path: Path) -> int:
    """Count the weights of an exported network, batch-norms folded in."""
    weights = (
        w for w in onnx.load(path).graph.initializer if w.data_type == onnx.TensorProto.FLOAT
    )
    return sum(int(np.prod(w.dims)) for w in weights)


def compare(
    folders: list[Path], pictures: list[LabelledPicture], scenes: list[StreetScene], rounds: int
) -> Iterator[Compared]:
    """Yield every float file of every model folder, every picture forced through it."""
    for folder in folders:
        for file in load_card(folder).files:
            if file.precision == "fp32":
                yield _compared(folder, file, pictures, scenes, rounds)


def _compared(
    folder: Path,
    file: ModelFile,
    pictures: list[LabelledPicture],
    scenes: list[StreetScene],
    rounds: int,
) -> Compared:
    path = folder / file.path
    detector = one_size(folder, file.height, file.width, THREADS)
    look = judge_street(detector, scenes, WHOLE)
    judged = {
        "val": judge_pictures(detector, pictures, f"{path.stem} val"),
        "street": look,
        "covers": look,
        "covers tiled": judge_street(detector, scenes, TILES),
    }
    scores = {part: _by_class(evaluate_split(part, judged[part], PARTS[part], 1)) for part in PARTS}
    ms_1, ms_2 = (median_ms(OnnxDetector(path, threads), rounds) for threads in (1, 2))
    return Compared(folder.name, file.height, file.width, parameters_of(path), ms_1, ms_2, scores)


def _by_class(scores: list[ClassScore]) -> dict[str, tuple[float, float]]:
    return {s.class_name: (round(s.ap50, 4), round(s.ap, 4)) for s in scores}


def summary_table(rows: list[Compared]) -> str:
    """Return one line a file: means as AP50 / AP50-95."""
    lines = [
        f"| model | input | parameters | {' | '.join(PARTS)} | ms, 1 thread | 2 threads |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        means = (f"{ap50:.3f} / {ap:.3f}" for ap50, ap in map(row.mean, PARTS))
        lines.append(
            f"| {row.model} | {row.height} × {row.width} | {row.parameters / 1e6:.2f} M "
            f"| {' | '.join(means)} | {row.ms_1:.0f} | {row.ms_2:.0f} |"
        )
    return "\n".join(lines)


def class_table(rows: list[Compared]) -> str:
    """Return AP50 / AP50-95 of every class, one column a file."""
    heads = " | ".join(f"{r.model} {r.height} × {r.width}" for r in rows)
    lines = [f"| split | class | {heads} |", "|---|---|" + "---|" * len(rows)]
    for part in PARTS:
        for name in (n for n in CLASSES if n in rows[0].scores[part]):
            cells = (row.scores[part][name] for row in rows)
            text = " | ".join(f"{ap50:.3f} / {ap:.3f}" for ap50, ap in cells)
            lines.append(f"| {part} | {name} | {text} |")
    return "\n".join(lines)
