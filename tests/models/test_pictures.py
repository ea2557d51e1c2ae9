"""Labelled pictures: what a new city may get wrong is named with its file and line."""

from pathlib import Path

import numpy as np
import pytest

from models.training.errors import DataError
from models.training.pictures import read_labels, some_pictures


def test_labels_are_read_as_class_and_box(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("2 0.5 0.5 0.25 0.5\n\n0 0.1 0.2 0.1 0.1\n", "utf-8")
    wanted = [[2, 0.5, 0.5, 0.25, 0.5], [0, 0.1, 0.2, 0.1, 0.1]]
    np.testing.assert_allclose(read_labels(path), wanted, rtol=1e-6)


def test_a_picture_without_a_label_file_shows_nothing(tmp_path: Path) -> None:
    assert read_labels(tmp_path / "absent.txt").shape == (0, 5)


@pytest.mark.parametrize(
    "line",
    [
        "9 0.5 0.5 0.2 0.2",  # ten classes were exported
        "1.5 0.5 0.5 0.2 0.2",
        "1 320 180 64 64",  # pixels
        "1 0.5 0.5 0.2",
        "1 0.5 0.5 0.2 0.2 0.9",  # a score
        "bin 0.5 0.5 0.2 0.2",
    ],
)
def test_a_line_that_is_no_label_is_refused_with_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"1 0.5 0.5 0.2 0.2\n{line}\n", "utf-8")
    with pytest.raises(DataError, match=r"a\.txt, line 2"):
        read_labels(path)


def test_a_manifest_that_names_other_sources_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("split,file,source,camera\ntrain,a.jpg,mine,\n", "utf-8")
    with pytest.raises(DataError, match="my_city"):
        some_pictures(tmp_path, "train", ["my_city"])
