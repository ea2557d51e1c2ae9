"""From single events to figures: recall, precision, times, metres, duplicates, false alarms."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.events import ClipResult, EventResult, cleared_early
from benchmarks.rates import poisson_interval
from contract.catalogue import Category, Family

FLOORS = Path(__file__).with_name("event_floors.yaml")


def summary(results: Sequence[ClipResult]) -> dict[str, Any]:
    """Figures over all clips; null where there is nothing to count."""
    events = [event for result in results for event in result.events]
    found = [event for event in events if event.raised_s is not None]
    ended = [event for event in found if event.end_s is not None]
    hours = sum(result.seconds for result in results) / 3600
    false_issues = sum(len(result.false_issues) for result in results)
    low, high = poisson_interval(false_issues)
    return {
        "events": len(events),
        "found": len(found),
        "recall": _share(len(found), len(events)),
        "precision": _share(len(found), len(found) + false_issues),
        "category_right": sum(event.last_as == event.category for event in found),
        "ended_and_found": len(ended),
        "cleared_in_time": sum(event.cleared_in_time is True for event in ended),
        "cleared_though_there": sum(cleared_early(event) for event in events),
        "time_to_raise_s": _spread(event.raised_s - event.start_s for event in found
                                   if event.raised_s is not None),
        "time_to_clear_s": _spread(event.cleared_s - event.end_s for event in ended
                                   if event.cleared_s is not None and event.end_s is not None
                                   and event.cleared_s >= event.end_s),
        "position_error_m": _spread(one.off_m for one in found if one.off_m is not None),
        "outside_footprint_m": _spread(
            one.outside_m for one in found if one.outside_m is not None
        ),
        "wrong_cell": sum(event.cell_right is False for event in found),
        "cells_known": sum(event.cell_right is not None for event in found),
        "duplicates": sum(event.duplicates for event in events),
        "false_issues": false_issues,
        "camera_hours": round(hours, 4),
        "false_per_camera_hour": round(false_issues / hours, 2) if hours else None,
        "false_per_camera_hour_ci95": [round(low / hours, 2), round(high / hours, 2)]
        if hours else None,
        "by_category": by_category(results),
        "cover_states": cover_states(events),
        **across_cameras(results),
    }  # fmt: skip


def by_category(results: Sequence[ClipResult]) -> dict[str, dict[str, int]]:
    """Events, found and false of each category that occurs."""
    figures: dict[str, dict[str, int]] = {}
    for category in Category:
        events = [e for r in results for e in r.events if e.category == category]
        false = [f for r in results for f in r.false_issues if f.category == category]
        if events or false:
            found = sum(event.raised_s is not None for event in events)
            figures[category] = {"events": len(events), "found": found, "false": len(false)}
    return figures


def cover_states(events: Iterable[EventResult]) -> dict[str, int]:
    """How often a cover that is damaged or missing was last reported as which: `truth → said`."""
    covers = {category.value for category in Category if category.family is Family.COVER}
    counts = Counter(
        f"{event.category} → {event.last_as}"
        for event in events
        if event.category in covers and event.last_as is not None
    )
    return dict(sorted(counts.items()))


def across_cameras(results: Sequence[ClipResult]) -> dict[str, int]:
    """What a centre made of events that several cameras see, by `event_id`; nothing without one.

    `case_duplicates`: cases beyond the first of one event. `cases_mixed`: cases that hold two
    events. `false_cases`: cases with none.
    """
    cases_of: dict[str, set[int]] = {}
    events_of: dict[int, set[str]] = {}
    false = {f.case_id for r in results for f in r.false_issues if f.case_id is not None}
    for event in (event for result in results for event in result.events):
        name = event.event_id or f"{event.clip} {event.category} {event.start_s}"
        for case_id in event.case_ids:
            cases_of.setdefault(name, set()).add(case_id)
            events_of.setdefault(case_id, set()).add(name)
    if not events_of and not false:
        return {}
    return {
        "cases": len(set(events_of) | false),
        "case_duplicates": sum(len(cases) - 1 for cases in cases_of.values()),
        "cases_mixed": sum(len(names) > 1 for names in events_of.values()),
        "false_cases": len(false - set(events_of)),
    }


def failed(figures: dict[str, Any], floors: dict[str, float]) -> list[str]:
    """Name each floor that is not reached: `name: at_least`, or `name_max: at_most`.

    A dot goes into a figure that has parts: `position_error_m.median_max`.
    """
    complaints = []
    for name, limit in floors.items():
        key, most = name.removesuffix("_max"), name.endswith("_max")
        value: Any = figures
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None or (value > limit if most else value < limit):
            complaints.append(f"{key} is {value}; {'at most' if most else 'at least'} {limit}")
    return complaints


def load_floors(name: str, path: Path = FLOORS) -> dict[str, float]:
    """Read the floors of one set of clips. Raises KeyError for a name that the file lacks."""
    known: dict[str, dict[str, float]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return known[name]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _spread(values: Iterable[float]) -> dict[str, float] | None:
    ordered = sorted(values)
    if not ordered:
        return None
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"median": round(statistics.median(ordered), 3), "p95": round(p95, 3),
            "n": len(ordered)}  # fmt: skip
