"""The commands about what an agent shows and wrongly shows: cost of evidence, quiet streets."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import evidence as evidence_module
from benchmarks import quiet as quiet_module
from benchmarks import quiet_block, quiet_footage
from benchmarks.block.errors import BlockError
from benchmarks.footage import Footage
from benchmarks.truth import TruthError
from edge_agent.errors import AgentError
from edge_agent.model import default_folder

DEFAULT_SHARED = Path(__file__).parents[2] / "shared"

ModelOption = Annotated[Path | None, typer.Option(help="model folder; absent: the default")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="write the result here")]


def register(app: typer.Typer) -> None:
    """Add the commands to the benchmarks' command line."""
    for command in (evidence, quiet):
        app.command()(command)


def evidence(
    clip: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="your own; absent: drawn")
    ] = None,
    model: ModelOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="rounds, of which the median counts")] = 3,
    json_file: JsonOption = None,
) -> None:
    """Measure what packets kept in memory, a masked still and a masked clip cost."""
    try:
        stream = Footage(1080).made(clip)
        result = evidence_module.measure(stream, model or default_folder(), rounds)
    except AgentError as error:
        print(f"evidence: {error}", file=sys.stderr)  # noqa: T201 -- a command's output
        raise typer.Exit(1) from None
    print(json.dumps(evidence_module.summary(result)))  # noqa: T201 -- a command's output
    if json_file:
        json_file.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


def quiet(  # noqa: PLR0913 -- typer takes a command's options as its arguments
    *,
    shared: Annotated[Path, typer.Option(help="folder with the quiet frames")] = DEFAULT_SHARED,
    model: ModelOption = None,
    days: Annotated[int, typer.Option(min=1, help="days that each camera watches")] = 7,
    frames: Annotated[
        int, typer.Option(min=0, help="frames a street camera, neighbours in time; 0: none of them")
    ] = 8,
    block_frames: Annotated[
        int, typer.Option(min=0, help="and so many a clip of the virtual block; 0: none of it")
    ] = 32,
    sheet: Annotated[Path | None, typer.Option(help="draw every spot raised (PNG)")] = None,
    at_most: Annotated[
        float | None, typer.Option("--check", help="fail above so many false alarms a camera-day")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Let quiet cameras watch a week of day, dusk, night and rain in compressed time."""
    try:
        cameras = quiet_footage.cameras_of(shared, frames) if frames else []
        cameras += quiet_block.block_cameras(block_frames) if block_frames else []
        found = quiet_footage.Found(model or default_folder())
        result, hits = quiet_module.measure(cameras, found, days)
        if sheet:
            quiet_module.draw_sheet(hits, cameras, sheet)
    except (AgentError, BlockError, TruthError) as error:
        print(f"quiet: {error}", file=sys.stderr)  # noqa: T201 -- a command's output
        raise typer.Exit(1) from None
    rates = {name: result[name] for name in ("all", "cameras_not_trained_on", "block", "real")}
    print(json.dumps(rates))  # noqa: T201 -- a command's output
    if json_file:
        json_file.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if at_most is not None and result["all"]["per_camera_day"] > at_most:
        print(f"quiet: more than {at_most} false alarms a camera-day", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1)
