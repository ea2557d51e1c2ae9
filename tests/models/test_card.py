"""Cards: measured figures go in, limits stay last, unusable results are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the training extra")

from models.training.card import finished_card, masking_rows, metrics_table
from models.training.errors import DataError

METRIC = {
    "split": "val",
    "class": "garbage_bin",
    "n": 3,
    "ap50": 0.75,
    "ap50_95": 0.5,
    "ci95": [0.5, 1.0],
    "ap50_by_size": {"small": None, "medium": 0.7, "large": 0.8},
}
FILES = [{"path": "x-384x640.onnx", "sha256": "a" * 64}]
RECALL = {"masked": 19, "of": 20, "recall": 0.95, "ci95": [0.76, 0.99]}

MASKING = {"model_sha256": {"x-384x640.onnx": "a" * 64}, "head": RECALL, "plate": RECALL}


def evaluation() -> dict[str, Any]:
    return {"metrics": [METRIC], "thresholds": {"garbage_bin": {"raise": 0.5, "keep": 0.2}}}


def test_the_card_states_metrics_and_masking_before_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "masking.json"
    path.write_text(json.dumps(MASKING), "utf-8")
    card = finished_card(
        {"name": "x", "limits": ["draft"]}, evaluation(), masking_rows(path, FILES), ["few"]
    )
    assert list(card)[-1] == "limits"
    assert card["limits"] == ["few"]
    assert card["metrics"] == [{k: METRIC[k] for k in ("split", "class", "n", "ap50", "ci95")}]
    assert card["masking"][0] == {"kind": "head", "n": 20, "recall": 0.95, "ci95": [0.76, 0.99]}


def test_a_card_without_measured_masking_has_none() -> None:
    assert "masking" not in finished_card(
        {"limits": []}, evaluation(), masking_rows(None, FILES), []
    )


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"head": 3, "plate": 3}'])
def test_what_is_no_masking_result_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=r"other\.json"):
        masking_rows(path, FILES)


def test_masking_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "masking.json"
    path.write_text(json.dumps(MASKING), "utf-8")
    with pytest.raises(DataError, match=r"masking\.json was measured with another model"):
        masking_rows(path, [{**FILES[0], "sha256": "b" * 64}])


def test_the_table_leaves_sizes_without_objects_blank() -> None:
    assert metrics_table(evaluation()).splitlines()[-1] == (
        "| val | garbage_bin | 3 | 0.750 | 0.50–1.00 | 0.500 |  | 0.70 | 0.80 |"
    )
