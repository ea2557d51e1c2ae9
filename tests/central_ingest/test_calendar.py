"""Deadlines by hand-counted cases, and properties of the four kinds of time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest.calendar import TimeKind, TimeLimit, WorkCalendar, deadline

CITY = WorkCalendar(
    holidays=frozenset({date(2026, 10, 1), date(2026, 10, 2)}),
    make_up_days=frozenset({date(2026, 10, 10)}),
)
ZONE = ZoneInfo("Asia/Shanghai")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("start", "amount", "kind", "end"),
    [
        ("2026-09-30T23:30", 2, "urgent_hour", "2026-10-01T01:30"),  # nights and holidays count
        ("2026-09-30T23:30", 1, "natural_day", "2026-10-01T23:30"),
        ("2026-09-28T08:00", 4, "work_hour", "2026-09-28T12:00"),  # a whole morning
        ("2026-09-28T10:00", 4, "work_hour", "2026-09-28T16:00"),  # over lunch
        ("2026-09-28T12:30", 1, "work_hour", "2026-09-28T15:00"),  # from lunch on
        ("2026-09-28T16:00", 4, "work_hour", "2026-09-29T10:00"),  # over night
        ("2026-09-30T17:00", 2, "work_hour", "2026-10-05T09:00"),  # over holidays and a weekend
        ("2026-10-09T17:00", 2, "work_hour", "2026-10-10T09:00"),  # a Saturday worked in return
        ("2026-09-27T03:00", 4, "work_hour", "2026-09-28T12:00"),  # begun on a Sunday
        ("2026-09-28T10:00", 1, "work_day", "2026-09-29T10:00"),
        ("2026-09-30T10:00", 1, "work_day", "2026-10-05T10:00"),
        ("2026-09-27T10:00", 1, "work_day", "2026-09-29T08:00"),
        ("2026-09-28T08:00", 0.5, "work_day", "2026-09-28T12:00"),
    ],
)
def test_a_deadline_is_where_one_counts_it_by_hand(
    start: str, amount: float, kind: str, end: str
) -> None:
    assert deadline(local(start), TimeLimit(amount, TimeKind(kind)), CITY) == local(end)


STARTS = st.integers(0, 366 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
AMOUNTS = st.sampled_from([0.5, 1, 2, 4, 9, 30])


@given(STARTS, AMOUNTS, st.sampled_from(TimeKind))
def test_a_deadline_lies_after_its_start_in_the_same_zone(
    start: datetime, amount: float, kind: TimeKind
) -> None:
    end = deadline(start, TimeLimit(amount, kind), CITY)
    assert end > start
    assert end.tzinfo is UTC


@given(STARTS, AMOUNTS, st.sampled_from(TimeKind), st.integers(0, 3000))
def test_whoever_starts_later_is_due_no_earlier(
    start: datetime, amount: float, kind: TimeKind, later_min: int
) -> None:
    limit = TimeLimit(amount, kind)
    later = start + timedelta(minutes=later_min)
    assert deadline(start, limit, CITY) <= deadline(later, limit, CITY)


@given(STARTS, AMOUNTS)
def test_work_hours_end_on_a_working_day_inside_its_hours(start: datetime, amount: float) -> None:
    end = deadline(start, TimeLimit(amount, TimeKind.WORK_HOUR), CITY).astimezone(ZONE)
    assert CITY.is_work_day(end.date())
    assert any(opens < end.time() <= closes for opens, closes in CITY.work_hours)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timezone": "Mars/Olympus"}, "time zone 'Mars/Olympus' is not known"),
        ({"work_weekdays": frozenset()}, "no deadline would ever come"),
        ({"work_weekdays": frozenset({0})}, "1 \\(Monday\\) to 7"),
        ({"work_hours": ((time(12), time(8)),)}, "must rise"),
        ({"work_hours": ()}, "must not be empty"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WorkCalendar(**changes)  # type: ignore[arg-type]


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        TimeLimit(0, TimeKind.WORK_DAY)
