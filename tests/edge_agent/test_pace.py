from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import Instant
from edge_agent.pace import Pace, Patience

START = Instant(datetime(2026, 7, 1, tzinfo=UTC), 10.0, "boot")


@given(waits_s=st.lists(st.floats(0, 2), max_size=60))
def test_no_span_of_time_sees_more_than_its_share_and_one_burst(waits_s: list[float]) -> None:
    pace, now, went = Pace(40, 5, START), START, list[tuple[float, int]]()
    for wait_s in waits_s:
        now = now.plus(wait_s)
        room = pace.room(now)
        pace.took(room)
        went.append((now.monotonic_s, room))
    for first in range(len(went)):
        since_s = went[first][0]
        for last in range(first, len(went)):
            count = sum(count for _, count in went[first : last + 1])
            assert count <= 5 + 40 * (went[last][0] - since_s) + 1e-6


@pytest.mark.parametrize(("rest_s", "room"), [(0.0, 0), (0.11, 4), (60.0, 5)])
def test_after_all_is_used_room_comes_back_with_time(rest_s: float, room: int) -> None:
    pace = Pace(40, 5, START)
    pace.took(pace.room(START))
    assert pace.room(START.plus(rest_s)) == room


def test_waits_grow_with_the_silence_and_stay_within_their_bounds() -> None:
    patience, now = Patience(), START
    waits_s = []
    patience.offered(now)
    for _ in range(30):
        waits_s.append(patience.wait_s(now, 60, 300))
        now = now.plus(waits_s[-1])
        patience.offered(now)
    assert waits_s[:2] == [60, 60]
    assert all(150 <= wait_s <= 300 for wait_s in waits_s[8:])
    assert len(set(waits_s[8:])) > 15  # no two agents come back together


@pytest.mark.parametrize(("waiting", "silent_s"), [(True, 10.0), (False, 0.0)])
def test_a_receipt_ends_the_silence(waiting: bool, silent_s: float) -> None:  # noqa: FBT001 -- a column of the table
    patience = Patience()
    patience.offered(START)
    patience.heard(START.plus(600), waiting=waiting)
    assert patience.silent_s(START.plus(610)) == silent_s
    assert patience.wait_s(START.plus(610), 60, 300) == 60


def test_who_waits_for_nothing_hears_no_silence() -> None:
    assert Patience().silent_s(START.plus(86_400)) == 0
