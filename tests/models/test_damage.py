"""Broken covers made from intact ones."""

import numpy as np

from models.training.classes import MANHOLE_DAMAGED, MANHOLE_MISSING, MANHOLE_OK
from models.training.cutouts import Cutout
from models.training.damage import broken


def plain(class_index: int, grey: int) -> Cutout:
    bgra = np.full((120, 160, 4), (grey, grey, grey, 255), np.uint8)
    return Cutout(class_index, "x.jpg", bgra, (0.1, 0.1, 0.9, 0.9), 90.0)


def test_a_broken_cover_shows_the_dark_below_and_keeps_its_outline() -> None:
    intact = plain(MANHOLE_OK, 200)
    made = broken(intact, plain(MANHOLE_MISSING, 20), np.random.default_rng(1))
    assert made.class_index == MANHOLE_DAMAGED
    assert made.box_xyxyn == intact.box_xyxyn
    assert (made.bgra[..., 3] == intact.bgra[..., 3]).all()
    dark = (made.bgra[..., 0] < 100).mean()
    assert 0.01 < dark < 0.6


def test_the_intact_cover_itself_is_left_as_it_was() -> None:
    intact = plain(MANHOLE_OK, 200)
    broken(intact, plain(MANHOLE_MISSING, 20), np.random.default_rng(1))
    assert (intact.bgra[..., :3] == 200).all()
