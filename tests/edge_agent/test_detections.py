"""Arrays are checked where they enter."""

import numpy as np
import pytest

from edge_agent.detections import Detections, area, intersection_matrix, iou_matrix


def test_arrays_that_do_not_fit_are_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"xyxyn has shape \(2, 4\); \(1, 4\) was expected"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(1, np.float32), np.zeros(1, np.int64))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1], 1),  # the same
        ([0, 0, 1, 1], [1, 0, 2, 1], 0),  # touching
        ([0, 0, 2, 1], [1, 0, 3, 1], 1 / 3),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0),  # both empty
        ([1, 1, 0, 0], [0, 0, 1, 1], 0),  # inverted
    ],
)
def test_overlap_is_intersection_over_union(
    a: list[float], b: list[float], expected: float
) -> None:
    boxes = np.array([a], np.float32), np.array([b], np.float32)
    assert iou_matrix(*boxes)[0, 0] == pytest.approx(expected)
    assert intersection_matrix(*boxes)[0, 0] <= max(area(boxes[0])[0], area(boxes[1])[0])


def test_joining_keeps_the_order() -> None:
    one = Detections(np.zeros((1, 4), np.float32), np.array([0.5], np.float32), np.array([1]))
    two = Detections(np.zeros((1, 4), np.float32), np.array([0.7], np.float32), np.array([2]))
    assert one.joined(Detections.empty()).joined(two).classes.tolist() == [1, 2]
