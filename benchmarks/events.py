"""Event-level evaluation: reports of agents held against truth files.

An event is found when an issue of its family is raised between its start and 10 s after its end
with a box overlapping its box by IoU >= 0.3; it is cleared in time when that issue's `cleared`
follows within 20 s of its end. Matching is one to one: further issues on an event are duplicates,
every other issue is false, unless it lies on a distractor that does not count.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyproj import Geod
from shapely.geometry import Point, Polygon

from benchmarks.report_lines import ReportLine
from benchmarks.truth import BoxPixels, Distractor, Event, Truth
from contract.messages import IssueReport, Phase

RAISE_GRACE_S = 10.0
CLEAR_GRACE_S = 20.0
IOU_MIN = 0.3
_EARTH = Geod(ellps="GRS80")  # CGCS2000's ellipsoid, to the tenth of a millimetre


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event of the truth in one camera.

    `off_m` is from the reported position to the middle of the true footprint, `outside_m` to its
    outline (0 inside); None where truth or report has no position. `cell_right` is of all reports
    of the issue together; None where truth names no cell, or no report does.
    """

    clip: str
    category: str
    start_s: float
    end_s: float | None
    raised_s: float | None
    raised_as: str | None
    last_as: str | None
    cleared_s: float | None
    cleared_in_time: bool | None
    duplicates: int
    event_id: str | None = None
    off_m: float | None = None
    outside_m: float | None = None
    cell_right: bool | None = None
    on_border: bool = False
    case_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FalseIssue:
    """An issue that was raised where nothing should have been."""

    clip: str
    category: str
    raised_s: float
    cleared_s: float | None
    box_px: tuple[int, ...]
    score: float
    on: str
    case_id: int | None = None


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One clip's events and false issues."""

    clip: str
    seconds: float
    events: tuple[EventResult, ...]
    false_issues: tuple[FalseIssue, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def evaluate(truth: Truth, lines: Sequence[ReportLine]) -> ClipResult:
    """Hold a clip's reports against its truth."""
    raised = [line for line in lines if line.report.phase is Phase.RAISED]
    first_of_issue = {line.report.issue_id: line for line in reversed(raised)}
    issues = sorted(first_of_issue.values(), key=lambda line: line.clip_s)
    owner: dict[int, list[ReportLine]] = {index: [] for index in range(len(truth.events))}
    strays = []
    for line in issues:
        best = _best_event(truth, line, owner)
        if best is None:
            strays.append(line)
        else:
            owner[best].append(line)
    results = tuple(
        _event_result(truth, event, owner[index], lines)
        for index, event in enumerate(truth.events)
        if event.seen or owner[index]
    )
    false_issues = tuple(
        _false_issue(truth, line, lines) for line in strays if not _excused(truth, line)
    )
    return ClipResult(truth.clip, truth.seconds, results, false_issues)


def cleared_early(event: EventResult) -> bool:
    """Say whether an event's issue was cleared while its object was still there."""
    end_s = math.inf if event.end_s is None else event.end_s
    return event.cleared_s is not None and event.cleared_s < end_s


def _best_event(truth: Truth, line: ReportLine, owner: dict[int, list[ReportLine]]) -> int | None:
    fitting = [
        (not owner[index], iou(event.box_at(line.clip_s), pixels(truth, line.report)), index)
        for index, event in enumerate(truth.events)
        if event.category.family is line.report.family and _in_time(truth, event, line)
    ]
    fitting = [found for found in fitting if found[1] >= IOU_MIN]
    return max(fitting)[2] if fitting else None


def _in_time(truth: Truth, event: Event, line: ReportLine) -> bool:
    end_s = truth.seconds if event.end_s is None else event.end_s
    return event.start_s <= line.clip_s <= end_s + RAISE_GRACE_S


def _event_result(
    truth: Truth, event: Event, own: list[ReportLine], lines: Sequence[ReportLine]
) -> EventResult:
    first = own[0] if own else None
    told = [] if first is None else _of_issue(first, lines)
    cleared_s = _cleared_s(told)
    off_m, outside_m = _distances_m(event, told)
    return EventResult(
        clip=truth.clip,
        category=event.category,
        start_s=event.start_s,
        end_s=event.end_s,
        raised_s=first.clip_s if first else None,
        raised_as=first.report.category if first else None,
        last_as=told[-1].report.category if told else None,
        cleared_s=cleared_s,
        cleared_in_time=_cleared_in_time(event, cleared_s) if first else None,
        duplicates=max(0, len(own) - 1),
        event_id=event.event_id,
        off_m=off_m,
        outside_m=outside_m,
        cell_right=_cell_right(event, told),
        on_border=event.on_border,
        case_ids=tuple(sorted({line.case_id for line in own if line.case_id is not None})),
    )


def _of_issue(first: ReportLine, lines: Sequence[ReportLine]) -> list[ReportLine]:
    return [line for line in lines if line.report.issue_id == first.report.issue_id]


def _cleared_s(told: Sequence[ReportLine]) -> float | None:
    return next((one.clip_s for one in told if one.report.phase is Phase.CLEARED), None)


def _cleared_in_time(event: Event, cleared_s: float | None) -> bool | None:
    """Whether the issue ended with its event; None for an event that stays and was not cleared."""
    if event.end_s is None:
        return None if cleared_s is None else False
    return cleared_s is not None and event.end_s <= cleared_s <= event.end_s + CLEAR_GRACE_S


def _distances_m(event: Event, told: Sequence[ReportLine]) -> tuple[float | None, float | None]:
    """From the position of the issue's first report to the footprint's middle and outline."""
    position = told[0].report.position if told else None
    if position is None or len(event.footprint_lonlat) < 3:
        return None, None
    corners = [_metres(position.lon, position.lat, *corner) for corner in event.footprint_lonlat]
    footprint = Polygon(corners)
    middle = footprint.centroid
    return round(math.hypot(middle.x, middle.y), 3), round(
        float(footprint.distance(Point(0, 0))), 3
    )


def _metres(lon: float, lat: float, to_lon: float, to_lat: float) -> tuple[float, float]:
    """Where a point lies from another: metres east and north."""
    bearing, _, metres = _EARTH.inv(lon, lat, to_lon, to_lat)
    angle = math.radians(bearing)
    return metres * math.sin(angle), metres * math.cos(angle)


def _cell_right(event: Event, told: Sequence[ReportLine]) -> bool | None:
    """Whether every report names the true cell as the nearest; on a border any of the true ones."""
    named = [[cell.code for cell in line.report.cells] for line in told]
    known = [codes for codes in named if codes]
    if not event.cells or not known:
        return None
    if event.on_border:
        return all(set(codes) & set(event.cells) for codes in known)
    return all(codes[0] in event.cells for codes in known)


def _excused(truth: Truth, line: ReportLine) -> bool:
    return any(
        not distractor.score and _lies_on(pixels(truth, line.report), distractor)
        for distractor in truth.distractors
    )


def _false_issue(truth: Truth, line: ReportLine, lines: Sequence[ReportLine]) -> FalseIssue:
    box = pixels(truth, line.report)
    names = [
        distractor.category
        for distractor in truth.distractors
        if _lies_on(box, distractor) and distractor.start_s <= line.clip_s
    ]
    return FalseIssue(
        clip=truth.clip,
        category=line.report.category,
        raised_s=line.clip_s,
        cleared_s=_cleared_s(_of_issue(line, lines)),
        box_px=tuple(round(value) for value in box),
        score=line.report.score,
        on=", ".join(names) or "background",
        case_id=line.case_id,
    )


def _lies_on(box: BoxPixels, distractor: Distractor) -> bool:
    shared = _shared_px(box, distractor.box)
    return iou(box, distractor.box) >= IOU_MIN or shared / _area_px(box) >= 0.5


def pixels(truth: Truth, report: IssueReport) -> BoxPixels:
    """A report's box in pixels of the truth's clip."""
    x1, y1, x2, y2 = report.box_xyxyn
    return x1 * truth.width, y1 * truth.height, x2 * truth.width, y2 * truth.height


def _shared_px(a: BoxPixels, b: BoxPixels) -> float:
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, across) * max(0.0, down)


def _area_px(box: BoxPixels) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a: BoxPixels, b: BoxPixels) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    shared = _shared_px(a, b)
    return shared / (_area_px(a) + _area_px(b) - shared)
