"""Event-level evaluation: reports of an agent held against a truth file.

An event is found when an issue of its category (the two cover categories count for each other) is
raised between its start and 10 s after its end with a box overlapping its box by IoU >= 0.3; it is
cleared when that issue's `cleared` follows within 20 s of its end. Matching is one to one.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.truth import BoxPixels, Distractor, Event, Truth, load_truth
from contract.messages import IssueReport, Phase
from edge_agent.replay import Replay, replayed

START = datetime(2000, 1, 1, tzinfo=UTC)
RAISE_GRACE_S = 10.0
CLEAR_GRACE_S = 20.0
IOU_MIN = 0.3
DEFAULT_CAMERA = Path(__file__).parent / "events_camera.yaml"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line of `edge-agent replay`: a report and its second in the clip."""

    report: IssueReport
    clip_s: float


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event of the truth."""

    clip: str
    category: str
    start_s: float
    end_s: float | None
    raised_s: float | None
    raised_as: str | None
    cleared_s: float | None
    cleared_in_time: bool | None
    duplicates: int


@dataclass(frozen=True, slots=True)
class FalseIssue:
    """An issue that was raised where nothing should have been."""

    clip: str
    category: str
    raised_s: float
    box_px: tuple[int, ...]
    score: float
    on: str


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


def read_reports(path: Path) -> list[ReportLine]:
    """Read what `edge-agent replay --reports` wrote."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        data = json.loads(text)
        clip_s = data.pop("clip_s")
        lines.append(ReportLine(IssueReport.model_validate(data), clip_s))
    return lines


def evaluate_clips(clips: list[Path], camera: Path, model: Path | None) -> list[ClipResult]:
    """Replay each clip that has a truth file beside it, and evaluate its reports.

    Raises TruthError and AgentError for a file that cannot be used.
    """
    results = []
    for clip in clips:
        truth = load_truth(clip.with_suffix(".json"))
        replay = Replay(clip, camera, truth.start_utc or START, model)
        lines = [ReportLine(report, clip_s) for clip_s, report in replayed(replay)]
        results.append(evaluate(truth, lines))
    return results


def table(results: list[ClipResult]) -> Iterator[str]:
    """Yield the lines of a Markdown table: every event, then every false issue."""
    yield "| clip | what | from | to | raised | as | cleared | duplicates |"
    yield "|---|---|---|---|---|---|---|---|"
    for result in results:
        for event in result.events:
            cells = (
                event.clip, event.category, event.start_s, event.end_s, event.raised_s,
                event.raised_as, event.cleared_s, event.duplicates,
            )  # fmt: skip
            yield "| " + " | ".join("–" if cell is None else str(cell) for cell in cells) + " |"
        for false in result.false_issues:
            yield (
                f"| {false.clip} | FALSE on {false.on} {false.box_px} | | | {false.raised_s} "
                f"| {false.category} ({false.score:.2f}) | | |"
            )


def summary(results: list[ClipResult]) -> dict[str, int | float]:
    """Count what was found, cleared, doubled and false over all clips."""
    events = [event for result in results for event in result.events]
    ended = [event for event in events if event.end_s is not None and event.raised_s is not None]
    hours = sum(result.seconds for result in results) / 3600
    false_issues = sum(len(result.false_issues) for result in results)
    return {
        "events": len(events),
        "found": sum(event.raised_s is not None for event in events),
        "ended_and_found": len(ended),
        "cleared_in_time": sum(event.cleared_in_time is True for event in ended),
        "cleared_though_there": sum(cleared_early(event) for event in events),
        "duplicates": sum(event.duplicates for event in events),
        "false_issues": false_issues,
        "false_per_camera_hour": round(false_issues / hours, 1),
    }


def cleared_early(event: EventResult) -> bool:
    """Say whether an event's issue was cleared while its object was still there."""
    end_s = math.inf if event.end_s is None else event.end_s
    return event.cleared_s is not None and event.cleared_s < end_s


def evaluate(truth: Truth, lines: list[ReportLine]) -> ClipResult:
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
        _event_result(truth, event, owner[index], lines) for index, event in enumerate(truth.events)
    )
    false_issues = tuple(_false_issue(truth, line) for line in strays if not _excused(truth, line))
    return ClipResult(truth.clip, truth.seconds, results, false_issues)


def _best_event(truth: Truth, line: ReportLine, owner: dict[int, list[ReportLine]]) -> int | None:
    fitting = [
        (not owner[index], iou(event.box, _pixels(truth, line)), index)
        for index, event in enumerate(truth.events)
        if event.category.family is line.report.family and _in_time(truth, event, line)
    ]
    fitting = [found for found in fitting if found[1] >= IOU_MIN]
    return max(fitting)[2] if fitting else None


def _in_time(truth: Truth, event: Event, line: ReportLine) -> bool:
    end_s = truth.seconds if event.end_s is None else event.end_s
    return event.start_s <= line.clip_s <= end_s + RAISE_GRACE_S


def _event_result(
    truth: Truth, event: Event, own: list[ReportLine], lines: list[ReportLine]
) -> EventResult:
    first = own[0] if own else None
    cleared_s = next(
        (
            line.clip_s
            for line in lines
            if first is not None
            and line.report.issue_id == first.report.issue_id
            and line.report.phase is Phase.CLEARED
        ),
        None,
    )
    return EventResult(
        clip=truth.clip,
        category=event.category,
        start_s=event.start_s,
        end_s=event.end_s,
        raised_s=first.clip_s if first else None,
        raised_as=first.report.category if first else None,
        cleared_s=cleared_s,
        cleared_in_time=_cleared_in_time(event, cleared_s) if first else None,
        duplicates=max(0, len(own) - 1),
    )


def _cleared_in_time(event: Event, cleared_s: float | None) -> bool | None:
    """Whether the issue ended with its event; None for an event that stays and was not cleared."""
    if event.end_s is None:
        return None if cleared_s is None else False
    return cleared_s is not None and event.end_s <= cleared_s <= event.end_s + CLEAR_GRACE_S


def _excused(truth: Truth, line: ReportLine) -> bool:
    return any(
        not distractor.score and _lies_on(_pixels(truth, line), distractor)
        for distractor in truth.distractors
    )


def _false_issue(truth: Truth, line: ReportLine) -> FalseIssue:
    box = _pixels(truth, line)
    names = [
        distractor.category
        for distractor in truth.distractors
        if _lies_on(box, distractor) and distractor.start_s <= line.clip_s
    ]
    return FalseIssue(
        clip=truth.clip,
        category=line.report.category,
        raised_s=line.clip_s,
        box_px=tuple(round(value) for value in box),
        score=line.report.score,
        on=", ".join(names) or "background",
    )


def _lies_on(box: BoxPixels, distractor: Distractor) -> bool:
    return iou(box, distractor.box) >= IOU_MIN or _share(box, distractor.box) >= 0.5


def _pixels(truth: Truth, line: ReportLine) -> BoxPixels:
    x1, y1, x2, y2 = line.report.box_xyxyn
    return x1 * truth.width, y1 * truth.height, x2 * truth.width, y2 * truth.height


def _shared_px(a: BoxPixels, b: BoxPixels) -> float:
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, across) * max(0.0, down)


def _area_px(box: BoxPixels) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _share(box: BoxPixels, other: BoxPixels) -> float:
    return _shared_px(box, other) / _area_px(box)


def iou(a: BoxPixels, b: BoxPixels) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    shared = _shared_px(a, b)
    return shared / (_area_px(a) + _area_px(b) - shared)
