"""A change is what a person or a bin makes, not what noise makes."""

import numpy as np
import pytest

from edge_agent.changes import ChangeWatch
from edge_agent.frames import ArrayPicture

RANDOM = np.random.default_rng(1)
STREET = RANDOM.integers(60, 180, (54, 96, 3)).astype(np.uint8).repeat(10, 0).repeat(10, 1)


def picture(noise: float = 0, box: tuple[int, int, int, int] | None = None) -> ArrayPicture:
    array = STREET + RANDOM.normal(0, noise, STREET.shape) if noise else STREET.astype(float)
    if box:
        x, y, width, height = box
        array[y : y + height, x : x + width] = 10
    return ArrayPicture(np.clip(array, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        (picture(), False),
        (picture(noise=12), False),  # a noisy sensor at night
        (picture(box=(400, 200, 60, 60)), True),  # a bin bag
        (picture(box=(400, 200, 4, 4)), False),  # a leaf
    ],
)
def test_only_what_fills_a_cell_is_a_change(after: ArrayPicture, *, changed: bool) -> None:
    watch = ChangeWatch()
    assert watch.changed("look", picture())
    assert watch.changed("look", after) is changed


def test_slow_changes_add_up() -> None:
    watch = ChangeWatch()
    steps = (ArrayPicture(np.full((90, 160, 3), 100 + s, np.uint8)) for s in range(25))
    assert [s for s, step in enumerate(steps) if watch.changed("look", step)] == [0, 10, 20]


def test_each_purpose_has_its_own_reference() -> None:
    watch = ChangeWatch()
    assert watch.changed("a", picture())
    assert watch.changed("b", picture())
    assert not watch.changed("a", picture())
