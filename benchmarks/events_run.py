"""`gridwatch-bench events` from its arguments to its results: one evaluation a model."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.event_figures import failed, load_floors, summary
from benchmarks.event_view import draw_timeline, event_table, figures_table
from benchmarks.events import ClipResult, evaluate
from benchmarks.machine import this_machine
from benchmarks.report_lines import (
    START,
    ReportLine,
    Setup,
    camera_of,
    centre_lines,
    read_reports,
    replay_lines,
)
from benchmarks.truth import Truth, TruthError, load_truth
from edge_agent.config import load_camera
from edge_agent.model import load_card

TOKEN_VARIABLE = "GRIDWATCH_TOKEN"  # noqa: S105 -- the variable's name


@dataclass(frozen=True, slots=True)
class Run:
    """What is evaluated: clips, and where their reports come from."""

    clips: Sequence[Path]
    camera: Path | None = None
    agent: Path | None = None
    reports: Path | None = None
    centre: str | None = None
    start: datetime | None = None


def evaluate_models(run: Run, models: Sequence[Path]) -> dict[str, list[ClipResult]]:
    """Evaluate all clips with each model, by the model's name; reports at hand are judged once.

    Raises TruthError and AgentError for a file that cannot be used.
    """
    truths = {clip: load_truth(clip.with_suffix(".json")) for clip in run.clips}
    if run.centre:
        return {f"centre {run.centre}": _at_centre(run, run.centre, truths)}
    if run.reports:
        folder = run.reports
        read = {clip: read_reports(folder / f"{clip.stem}.jsonl") for clip in truths}
        return {str(folder): [evaluate(truth, read[clip]) for clip, truth in truths.items()]}
    results: dict[str, list[ClipResult]] = {}
    for model in models:
        name = load_card(model).name
        setup = Setup(run.camera, run.agent, model)
        # Two cards may have one name: a model and its retraining.
        results[str(model) if name in results else name] = [
            evaluate(truth, replay_lines(clip, truth, setup)) for clip, truth in truths.items()
        ]
    return results


def _at_centre(run: Run, url: str, truths: Mapping[Path, Truth]) -> list[ClipResult]:
    start = run.start.replace(tzinfo=UTC) if run.start else None
    start = start or next((truth.start_utc for truth in truths.values() if truth.start_utc), START)
    by_camera = centre_lines(url, os.environ.get(TOKEN_VARIABLE), start)
    results = []
    for clip, truth in truths.items():
        lines: list[ReportLine] = by_camera.get(
            load_camera(camera_of(clip, run.camera)).camera.id, []
        )
        results.append(evaluate(truth, lines))
    return results


def complaints(compared: Mapping[str, list[ClipResult]], check: str | None) -> list[str]:
    """Name the floors that the first model does not reach. Raises TruthError for an unknown set."""
    if check is None:
        return []
    try:
        floors = load_floors(check)
    except KeyError:
        raise TruthError(f"--check {check}: event_floors.yaml has no floors of that name") from None
    return failed(summary(next(iter(compared.values()))), floors)


def show(compared: Mapping[str, list[ClipResult]], console: Console) -> None:
    """Print each model's events, and the figures side by side."""
    for name, results in compared.items():
        console.print(event_table(results, name))
    console.print(figures_table({name: summary(results) for name, results in compared.items()}))


def draw(compared: Mapping[str, list[ClipResult]], path: Path) -> None:
    """Draw a timeline a model; the second one's path gets its number."""
    for number, (name, results) in enumerate(compared.items()):
        target = path if number == 0 else path.with_stem(f"{path.stem}-{number + 1}")
        draw_timeline(results, f"truth against reports: {name}", target)


def as_json(compared: Mapping[str, list[ClipResult]]) -> dict[str, Any]:
    """Return the first model's result, and the others' beside it."""
    bodies = [
        {
            "model": name,
            "summary": summary(results),
            "clips": [result.as_json() for result in results],
        }
        for name, results in compared.items()
    ]
    body = {"machine": this_machine().as_json()} | bodies[0]
    return body | {"compared": bodies[1:]} if bodies[1:] else body
