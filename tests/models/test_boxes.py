"""Box arithmetic of the workshop."""

import numpy as np
import pytest

from models.training.boxes import covered, greedy_nms, iou

UNIT = [0, 0, 10, 10]


@pytest.mark.parametrize(
    ("other", "expected_iou", "expected_cover"),
    [
        ([0, 0, 10, 10], 1.0, 1.0),
        ([5, 0, 15, 10], 1 / 3, 0.5),  # half over
        ([0, 0, 20, 20], 0.25, 1.0),  # inside a larger one
        ([10, 0, 20, 10], 0.0, 0.0),  # touching is not overlapping
        ([30, 30, 40, 40], 0.0, 0.0),
    ],
)
def test_overlap_of_two_boxes(other: list[int], expected_iou: float, expected_cover: float) -> None:
    a, b = np.array([UNIT], np.float32), np.array([other], np.float32)
    assert iou(a, b)[0, 0] == pytest.approx(expected_iou, abs=1e-5)
    assert covered(a, b)[0, 0] == pytest.approx(expected_cover, abs=1e-5)


def test_nms_keeps_the_best_of_overlapping_boxes_and_all_others() -> None:
    rows = np.array([[0, 0, 10, 10, 0.5], [1, 0, 11, 10, 0.9], [50, 0, 60, 10, 0.1]], np.float32)
    assert greedy_nms(rows, 0.5)[:, 4] == pytest.approx([0.9, 0.1])


def test_nms_of_nothing_is_nothing() -> None:
    assert greedy_nms(np.zeros((0, 6), np.float32), 0.5).shape == (0, 6)
