"""Where a missing label means nothing, nothing is learned."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the training extra")

from models.training.classes import (
    BIN_OVERFLOW,
    CLASSES,
    GARBAGE_BIN,
    MANHOLE_OK,
    PERSON,
    STREET_VENDOR,
)
from models.training.losses import Region, anchor_points, class_weight_map

NOTHING = np.zeros((0, 5), np.float32)
POINTS = anchor_points(64, 64)
WHOLE = (0.0, 0.0, 64.0, 64.0)


def weights(**named: float) -> np.ndarray:
    return np.array([named.get(name, 1.0) for name in CLASSES], np.float32)


def test_anchors_come_in_the_order_of_the_head() -> None:
    assert len(POINTS) == 8 * 8 + 4 * 4 + 2 * 2
    assert POINTS[0].tolist() == [4, 4]
    assert POINTS[64].tolist() == [8, 8]


def test_an_unlabelled_class_counts_only_inside_its_labels() -> None:
    label = np.array([[STREET_VENDOR, 0, 0, 32, 32]], np.float32)
    table = class_weight_map(POINTS, [Region(WHOLE, weights(street_vendor=0.0))], label, NOTHING)
    inside = (POINTS < 32).all(axis=1)
    assert (table[inside, STREET_VENDOR] == 1).all()
    assert (table[~inside, STREET_VENDOR] == 0).all()
    assert (table[:, GARBAGE_BIN] == 1).all()


def test_an_unsure_place_teaches_nothing_of_its_class() -> None:
    unsure = np.array([[PERSON, 0, 0, 32, 32]], np.float32)
    table = class_weight_map(POINTS, [Region(WHOLE, weights())], NOTHING, unsure)
    inside = (POINTS < 32).all(axis=1)
    assert (table[inside, PERSON] == 0).all()
    assert table[~inside, PERSON].all()


def test_states_of_one_thing_are_always_told_apart() -> None:
    label = np.array([[GARBAGE_BIN, 0, 0, 32, 32]], np.float32)
    table = class_weight_map(POINTS, [Region(WHOLE, weights(bin_overflow=0.0))], label, NOTHING)
    assert (table[(POINTS < 32).all(axis=1), BIN_OVERFLOW] == 1).all()


def test_each_part_of_a_mosaic_keeps_its_own_weights() -> None:
    left = Region((0.0, 0.0, 32.0, 64.0), weights(manhole_ok=0.0))
    right = Region((32.0, 0.0, 64.0, 64.0), weights(manhole_ok=0.5))
    table = class_weight_map(POINTS, [left, right], NOTHING, NOTHING)
    assert (table[POINTS[:, 0] < 32, MANHOLE_OK] == 0).all()
    assert (table[POINTS[:, 0] > 32, MANHOLE_OK] == 0.5).all()
