"""Average precision: pycocotools' figures, and ours for the intervals, agree."""

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="needs the training or dev extra")

from models.training.classes import BIN_OVERFLOW, GARBAGE_BIN
from models.training.metrics import (
    Judged,
    average_precision,
    confusion,
    evaluate_split,
    threshold_for,
)

NOTHING = np.zeros((0, 5), np.float32)


def judged(truth: list[list[float]], found: list[list[float]], name: str = "a.jpg") -> Judged:
    return Judged(
        name,
        (640, 360),
        np.array(truth, np.float32).reshape(-1, 5),
        NOTHING,
        np.array(found, np.float32).reshape(-1, 6),
    )


def test_a_perfect_detector_has_ap_one() -> None:
    one = judged([[GARBAGE_BIN, 10, 10, 60, 90]], [[10, 10, 60, 90, 0.9, GARBAGE_BIN]])
    (score,) = evaluate_split("val", [one], [GARBAGE_BIN], bootstrap=5)
    assert (score.n, score.ap50, score.ci95) == (1, pytest.approx(1), pytest.approx((1, 1)))


def test_our_ap_is_that_of_pycocotools() -> None:
    rng = np.random.default_rng(3)
    pictures = []
    for number in range(40):
        x, y = rng.uniform(0, 500), rng.uniform(0, 250)
        truth = [[GARBAGE_BIN, x, y, x + 60, y + 80]]
        shift = rng.normal(0, 18)
        found = [
            [x + shift, y, x + 60 + shift, y + 80, rng.uniform(), GARBAGE_BIN],
            [5, 5, 40, 40, rng.uniform(), GARBAGE_BIN],
        ]
        pictures.append(judged(truth, found, f"{number}.jpg"))
    (score,) = evaluate_split("val", pictures, [GARBAGE_BIN], bootstrap=20)
    assert average_precision(score.at_50.scores, score.at_50.right, score.n) == pytest.approx(
        score.ap50, abs=1e-6
    )
    assert score.ci95[0] <= score.ap50 <= score.ci95[1]


def test_a_class_without_truth_is_left_out() -> None:
    one = judged([[GARBAGE_BIN, 10, 10, 60, 90]], [])
    found = evaluate_split("val", [one], [GARBAGE_BIN, BIN_OVERFLOW], bootstrap=2)
    assert [s.class_name for s in found] == ["garbage_bin"]


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        (1.0, 0.8),  # right down to 0.8, then one is wrong
        (0.75, 0.6),
        (0.5, 0.3),
    ],
)
def test_the_threshold_is_the_lowest_score_that_keeps_the_precision(
    precision: float, expected: float
) -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3])
    right = np.array([True, True, False, True, False, False])
    assert threshold_for(scores, right, precision, (0.1, 0.95)) == pytest.approx(expected)


def test_an_unreachable_precision_gives_the_upper_bound() -> None:
    assert threshold_for(np.array([0.9]), np.array([False]), 0.9, (0.1, 0.85)) == 0.85


def test_confusion_counts_states_and_misses() -> None:
    truth = [
        [GARBAGE_BIN, 0, 0, 50, 50],
        [BIN_OVERFLOW, 100, 0, 150, 50],
        [GARBAGE_BIN, 300, 0, 350, 50],
    ]
    found = [[0, 0, 50, 50, 0.9, BIN_OVERFLOW], [100, 0, 150, 50, 0.8, BIN_OVERFLOW]]
    table = confusion([judged(truth, found)], [GARBAGE_BIN, BIN_OVERFLOW], 0.5)
    assert table.tolist() == [[0, 1, 1], [0, 1, 0]]
