"""Deadlines in the four kinds of time that cities use. Pure.

Source: FACTS §4. `urgent_hour` and `natural_day` run through nights and holidays; `work_hour`
counts inside the day's hours of working days; `work_day` counts working days and keeps the clock
time. Holidays and make-up working days are the operator's to edit.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

_STRICT: dict[str, Any] = {"extra": "forbid"}


class TimeKind(StrEnum):
    """How a limit's time runs."""

    URGENT_HOUR = "urgent_hour"
    WORK_HOUR = "work_hour"
    WORK_DAY = "work_day"
    NATURAL_DAY = "natural_day"

    @property
    def name_zh(self) -> str:
        """The name duty officers use."""
        return _KIND_NAMES[self]


_KIND_NAMES = {
    TimeKind.URGENT_HOUR: "紧急工作时",
    TimeKind.WORK_HOUR: "工作时",
    TimeKind.WORK_DAY: "工作日",
    TimeKind.NATURAL_DAY: "自然日",
}


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """So many hours or days of one kind."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    amount: float
    kind: TimeKind

    def __post_init__(self) -> None:
        if not 0 < self.amount <= 1000:
            raise ValueError(f"a limit of {self.amount} was found; above 0, at most 1000 expected")


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """When people work: hours of the day, weekdays (Monday is 1), and the exceptions."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    timezone: str = "Asia/Shanghai"
    work_hours: tuple[tuple[time, time], ...] = ((time(8), time(12)), (time(14), time(18)))
    work_weekdays: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    holidays: frozenset[date] = field(default_factory=frozenset)
    make_up_days: frozenset[date] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        _zone(self.timezone)
        if not self.work_hours or not self.work_weekdays <= set(range(1, 8)):
            raise ValueError("work_hours must not be empty, work_weekdays are 1 (Monday) to 7")
        if not self.work_weekdays:
            raise ValueError("work_weekdays is empty: no deadline would ever come")
        edges = [edge for hours in self.work_hours for edge in hours]
        if any(first >= then for first, then in pairwise(edges)):
            raise ValueError(f"work_hours {edges} must rise and must not overlap")

    def is_work_day(self, day: date) -> bool:
        """Whether people work on this day; a make-up day wins over a holiday."""
        if day in self.make_up_days:
            return True
        return day.isoweekday() in self.work_weekdays and day not in self.holidays


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(f"time zone {name!r} is not known; e.g. Asia/Shanghai") from error


def deadline(start: datetime, limit: TimeLimit, calendar: WorkCalendar) -> datetime:
    """When `limit` that starts at `start` is used up, in the zone of `start`."""
    if limit.kind is TimeKind.URGENT_HOUR:
        return start + timedelta(hours=limit.amount)
    if limit.kind is TimeKind.NATURAL_DAY:
        return start + timedelta(days=limit.amount)
    local = start.astimezone(_zone(calendar.timezone))
    if limit.kind is TimeKind.WORK_HOUR:
        return _after_work_hours(local, timedelta(hours=limit.amount), calendar).astimezone(
            start.tzinfo
        )
    return _after_work_days(local, limit.amount, calendar).astimezone(start.tzinfo)


def _after_work_hours(local: datetime, left: timedelta, calendar: WorkCalendar) -> datetime:
    day = local.date()
    while True:
        if calendar.is_work_day(day):
            for opens, closes in calendar.work_hours:
                begin = max(local, datetime.combine(day, opens, local.tzinfo))
                end = datetime.combine(day, closes, local.tzinfo)
                if begin < end and left <= end - begin:
                    return begin + left
                left -= max(end - begin, timedelta())
        day = _following(day, calendar)


def _after_work_days(local: datetime, amount: float, calendar: WorkCalendar) -> datetime:
    """Whole work days keep the clock time; what is left of a day is counted as work hours."""
    whole = int(amount)
    local = _at_work(local, calendar)
    day = local.date()
    for _ in range(whole):
        day = _following(day, calendar)
    moved = datetime.combine(day, local.time(), local.tzinfo)
    rest = (amount - whole) * _hours_of_a_day(calendar)
    return _after_work_hours(moved, rest, calendar) if rest else moved


def _at_work(local: datetime, calendar: WorkCalendar) -> datetime:
    """The same time where people are at work that day, else when they next begin."""
    opens, closes = calendar.work_hours[0][0], calendar.work_hours[-1][1]
    day = local.date()
    if calendar.is_work_day(day) and local.time() < closes:
        return max(local, datetime.combine(day, opens, local.tzinfo))
    return datetime.combine(_following(day, calendar), opens, local.tzinfo)


def _following(day: date, calendar: WorkCalendar) -> date:
    """The next working day; a calendar of nothing but holidays ends the search after a year."""
    for ahead in range(1, 367):
        candidate = day + timedelta(days=ahead)
        if calendar.is_work_day(candidate):
            return candidate
    return day + timedelta(days=1)


def _hours_of_a_day(calendar: WorkCalendar) -> timedelta:
    anchor = date(2000, 1, 3)
    return sum(
        (
            datetime.combine(anchor, closes) - datetime.combine(anchor, opens)
            for opens, closes in calendar.work_hours
        ),
        timedelta(),
    )
