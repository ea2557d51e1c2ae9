"""Every committed model folder keeps its word: card, files, signature, figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.detect import detect_images
from edge_agent.detector import Detector
from edge_agent.model import load_card, verified_path
from models.training.classes import VAL_CLASSES
from models.training.drawn import DRAWN, drawn_pictures
from models.training.errors import DataError
from models.training.metrics import Judged, evaluate_split
from models.training.pictures import LabelledPicture, labelled_pictures
from models.training.recipe import REPOSITORY, shared_root
from models.training.signing import is_signed

MODELS = sorted(p.parent for p in (REPOSITORY / "models").glob("*/card.yaml"))
AP_TOLERANCE = 0.01


@pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)
def test_the_card_is_readable_and_its_files_have_their_hashes(folder: Path) -> None:
    card = load_card(folder)
    assert card.name == folder.name
    for file in card.files:
        verified_path(folder, file)


@pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)
def test_the_card_is_signed_with_the_project_key(folder: Path) -> None:
    assert is_signed(folder / "card.yaml", REPOSITORY / "models" / "gridwatch.pub")


def test_exactly_one_committed_model_is_the_default() -> None:
    assert sum(load_card(folder).default for folder in MODELS) == 1


def measured_by_detect(
    folder: Path, pictures: list[LabelledPicture], split: str, out: Path
) -> dict[str, float]:
    """Return AP50 by class from what `edge-agent detect` writes."""
    detect_images([p.path for p in pictures], Detector(folder, threads=2), out)
    found: dict[str, list[list[float]]] = {}
    for entry in json.loads(out.read_text("utf-8")):
        x, y, w, h = entry["bbox"]
        row = [x, y, x + w, y + h, entry["score"], entry["category_id"]]
        found.setdefault(entry["image_id"], []).append(row)
    judged = []
    for p in pictures:
        h, w = p.read().shape[:2]
        rows = np.array(found.get(p.name, []), np.float32).reshape(-1, 6)
        judged.append(Judged(p.name, (w, h), p.rows(w, h), np.zeros((0, 5), np.float32), rows))
    return {s.class_name: s.ap50 for s in evaluate_split(split, judged, VAL_CLASSES, 1)}


def stated(folder: Path, split: str) -> dict[str, float]:
    return {m.class_: m.ap50 for m in load_card(folder).metrics if m.split == split}


@pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)
def test_detect_reproduces_the_card_on_drawn_pictures(folder: Path, tmp_path: Path) -> None:
    measured = measured_by_detect(folder, drawn_pictures(DRAWN), "drawn", tmp_path / "out.json")
    assert len(measured) == 6
    assert measured == pytest.approx(stated(folder, "drawn"), abs=AP_TOLERANCE)


@pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)
def test_detect_reproduces_the_card_on_val(folder: Path, tmp_path: Path) -> None:
    try:
        data = shared_root() / "data"
    except DataError as error:
        pytest.skip(str(error))
    sources = sorted(
        {row.split(",")[2] for row in (data / "manifest.csv").read_text("utf-8").splitlines()[1:]}
    )
    pictures = list(labelled_pictures(data, "val", sources))
    measured = measured_by_detect(folder, pictures, "val", tmp_path / "out.json")
    assert measured == pytest.approx(stated(folder, "val"), abs=AP_TOLERANCE)
