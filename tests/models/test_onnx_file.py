"""Duplicates are dropped inside the graph."""

import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")

from models.training.onnx_file import CANDIDATES, _best_rows, without_duplicates  # noqa: E402


def test_only_a_worse_box_of_the_same_class_is_dropped() -> None:
    rows = torch.tensor(
        [
            [
                [0.0, 0, 10, 10, 0.9, 1],
                [0.5, 0, 10, 10, 0.8, 1],  # the same thing again
                [0.0, 0, 10, 10, 0.7, 2],  # another class at the same place
                [5.0, 0, 15, 10, 0.6, 1],  # overlaps too little
            ]
        ]
    )
    assert without_duplicates(rows)[0, :, 4].tolist() == pytest.approx([0.9, 0.0, 0.7, 0.6])


def test_a_place_tells_all_its_states_best_first() -> None:
    raw = torch.zeros(1, 4 + 3, CANDIDATES)
    raw[0, :4, 5] = torch.tensor([1.0, 2, 3, 4])
    raw[0, 4:, 5] = torch.tensor([0.2, 0.9, 0.6])
    raw[0, 4 + 2, 7] = 0.7
    rows = _best_rows(raw)[0, :4]
    assert rows[:, 4].tolist() == pytest.approx([0.9, 0.7, 0.6, 0.2])
    assert rows[:, 5].tolist() == [1, 2, 2, 0]
    assert rows[[0, 2, 3], :4].tolist() == [[1, 2, 3, 4]] * 3
