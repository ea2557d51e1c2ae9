"""Every committed model folder keeps its word: card, files, signature, figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.detect import detect_images
from edge_agent.detector import Detector
from edge_agent.model import load_card, verified_path
from models.training.classes import VAL_CLASSES
from models.training.errors import DataError
from models.training.metrics import Judged, evaluate_split
from models.training.pictures import labelled_pictures
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


@pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)
def test_detect_reproduces_the_card_on_val(folder: Path, tmp_path: Path) -> None:
    try:
        data = shared_root() / "data"
    except DataError as error:
        pytest.skip(str(error))
    out = tmp_path / "predictions.json"
    detector = Detector(folder, threads=2)
    sources = sorted(
        {row.split(",")[2] for row in (data / "manifest.csv").read_text("utf-8").splitlines()[1:]}
    )
    pictures = list(labelled_pictures(data, "val", sources))
    detect_images([p.path for p in pictures], detector, out)
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
    measured = evaluate_split("val", judged, VAL_CLASSES, 1)
    stated = {m.class_: m.ap50 for m in detector.card.metrics if m.split == "val"}
    assert {s.class_name for s in measured} == set(stated)
    for score in measured:
        assert score.ap50 == pytest.approx(stated[score.class_name], abs=AP_TOLERANCE), (
            score.class_name
        )
