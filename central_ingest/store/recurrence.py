"""The same problem at the same place, again: a new case names the one that was closed before.

Either another issue is raised at its place, or the closed case's own issue is seen again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from central_ingest.cases import LIVE, CaseState
from central_ingest.dedup import DuplicateRules, Place, distance_m
from central_ingest.spots import spots_around
from central_ingest.store import tables as t
from central_ingest.store.bulk import select_rows
from central_ingest.store.desk import HeldCase, HeldSighting
from contract.catalogue import Family

_NAMES = ("case_id", "number", "category", "lon", "lat", "error_m", "ended_at", "state")


def came_back(held: HeldSighting) -> str:
    """What an issue did that is seen after its case was closed, by what was known of it."""
    if held.phase in LIVE:
        return "结案后仍在 still there after the closing"
    return "结案后再次出现 seen again after the closing"


def name_former(
    case: HeldCase, former: tuple[HeldCase, str], rules: DuplicateRules, now: datetime
) -> str:
    """Say where an issue comes from; a case that it opens names it, within `recurs_within_h`."""
    closed, said = former
    since = now - (closed.ended_at or now)
    if case.fresh and case.recurs_of is None and since <= timedelta(hours=rules.recurs_within_h):
        case.recurs_of = closed.case_id
    before, ago = _ago(since)
    return (
        f" 复发：原案卷 {closed.number} 已于 {before}结案，{said}。 "
        f"recurs: its case {closed.number} was closed {ago}"
    )


def note_recurrences(
    connection: Connection, opened: Iterable[HeldCase], rules: DuplicateRules, now: datetime
) -> None:
    """Link each new case to the newest closed one of its category within reach, and say why."""
    unnamed = [case for case in opened if case.sightings and case.recurs_of is None]
    placed = [case for case in unnamed if _exact(case, rules)]
    squares = {square for case in placed for row in _squares(case, rules) for square in row}
    # Only closed cases have a square; asked for the state too, SQLite would read all of those.
    found = select_rows(connection, t.case, _NAMES, "spot {keys}", squares)
    since = now - timedelta(hours=rules.recurs_within_h)
    closed = [
        row[:-1]
        for row in found
        if row[-1] == CaseState.CLOSED.value and row[6] is not None and row[6] >= since
    ]
    for case in placed if closed else ():
        _link(case, closed, rules, now)


def _link(
    case: HeldCase, closed: list[tuple[Any, ...]], rules: DuplicateRules, now: datetime
) -> None:
    place, found = _place(case), []
    for case_id, number, category, lon, lat, error_m, ended_at in closed:
        apart_m = distance_m(place, Place(lon, lat, error_m))
        if category == case.category and apart_m <= rules.cap_m(Family(case.family)):
            found.append((ended_at, case_id, number, apart_m))
    if not found:
        return
    ended_at, case.recurs_of, number, apart_m = max(found)
    before, ago = _ago(now - ended_at)
    case.sightings[0].because += (
        f" 复发：距 {before}结案的案卷 {number} {apart_m:.1f} m。 "
        f"recurs: {apart_m:.1f} m from case {number}, closed {ago}"
    )


def _ago(since: timedelta) -> tuple[str, str]:
    """In Chinese and in English: in minutes, hours or days."""
    minutes = since.total_seconds() / 60
    if minutes < 60:
        return f"{minutes:.0f} 分钟前", f"{minutes:.0f} min ago"
    if minutes < 24 * 60:
        return f"{minutes / 60:.1f} 小时前", f"{minutes / 60:.1f} hours ago"
    return f"{minutes / 1440:.1f} 天前", f"{minutes / 1440:.1f} days ago"


def _exact(case: HeldCase, rules: DuplicateRules) -> bool:
    error_m = case.sightings[0].error_m
    return error_m is not None and error_m <= rules.cap_m(Family(case.family))


def _place(case: HeldCase) -> Place:
    first = case.sightings[0]
    return Place(first.lon or 0.0, first.lat or 0.0, first.error_m or 0.0)


def _squares(case: HeldCase, rules: DuplicateRules) -> Iterable[range]:
    family = Family(case.family)
    return spots_around(_place(case), family, rules.cap_m(family), coarse=False)
