"""Pictures are checked where they enter, and moments compared within one boot."""

from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent.clock import Instant
from edge_agent.frames import ArrayPicture


def test_a_picture_that_is_not_rgb_is_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8 \[H, W, 3\] was expected"):
        ArrayPicture(np.zeros((4, 4), np.uint8))


def test_shrinking_averages_so_that_nothing_aliases() -> None:
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (ArrayPicture(stripes).rgb(4, 4) == 100).all()


@pytest.mark.parametrize(("earlier", "later", "expected"), [("a", "a", 5.0), ("a", "b", 60.0)])
def test_durations_are_monotonic_within_a_boot_and_by_wall_clock_across(
    earlier: str, later: str, expected: float
) -> None:
    first = Instant(datetime(2026, 1, 1, 0, 0, tzinfo=UTC), 10.0, earlier)
    second = Instant(datetime(2026, 1, 1, 0, 1, tzinfo=UTC), 15.0, later)
    assert second.seconds_since(first) == expected
    assert first.seconds_since(second) == 0
