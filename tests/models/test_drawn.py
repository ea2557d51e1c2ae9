"""Drawn pictures: the same every time, with boxes where the objects are."""

from pathlib import Path

import numpy as np

from models.training.drawn import COUNT, DRAWN, HEIGHT, WIDTH, draw, draw_all, drawn_pictures


def test_a_number_always_gives_the_same_picture() -> None:
    (first, boxes), (again, same) = draw(3), draw(3)
    assert (first == again).all()
    assert boxes == same


def test_every_box_lies_inside_and_holds_something_unlike_the_ground() -> None:
    for number in range(COUNT):
        picture, labels = draw(number)
        for _, (x1, y1, x2, y2) in labels:
            assert 0 <= x1 < x2 <= WIDTH
            assert 0 <= y1 < y2 <= HEIGHT
            inside = picture[int(y1) : int(y2), int(x1) : int(x2)].astype(float)
            assert np.ptp(inside.mean(axis=2)) > 60


def test_the_committed_pictures_have_the_labels_that_drawing_gives(tmp_path: Path) -> None:
    draw_all(tmp_path)
    fresh, committed = drawn_pictures(tmp_path), drawn_pictures(DRAWN)
    assert [p.name for p in fresh] == [p.name for p in committed]
    for one, other in zip(fresh, committed, strict=True):
        np.testing.assert_array_equal(one.labels_xywhn, other.labels_xywhn)
