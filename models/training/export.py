"""Export: the trained weights as ONNX files in a model folder with a draft card."""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from models.training.classes import CLASSES
from models.training.detector import PAD_VALUE, OnnxDetector
from models.training.errors import DataError, RefusedError
from models.training.onnx_file import ByteDetector, sha256_of, write_onnx
from models.training.prepared import Prepared
from models.training.recipe import REPOSITORY, Recipe
from models.training.rendered import LICENCE, SOURCE, rendered_folder
from models.training.toolkit import build_model, fused_for_inference, load_weights

CARD_NAME = "card.yaml"
OUTPUT_COLUMNS = ["x1", "y1", "x2", "y2", "score", "class"]
SCORE_DRIFT_MAX = 0.02
DRAFT_THRESHOLD = {"raise": 0.4, "keep": 0.2}


def draft_folder(folder: Path, recipe: Recipe) -> Path:
    """Return the model folder that ``export`` fills inside the work folder."""
    return folder / "export" / recipe.name


def export(recipe: Recipe, folder: Path) -> Path:
    """Write every size the recipe names, check each against torch, and write a draft card."""
    weights, target = folder / "weights.safetensors", draft_folder(folder, recipe)
    if not weights.is_file():
        raise DataError(f"no trained weights at {weights}: run 'train' first")
    files = []
    for height, width in recipe.export.sizes:
        path = target / f"{recipe.name}-{height}x{width}.onnx"
        model = build_model(recipe.architecture, len(CLASSES))
        load_weights(model, weights)
        write_onnx(model, path, height, width, recipe.export.head)
        _check_same(recipe, weights, path)
        files.append(_file_entry(path, height, width))
    card = draft_card(recipe, files, used_pictures(folder))
    (target / CARD_NAME).write_text(
        yaml.safe_dump(card, sort_keys=False, allow_unicode=True), "utf-8"
    )
    return target


def _file_entry(path: Path, height: int, width: int) -> dict[str, object]:
    return {
        "path": path.name,
        "sha256": sha256_of(path),
        "precision": "fp32",
        "height": height,
        "width": width,
        "dynamic": True,
    }


def _check_same(recipe: Recipe, weights: Path, path: Path) -> None:
    """Refuse a file whose best scores drift from torch's on a picture of noise and blocks."""
    model = build_model(recipe.architecture, len(CLASSES))
    load_weights(model, weights)
    network = ByteDetector(fused_for_inference(model, recipe.export.head)).eval()
    detector = OnnxDetector(path)
    rng = np.random.default_rng(0)
    blocks = rng.integers(
        0, 255, (1, detector.height // 32, detector.width // 32, 3), dtype=np.uint8
    )
    picture = blocks.repeat(32, axis=1).repeat(32, axis=2)
    with torch.no_grad():
        wanted = network(torch.from_numpy(picture))[0, :20, 4].numpy()
    drift = float(np.abs(detector.raw(picture)[0, :20, 4] - wanted).max())
    if drift > SCORE_DRIFT_MAX:
        raise RefusedError(
            f"{path.name}: scores drift by {drift:.3f} from the trained network's; not exported"
        )


def used_pictures(folder: Path) -> dict[str, int]:
    """Return how many pictures of each source were prepared for training."""
    items = Prepared.index(folder / "prepared")
    if (rendered_folder(folder) / "index.json").is_file():
        items += Prepared.index(rendered_folder(folder))
    return dict(Counter(i.source for i in items if i.kind in ("picture", "frame", "rendered")))


def commit_of_repository() -> str:
    """Return this commit, with ``+`` where models/training was changed since; empty without git."""
    git = ["git", "-C", str(REPOSITORY)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    changed = subprocess.run(  # noqa: S603
        [*git, "status", "--porcelain", "--", "models/training"],
        capture_output=True,
        text=True,
        check=False,
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def draft_card(
    recipe: Recipe, files: list[dict[str, object]], used: dict[str, int]
) -> dict[str, Any]:
    """Return a card without figures: enough for an agent to run the model while it is measured."""
    sources = [(s.name, s.licence) for s in recipe.sources]
    if recipe.rendered:
        sources.append((SOURCE, LICENCE))
    return {
        "schema": "card/1.0",
        "name": recipe.name,
        "default": recipe.default,
        "classes": list(CLASSES),
        "files": files,
        "input": {
            "layout": "NHWC",
            "dtype": "uint8",
            "colour": "RGB",
            "resize": "letterbox",
            "pad": PAD_VALUE,
        },
        "output": {"name": "detections", "shape": ["batch", 300, 6], "columns": OUTPUT_COLUMNS},
        "thresholds": {name: dict(DRAFT_THRESHOLD) for name in CLASSES},
        "training": {
            "recipe": recipe.sha256,
            "commit": commit_of_repository(),
            "data": [
                {"source": name, "licence": licence, "images": used.get(name, 0)}
                for name, licence in sources
            ],
        },
        "metrics": [],
        "limits": list(recipe.limits),
    }
