"""Looks keep their interval, whatever the frame rate, and never catch up."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.looks import EARLY_S, EARLY_SHARE, LookPlan, LookTimer, plans_of, turn_of

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


def test_key_frames_that_jitter_keep_an_interval_of_their_distance() -> None:
    timer, jitter = LookTimer((plan(2),)), (0.0, 0.04, -0.03, 0.02, -0.04)
    assert all(timer.due(START.plus(2 * i + jitter[i % 5])) for i in range(100))


def test_cameras_that_begin_together_look_in_turn_and_keep_their_interval() -> None:
    every_s, cameras = 1.0, 8
    timers = [LookTimer((plan(every_s),), turn_of(number)) for number in range(cameras)]
    at_s: list[list[float]] = [[] for _ in timers]
    for tick in range(25 * 10):
        at = START.plus(tick / 25)
        for timer, own in zip(timers, at_s, strict=True):
            own.extend(at.monotonic_s for _ in timer.due(at))
    last = sorted(own[-1] % every_s for own in at_s)
    gaps_s = [b - a for a, b in pairwise([*last, last[0] + every_s])]
    assert min(gaps_s) >= 0.04 - 1e-6  # no two in one frame's time
    for own in at_s:
        # The first is taken at once, the third at its turn; from there on all as far apart.
        assert all(
            later - sooner == pytest.approx(every_s, abs=0.041)
            for sooner, later in pairwise(own[2:])
        )
        assert len(own) >= 10


def test_key_frames_are_no_choice_and_are_all_looked_at() -> None:
    jitter = (0.0, 0.04, -0.03, 0.02, -0.04)
    for number in range(20):
        timer = LookTimer((plan(2),), turn_of(number))
        assert all(timer.due(START.plus(2 * i + jitter[i % 5])) for i in range(50))


def test_load_stretches_intervals_and_priority_says_how_far() -> None:
    taken = {}
    for priority in ("low", "normal", "high"):
        timer = LookTimer((replace(plan(0.2), priority=priority),))
        taken[priority] = sum(bool(timer.due(START.plus(i / 25), 4.0)) for i in range(400))
    assert taken == {"low": 5, "normal": 20, "high": 40}


def test_while_nothing_changes_the_interval_doubles_up_to_the_quiet_one() -> None:
    timer = LookTimer((replace(plan(1), quiet_every_s=8),))
    taken = [s for s in range(60) if timer.due(START.plus(s), 1.0, lambda _, s=s: s == 0)]
    assert taken == [0, 2, 6, 14, 22, 30, 38, 46, 54]


def test_one_change_and_the_interval_is_short_again() -> None:
    timer = LookTimer((replace(plan(1), quiet_every_s=60),))
    changes = {0, 20, 21}
    taken = [s for s in range(30) if timer.due(START.plus(s), 1.0, lambda _, s=s: s in changes)]
    assert taken == [0, 2, 6, 14, 20, 21, 23, 27]


def test_a_timer_says_how_long_no_frame_is_needed() -> None:
    timer = LookTimer((plan(1), plan(5)))
    assert timer.wait_s(START) == 0
    timer.due(START)
    assert timer.wait_s(START.plus(0.25)) == pytest.approx(0.75 - EARLY_S)
    assert timer.wait_s(START.plus(3)) == 0
    assert timer.wait_s(Instant(START.utc, 5.0, "next boot")) == 0


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
    assert all(span >= 0.5 * (1 - EARLY_SHARE) for span in spans)


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


def test_in_a_hurry_every_plan_is_due_with_the_next_frame_and_then_as_before() -> None:
    timer = LookTimer((plan(1.0), plan(30.0)))
    timer.due(START)
    assert timer.due(START.plus(0.2)) == ()
    timer.hurry()
    assert timer.wait_s(START.plus(0.2)) == 0
    assert len(timer.due(START.plus(0.4))) == 2
    assert timer.due(START.plus(0.6)) == ()
