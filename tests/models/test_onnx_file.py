"""Duplicates are dropped inside the graph."""

import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")

from models.training.onnx_file import without_duplicates  # noqa: E402


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
