"""Street scenes: objects land where perspective wants them, with true labels."""

import numpy as np
import pytest

from models.training.cameras import FRAME, Street
from models.training.classes import GARBAGE_BIN, MANHOLE_MISSING, VEHICLE
from models.training.cutouts import Cutout
from models.training.scenes import CANVAS, Scene, compose, cropped, paste

NOTHING = np.zeros((0, 5), np.float32)


def red_square(class_index: int = GARBAGE_BIN) -> Cutout:
    bgra = np.full((40, 40, 4), (0, 0, 255, 255), np.uint8)
    return Cutout(class_index, "x.jpg", bgra, (0, 0, 1, 1), 0.0)


def grey_scene() -> Scene:
    return Scene(np.full((CANVAS[1], CANVAS[0], 3), 120, np.uint8), NOTHING, NOTHING)


def street() -> Street:
    points = np.stack([np.linspace(50, 600, 40), np.linspace(120, 350, 40)], axis=1)
    return Street("7", 40.0, 6.0, points)


def test_a_pasted_object_is_drawn_and_labelled_at_its_place() -> None:
    scene = grey_scene()
    assert paste(scene, red_square(), (600, 300), (80, 80), np.random.default_rng(0))
    assert scene.labels[0].tolist() == [GARBAGE_BIN, 600, 300, 680, 380]
    blue, _, red = scene.picture[340, 640].astype(int)
    assert red > blue + 60


def test_an_object_mostly_outside_is_refused_and_leaves_no_trace() -> None:
    scene = grey_scene()
    assert not paste(scene, red_square(), (CANVAS[0] - 10, 300), (80, 80), np.random.default_rng(0))
    assert len(scene.labels) == 0
    assert (scene.picture == 120).all()


def test_a_scene_is_the_same_for_the_same_seed() -> None:
    frame = np.full((FRAME[1], FRAME[0], 3), 100, np.uint8)
    cutouts = {GARBAGE_BIN: [red_square()], MANHOLE_MISSING: [red_square(MANHOLE_MISSING)]}
    one, two = (
        compose(frame, NOTHING, NOTHING, street(), cutouts, np.random.default_rng(5))
        for _ in range(2)
    )
    assert (one.picture == two.picture).all()
    assert (one.labels == two.labels).all()


@pytest.mark.parametrize("seed", range(6))
def test_labels_of_pasted_objects_stay_where_placed_says(seed: int) -> None:
    frame = np.full((FRAME[1], FRAME[0], 3), 100, np.uint8)
    given = np.array([[VEHICLE, 300, 150, 340, 200], [VEHICLE, 100, 250, 180, 340]], np.float32)
    cutouts = {GARBAGE_BIN: [red_square()]}
    scene = compose(frame, given, NOTHING, street(), cutouts, np.random.default_rng(seed))
    assert (scene.labels[scene.placed, 0] == GARBAGE_BIN).all()
    assert (scene.labels[:, 1:] >= 0).all()
    assert (scene.labels[:, 3] <= CANVAS[0]).all()


def test_a_window_keeps_what_is_visible_and_sets_aside_what_is_cut() -> None:
    rows = np.array([[0, 10, 10, 30, 30], [1, 90, 10, 130, 30], [2, 500, 10, 520, 30]], np.float32)
    kept, cut = cropped(rows, 0, 0, 100, 100, 0.5)
    assert kept[:, 0].tolist() == [0]
    assert cut[:, 0].tolist() == [1]
