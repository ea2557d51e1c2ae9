"""The offset between two clocks, bounded by receipts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import Instant
from edge_agent.clock_offset import ClockOffset, better, clock_state

START = datetime(2026, 7, 1, tzinfo=UTC)


def at(seconds: float) -> Instant:
    return Instant(START + timedelta(seconds=seconds), seconds, "boot")


@given(
    true_offset_s=st.floats(-1e5, 1e5),
    there_s=st.floats(0, 60),
    back_s=st.floats(0, 60),
)
def test_the_true_offset_always_lies_within_the_error(
    true_offset_s: float, there_s: float, back_s: float
) -> None:
    centre_time = START + timedelta(seconds=there_s + true_offset_s)
    found = ClockOffset.between(at(0), at(there_s + back_s), centre_time)
    assert abs(found.offset_s - true_offset_s) <= found.error_s + 1e-3


@pytest.mark.parametrize(
    ("error_s", "now_s", "chosen_s"),
    [
        (0.1, 10, 0.1),  # a better sample wins
        (0.5, 10, 0.2),  # a worse one does not,
        (0.5, 700, 0.5),  # until what is known is old
    ],
)
def test_the_better_sample_is_kept(error_s: float, now_s: float, chosen_s: float) -> None:
    known = ClockOffset(1.0, 0.2, at(0))
    sample = ClockOffset(1.1, error_s, at(now_s))
    assert better(known, sample, at(now_s)).error_s == chosen_s


def test_the_error_grows_and_after_an_hour_nobody_answers_for_it() -> None:
    known = ClockOffset(1.0, 0.2, at(0))
    assert clock_state(known, at(0)).error_s == 0.2
    assert clock_state(known, at(1000)).error_s == pytest.approx(0.22)
    assert clock_state(known, at(3600)).synced
    assert not clock_state(known, at(3601)).synced


def test_without_a_receipt_nothing_is_promised() -> None:
    state = clock_state(None, at(0))
    assert not state.synced
    assert state.error_s >= 3600
