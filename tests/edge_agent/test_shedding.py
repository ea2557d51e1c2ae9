"""Intervals stretch until the machine can do what is due, and come back when it can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.shedding import (
    ALARM_FROM,
    DROPPED_SHARE_MAX,
    STRETCH_MAX,
    WINDOW_S,
    Window,
    next_stretch,
    overloaded,
    stretched_s,
)


def settle(demand_per_s: float, capacity_per_s: float, windows: int = 60) -> list[float]:
    """Run windows of a machine that can do so much of what is demanded; returns each stretch."""
    stretch, seen = 1.0, []
    for _ in range(windows):
        due = demand_per_s / stretch * WINDOW_S
        done = min(due, capacity_per_s * WINDOW_S)
        window = Window(round(due), round(due - done), done / (capacity_per_s * WINDOW_S))
        stretch = next_stretch(stretch, window)
        seen.append(stretch)
    return seen


def test_without_overload_nothing_is_stretched() -> None:
    assert set(settle(80, 100)) == {1.0}


@pytest.mark.parametrize("times", [1.2, 2, 5, 20])
def test_an_overload_is_shed_within_a_minute_and_not_overdone(times: float) -> None:
    after_a_minute = settle(100 * times, 100)[round(60 / WINDOW_S) :]
    assert times * (1 - DROPPED_SHARE_MAX) - 0.02 <= min(after_a_minute)
    assert max(after_a_minute) <= times * 1.35


def test_when_the_overload_ends_intervals_come_back() -> None:
    stretch = 8.0
    for _ in range(40):
        stretch = next_stretch(stretch, Window(100, 0, 0.3))
    assert stretch == 1.0


@given(
    stretch=st.floats(1, STRETCH_MAX),
    due=st.integers(0, 10_000),
    share=st.floats(0, 1),
    busy=st.floats(0, 2),
)
def test_the_factor_stays_between_one_and_its_limit(
    stretch: float, due: int, share: float, busy: float
) -> None:
    after = next_stretch(stretch, Window(due, round(due * share), busy))
    assert 1 <= after <= STRETCH_MAX


@given(st.floats(1, 8), st.floats(0.01, 60))
def test_high_priority_is_stretched_least(stretch: float, every_s: float) -> None:
    low, normal, high = (stretched_s(every_s, stretch, p) for p in ("low", "normal", "high"))  # type: ignore[arg-type]
    assert every_s <= high <= normal <= low


def test_an_alarm_names_the_factor_and_jitter_is_no_alarm() -> None:
    assert overloaded(ALARM_FROM - 0.01) == ""
    assert "2.5 times as long" in overloaded(2.5)
