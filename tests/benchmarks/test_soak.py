"""A soak compares its end with its beginning, once it is warm."""

import pytest

from benchmarks.soak import Watched, _figures


@pytest.mark.parametrize(
    ("memory_mb", "growth"),
    [
        ([100.0, 200.0, 200.0, 200.0, 200.0], 0.0),  # warming up is no growth
        ([100.0, 200.0, 205.0, 210.0, 220.0], 10.0),
    ],
)
def test_growth_is_measured_after_the_warm_up(memory_mb: list[float], growth: float) -> None:
    threads = [30, 32, 32, 32, 33]
    seen = Watched([0, 1, 2, 3, 4], memory_mb, threads, [1.5, 3.5])
    figures = _figures(seen)
    assert figures["memory growth, %"]["median"] == pytest.approx(growth)
    assert figures["worst return, s"]["median"] == 3.5
    assert figures["threads left behind"]["median"] == 1
