"""Truth files are read strictly enough to be trusted."""

import json
from pathlib import Path

import pytest

from benchmarks.truth import TruthError, load_truth

GOOD = {
    "schema": "truth/1.0",
    "clip": "a.mp4",
    "fps": 10,
    "width": 1280,
    "height": 720,
    "seconds": 9.5,
    "events": [{"category": "bin_overflow", "start_s": 1, "end_s": None, "box": [0, 0, 9, 9]}],
    "distractors": [{"category": "parked_car", "start_s": 0, "end_s": None, "box": [1, 1, 2, 2]}],
}


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "truth.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_an_event_without_end_stays_to_the_end(tmp_path: Path) -> None:
    truth = load_truth(written(tmp_path, GOOD))
    assert truth.events[0].end_s is None
    assert truth.distractors[0].score


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", r"truth.json:1: is not JSON"),
        (GOOD | {"fps": 0}, "fps"),
        (GOOD | {"events": [{"category": "ufo"}]}, r"events.0.category"),
    ],
)
def test_a_bad_truth_file_is_named_with_its_key(
    tmp_path: Path, content: object, complaint: str
) -> None:
    with pytest.raises(TruthError, match=complaint):
        load_truth(written(tmp_path, content))
