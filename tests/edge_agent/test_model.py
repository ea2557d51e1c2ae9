"""A model folder is used only when its card is complete and its bytes are the card's."""

import hashlib
from pathlib import Path

import pytest
import yaml

from edge_agent.detections import CLASSES
from edge_agent.errors import ModelError
from edge_agent.model import ModelCard, load_card, verified_path

Card = dict[str, object]


def card() -> Card:
    def file(name: str, height: int, width: int) -> Card:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return {
            "path": name, "sha256": digest, "precision": "fp32",
            "height": height, "width": width, "dynamic": True,
        }  # fmt: skip

    return {
        "schema": "card/1.0",
        "name": "tiny",
        "default": True,
        "classes": list(CLASSES),
        "files": [file("wide.onnx", 384, 640), file("square.onnx", 640, 640)],
        "input": {
            "layout": "NHWC", "dtype": "uint8", "colour": "RGB", "resize": "letterbox", "pad": 114,
        },
        "output": {
            "name": "detections", "shape": ["batch", 300, 6],
            "columns": ["x1", "y1", "x2", "y2", "score", "class"],
        },
        "thresholds": {name: {"raise": 0.5, "keep": 0.3} for name in CLASSES},
        "training": {"recipe": "0", "commit": "0", "data": []},
        "metrics": [],
        "limits": [],
    }  # fmt: skip


def folder(tmp_path: Path, content: Card) -> Path:
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    for name in ("wide.onnx", "square.onnx"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), "wide.onnx"),
        ((1920, 1080), "wide.onnx"),
        ((704, 576), "square.onnx"),
        ((640, 640), "square.onnx"),
        ((720, 1280), "square.onnx"),
    ],
)
def test_the_file_is_chosen_that_wastes_least_on_the_picture(
    size: tuple[int, int], expected: str
) -> None:
    assert ModelCard.model_validate(card()).file_for(*size).path == expected


def test_a_file_whose_bytes_are_the_cards_is_used(tmp_path: Path) -> None:
    read = load_card(folder(tmp_path, card()))
    assert verified_path(tmp_path, read.files[0]) == tmp_path / "wide.onnx"


def test_a_changed_file_is_refused_with_both_hashes(tmp_path: Path) -> None:
    read = load_card(folder(tmp_path, card()))
    (tmp_path / "wide.onnx").write_text("changed")
    with pytest.raises(ModelError, match=r"wide.onnx: its sha256 is \w{12}…, the card says \w{12}"):
        verified_path(tmp_path, read.files[0])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"classes": ["person"]}, "classes must be these"),
        ({"thresholds": {}}, "thresholds are missing for street_vendor"),
        ({"colour": "BGR"}, "unknown key 'colour'"),
        ({"schema": "card/2.0"}, "schema"),
    ],
)
def test_an_incomplete_card_is_refused_with_its_line(
    tmp_path: Path, change: Card, complaint: str
) -> None:
    with pytest.raises(ModelError, match=rf"card.yaml:\d+: .*{complaint}"):
        load_card(folder(tmp_path, card() | change))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere: no such folder"):
        load_card(tmp_path / "nowhere")
