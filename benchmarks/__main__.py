"""`gridwatch-bench`: the demo and the measurements."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import demo as demo_module
from benchmarks import events_run, health_trials, ingest_figures
from benchmarks import ingest as ingest_module
from benchmarks import masking as masking_module
from benchmarks.broker import BrokerError
from benchmarks.demo import DemoError
from benchmarks.evidence_commands import register as register_evidence
from benchmarks.speed_commands import register as register_speed
from benchmarks.truth import TruthError
from edge_agent.errors import AgentError
from edge_agent.model import default_folder

DEFAULT_SHARED = Path(__file__).parents[2] / "shared"

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


register_speed(app)
register_evidence(app)


@app.callback()
def _root() -> None:
    """`gridwatch-bench`: the demo and the measurements."""


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option(help="stop so long after the first frame; absent: Ctrl-C")
    ] = None,
    port: Annotated[int, typer.Option(help="port of the pages")] = 8080,
    model: Annotated[Path | None, typer.Option(help="model folder; absent: the demo's")] = None,
) -> None:
    """Run broker, centre and agent on the demo cameras; fails when no case was opened."""
    try:
        summary = demo_module.run(seconds, port, model)
    except (DemoError, BrokerError) as error:
        print(f"demo: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:  # before anything could be shown
        raise typer.Exit(130) from None
    print(summary)
    opened = bool(summary.cases and summary.receipts)
    raise typer.Exit(0 if opened or seconds is None else 1)


@app.command()
def events(  # noqa: PLR0913 -- typer takes a command's options as its arguments
    clips: Annotated[list[Path], typer.Argument(help="clips or folders; truth beside each clip")],
    *,
    camera: Annotated[
        Path | None,
        typer.Option(help="camera file for all; absent: the one beside a clip, or compressed time"),
    ] = None,
    agent: Annotated[
        Path | None, typer.Option(help="agent file with grid and components; absent: beside a clip")
    ] = None,
    model: Annotated[
        list[Path] | None, typer.Option(help="model folder; more to compare; absent: the default")
    ] = None,
    reports: Annotated[
        Path | None, typer.Option(help="folder of CLIP.jsonl from edge-agent replay: no replay")
    ] = None,
    centre: Annotated[
        str | None, typer.Option(help="URL of a centre whose cases are judged")
    ] = None,
    start: Annotated[
        datetime | None, typer.Option(help="UTC at which a centre's clips began; absent: truth's")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="draw a timeline here (PNG)")] = None,
    check: Annotated[str | None, typer.Option(help="fail below the floors of this name")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here")] = None,
) -> None:
    """Hold reports of agents, or a centre's cases, against the truth of clips.

    A centre's token is taken from GRIDWATCH_TOKEN.
    """
    run = events_run.Run(clips_in(clips), camera, agent, reports, centre, start)
    try:
        compared = events_run.evaluate_models(run, model or [default_folder()])
        complaints = events_run.complaints(compared, check)
    except (AgentError, TruthError) as error:
        print(f"events: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    # Piped into a file, a table shall not be folded to 80 columns.
    events_run.show(compared, Console() if sys.stdout.isatty() else Console(width=150))
    if json_file:
        json_file.write_text(
            json.dumps(events_run.as_json(compared), indent=2, ensure_ascii=False) + "\n"
        )
    if plot:
        events_run.draw(compared, plot)
    for complaint in complaints:
        print(f"events: {complaint}", file=sys.stderr)
    raise typer.Exit(1 if complaints else 0)


@app.command()
def masking(
    *,
    shared: Annotated[Path, typer.Option(help="folder with the labelled frames")] = DEFAULT_SHARED,
    model: Annotated[Path | None, typer.Option(help="model folder; absent: the default")] = None,
    check: Annotated[bool, typer.Option("--check", help="fail below the floor")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here")] = None,
) -> None:
    """Measure how many hand-labelled heads and plates the masking rules cover."""
    try:
        result = masking_module.measure(model or default_folder(), shared)
    except AgentError as error:
        print(f"masking: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(masking_module.summary(result))
    if json_file:
        json_file.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if check and (complaint := masking_module.failed(result)):
        print(f"masking: {complaint}", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def health(
    clips: Annotated[list[Path], typer.Argument(help="clips of cameras, or folders of them")],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="fail on an alarm without a reason, or a late one")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here")] = None,
) -> None:
    """Watch clips as they are and knocked, dimmed, blurred, …: alarms, delays, cost.

    A clip whose truth tells of troubles (turned, knocked, dark, covered) is held against it.
    """
    try:
        found = health_trials.watch(clips_in(clips))
    except (AgentError, TruthError) as error:
        print(f"health: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(found.summary())
    if json_file:
        json_file.write_text(json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
    if check and (complaints := found.failed()):
        print("\n".join(f"health: {complaint}" for complaint in complaints), file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def ingest(  # noqa: PLR0913 -- one parameter an option
    *,
    rate: Annotated[float, typer.Option(help="reports a second, all agents together")] = 8000,
    seconds: Annotated[float, typer.Option(help="how long they report")] = 30,
    agents: Annotated[int, typer.Option(min=2, help="simulated agents, a connection each")] = 50,
    workers: Annotated[int, typer.Option(min=1, help="ingest processes")] = 1,
    open_cases: Annotated[int, typer.Option(help="cases that are open already")] = 100_000,
    flood: Annotated[float, typer.Option(help="reports a second of one agent on top")] = 0,
    database: Annotated[
        str | None, typer.Option(help="URL of an empty PostgreSQL; absent: SQLite")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="so often; that in the middle is told")] = 1,
    check: Annotated[bool, typer.Option("--check", help="fail below the floors")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here")] = None,
) -> None:
    """Measure how fast the centre takes reports in, with duplicates, to the receipt."""
    plan = ingest_module.Plan(rate, seconds, agents, workers, open_cases, flood, database)
    try:
        result = ingest_module.measure_often(plan, runs)
    except (ingest_module.IngestBenchError, BrokerError) as error:
        print(f"ingest: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(ingest_figures.summary(result))
    if json_file:
        json_file.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if check and (complaint := ingest_figures.failed(result)):
        print(f"ingest: {complaint}", file=sys.stderr)
        raise typer.Exit(1)


def clips_in(named: list[Path]) -> list[Path]:
    """Clips by name, and those of folders."""
    return [p for c in named for p in (sorted(c.glob("*.mp4")) if c.is_dir() else [c])]


def main() -> None:
    """Run the command line."""
    app(prog_name="gridwatch-bench")


if __name__ == "__main__":
    main()
