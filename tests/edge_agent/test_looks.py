"""Looks keep their interval, whatever the frame rate, and never catch up."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.looks import EARLY_S, LookPlan, LookTimer, plans_of

START = Instant(datetime(2026, 1, 1, tzinfo=UTC), 100.0, "boot")


def plan(every_s: float) -> LookPlan:
    return LookPlan(every_s, (1, 1), frozenset({Category.STREET_VENDOR}))


@pytest.mark.parametrize(
    ("every_s", "fps", "expected"),
    [(0.2, 25, 50), (0.2, 10, 50), (1.0, 25, 10), (0.04, 25, 250), (0.2, 4, 40), (30, 10, 1)],
)
def test_looks_come_at_their_interval_or_with_every_frame(
    every_s: float, fps: int, expected: int
) -> None:
    timer = LookTimer((plan(every_s),))
    taken = sum(bool(timer.due(START.plus(i / fps))) for i in range(10 * fps))
    assert taken == expected


def test_after_a_pause_looks_are_not_caught_up() -> None:
    timer = LookTimer((plan(1),))
    timer.due(START)
    assert timer.due(START.plus(60))
    assert not timer.due(START.plus(60.5))


def test_another_boot_starts_anew() -> None:
    timer = LookTimer((plan(1000),))
    timer.due(START)
    assert timer.due(Instant(START.utc, 5.0, "next boot"))


@given(st.lists(st.floats(0.001, 2), min_size=1, max_size=60))
def test_two_looks_are_never_closer_than_their_interval_allows(gaps: list[float]) -> None:
    timer, at, taken = LookTimer((plan(0.5),)), START, []
    for gap in gaps:
        at = at.plus(gap)
        if timer.due(at):
            taken.append(at.monotonic_s)
    spans = [later - earlier for earlier, later in zip(taken, taken[2:], strict=False)]
    assert all(span >= 0.5 - EARLY_S for span in spans)


def test_plans_share_out_all_categories() -> None:
    config = CameraConfig.model_validate(
        {"camera": {"id": "a"}, "looks": {"bin_overflow": {"every_s": 5}}}
    )
    plans = plans_of(config)
    assert sorted(c for p in plans for c in p.judged) == sorted(Category)
    assert [p.every_s for p in plans] == sorted(p.every_s for p in plans)


def test_what_is_switched_off_is_not_looked_for() -> None:
    off = {"manhole_damaged": {"enabled": False}, "manhole_missing": {"enabled": False}}
    plans = plans_of(CameraConfig.model_validate({"camera": {"id": "a"}, "rules": off}))
    judged = frozenset[Category]().union(*(plan.judged for plan in plans))
    assert judged == {Category.STREET_VENDOR, Category.BIN_OVERFLOW, Category.EXPOSED_GARBAGE}
