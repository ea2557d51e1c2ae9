"""Pictures of any shape reach the network whole, and its boxes come back where they belong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.detections import Detections
from edge_agent.detector import (
    TILE_OVERLAP,
    cut,
    merge_tiles,
    to_detections,
    windows_of,
)

MODEL = (640, 384)
sizes = st.tuples(st.integers(64, 4000), st.integers(64, 3000))


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ((1280, 720), (640, 360, 0, 12)),  # 16:9 fits the width, bars above and below
        ((640, 640), (384, 384, 128, 0)),  # a square fits the height
        ((320, 180), (640, 360, 0, 12)),  # a small one is enlarged
    ],
)
def test_one_tile_is_the_letterboxed_picture(
    picture: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    (window,) = windows_of(picture, MODEL, (1, 1))
    assert (window.scaled_width, window.scaled_height, window.left, window.top) == expected


@given(picture=sizes, tiles=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_tiles_cover_the_whole_picture(picture: tuple[int, int], tiles: tuple[int, int]) -> None:
    windows = windows_of(picture, MODEL, tiles)
    seen = np.zeros((windows[0].scaled_height, windows[0].scaled_width), bool)
    for w in windows:
        seen[max(0, -w.top) : MODEL[1] - w.top, max(0, -w.left) : MODEL[0] - w.left] = True
    assert seen.all()


def test_neighbouring_tiles_overlap() -> None:
    first, second, *_ = windows_of((1920, 1080), MODEL, (2, 2))
    assert second.left - first.left == pytest.approx(-MODEL[0] * (1 - TILE_OVERLAP), abs=1)


@given(picture=sizes, tiles=st.sampled_from([(1, 1), (2, 2), (3, 2)]), seed=st.integers(0, 99))
def test_a_box_drawn_in_a_tile_comes_back_to_its_place_in_the_frame(
    picture: tuple[int, int], tiles: tuple[int, int], seed: int
) -> None:
    windows = windows_of(picture, MODEL, tiles)
    window = windows[seed % len(windows)]
    frame = np.array([[0.4, 0.4, 0.6, 0.7]], np.float32)
    size = [window.scaled_width, window.scaled_height] * 2
    in_tile = frame * size + [window.left, window.top] * 2
    assert window.to_frame(in_tile.astype(np.float32)) == pytest.approx(frame, abs=1e-4)


def test_a_window_beyond_the_picture_is_padded() -> None:
    scaled = np.full((360, 640, 3), 7, np.uint8)
    (window,) = windows_of((1280, 720), MODEL, (1, 1))
    tile = cut(scaled, window, MODEL, 114)
    assert tile.shape == (384, 640, 3)
    assert (tile[:12] == 114).all()
    assert (tile[12:372] == 7).all()


def test_boxes_wholly_in_the_padding_are_dropped() -> None:
    (window,) = windows_of((1280, 720), MODEL, (1, 1))
    rows = np.array([[10, 0, 50, 8, 0.9, 1], [10, 100, 50, 200, 0.8, 2]], np.float32)
    assert to_detections(rows, window).classes.tolist() == [2]


def test_one_object_in_two_tiles_is_one_detection() -> None:
    whole = Detections(
        np.array([[0.4, 0.4, 0.6, 0.6]], np.float32), np.array([0.9], np.float32), np.array([2])
    )
    half = Detections(
        np.array([[0.5, 0.4, 0.6, 0.6], [0.5, 0.4, 0.6, 0.6]], np.float32),
        np.array([0.5, 0.4], np.float32),
        np.array([2, 3]),
    )
    merged = merge_tiles([half, whole])
    assert merged.classes.tolist() == [2, 3]
    assert merged.scores.tolist() == pytest.approx([0.9, 0.4])
