from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import Instant
from edge_agent.pace import Pace

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
