"""The commands that measure speed: each prints, writes JSON, and with --check holds the floors."""

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import anatomy as anatomy_module
from benchmarks import decode as decode_module
from benchmarks import density as density_module
from benchmarks import detector as detector_module
from benchmarks import footprint as footprint_module
from benchmarks import latency as latency_module
from benchmarks import overhead as overhead_module
from benchmarks import pipeline as pipeline_module
from benchmarks import report as report_module
from benchmarks import shortfall as shortfall_module
from benchmarks import soak as soak_module
from benchmarks.broker import BrokerError
from benchmarks.fleet import Row
from benchmarks.floors import all_held, check
from benchmarks.footage import CACHE
from benchmarks.peers import PeerError
from benchmarks.result import shown, write
from benchmarks.site import SiteError
from edge_agent.errors import AgentError
from edge_agent.model import default_folder
from edge_agent.probing import Probe, choose
from edge_agent.runtimes import Choice

ClipOption = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="your own clip; absent: drawn")
]
ModelOption = Annotated[Path | None, typer.Option(help="model folder; absent: the default")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="write the result here")]
CheckOption = Annotated[bool, typer.Option("--check", help="exit 1 where a floor is not held")]
RoundsOption = Annotated[int, typer.Option(min=1, help="interleaved rounds")]
SecondsOption = Annotated[float, typer.Option(min=0.2, help="seconds a measurement")]
PeersOption = Annotated[bool, typer.Option(help="measure ultralytics too (training extra)")]


def register(app: typer.Typer) -> None:
    """Add the commands to the benchmarks' command line."""
    for command in (
        anatomy,
        decode,
        detector,
        pipeline,
        density,
        shortfall,
        latency,
        soak,
        footprint,
        overhead,
        report,
    ):
        app.command()(command)


def anatomy(
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    rounds: RoundsOption = 3,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure where one look's time goes: key frames, scaling, the network and its convolutions."""
    folder = model or default_folder()
    finish(lambda: anatomy_module.measure(folder, clip, rounds, say), json_file, held=check)


def decode(
    *,
    clip: ClipOption = None,
    rounds: RoundsOption = 3,
    seconds: SecondsOption = 2.0,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure decoding: sizes and codecs, all frames and key frames only."""
    finish(lambda: decode_module.measure(clip, rounds, seconds, say), json_file, held=check)


def detector(  # noqa: PLR0913 -- one parameter an option of the command
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    rounds: RoundsOption = 3,
    seconds: SecondsOption = 1.5,
    peers: PeersOption = True,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure looks without decoding: runtimes, precisions, streams, batch, size; and peers."""

    def measure() -> dict[str, Any]:
        folder = model or default_folder()
        return detector_module.measure(folder, clip, rounds, seconds, say, with_peers=peers)

    finish(measure, json_file, held=check)


def pipeline(  # noqa: PLR0913
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    rounds: RoundsOption = 3,
    frames: Annotated[int, typer.Option(min=10, help="frames a round")] = 300,
    peers: PeersOption = True,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure the whole-video rate: decode, detect and judge every frame of a 1080p file."""

    def measure() -> dict[str, Any]:
        folder = model or default_folder()
        plan = pipeline_module.Plan(folder, clip, fastest(folder), rounds, frames, peers)
        return pipeline_module.measure(plan, say)

    finish(measure, json_file, held=check)


def density(  # noqa: PLR0913
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    seconds: SecondsOption = 8.0,
    full: Annotated[bool, typer.Option(help="every row, not only those with a floor")] = False,
    row: Annotated[list[str] | None, typer.Option(help="only rows whose name holds this")] = None,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """这台机器能带多少路摄像机？ How many cameras this box carries."""

    def measure() -> dict[str, Any]:
        folder = model or default_folder()
        rows = density_module.ROWS if full or row else density_module.WITH_FLOOR
        wanted = tuple(r for r in rows if not row or any(text in r.name for text in row))
        plan = density_module.Plan(folder, clip, fastest(folder), wanted, seconds)
        body = density_module.measure(plan, say)
        typer.echo(density_module.answer(body))
        return body

    finish(measure, json_file, held=check)


def shortfall(
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    rounds: RoundsOption = 3,
    seconds: SecondsOption = 8.0,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure where the cores go in a full fleet, beside decoding and the network alone."""

    def measure() -> dict[str, Any]:
        folder = model or default_folder()
        plan = density_module.Plan(folder, clip, fastest(folder), shortfall_module.ROWS, seconds)
        return shortfall_module.measure(plan, rounds, say)

    finish(measure, json_file, held=check)


def latency(
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    cameras: Annotated[
        int, typer.Option(min=0, help="1080p cameras at 5 looks/s; 0: 75 % of what it carries")
    ] = 0,
    seconds: Annotated[float, typer.Option(min=5, help="how long is measured")] = 150,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure from frame to case, through a real broker and centre, under load."""

    def measure() -> dict[str, Any]:
        folder = model or default_folder()
        row = Row(1080, 5)
        plan = latency_module.Plan(folder, clip, fastest(folder), row, cameras, seconds)
        return latency_module.measure(plan, say)

    finish(measure, json_file, held=check)


def soak(
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    seconds: Annotated[float, typer.Option(min=60, help="how long it runs")] = 3600,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Run 16 RTSP cameras for an hour, of which five leave and return."""

    def measure() -> dict[str, Any]:
        folder = model or default_folder()
        fastest(folder)
        return soak_module.measure(folder, clip, seconds, say)

    finish(measure, json_file, held=check)


def footprint(
    *,
    clip: ClipOption = None,
    model: ModelOption = None,
    rounds: RoundsOption = 2,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure the agent's start-up and memory."""

    def measure() -> dict[str, Any]:
        folder = model or default_folder()
        fastest(folder)
        return footprint_module.measure(folder, clip, rounds, say)

    finish(measure, json_file, held=check)


def overhead(
    *,
    model: ModelOption = None,
    rounds: RoundsOption = 5,
    json_file: JsonOption = None,
    check: CheckOption = False,
) -> None:
    """Measure what Python and issue logic cost a look."""
    folder = model or default_folder()
    finish(lambda: overhead_module.measure(folder, rounds, say), json_file, held=check)


def report(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="folder of --json results")],
) -> None:
    """Write one HTML page with plots from the results in a folder."""
    try:
        typer.echo(str(report_module.write(folder)))
    except report_module.ReportError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def fastest(model: Path) -> Choice:
    """What the agent would choose here; measured once, as the agent does."""
    chosen = choose(Probe(model), CACHE)
    say(f"{chosen.choice}: {chosen.why}")
    return chosen.choice


def say(text: str) -> None:
    """Tell how far it has come."""
    typer.echo(text, err=True)


def finish(measure: Any, json_file: Path | None, *, held: bool) -> None:
    """Measure, print, write, and hold against the floors where that was asked for."""
    try:
        body = measure()
    except (AgentError, PeerError, SiteError, BrokerError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    verdicts = check(body)
    body["floors"] = [
        {"name": v.name, "bound": v.bound, "reached": v.reached, "held": v.held} for v in verdicts
    ]
    typer.echo(shown(body))
    for verdict in verdicts:
        typer.echo(f"  {verdict}")
    if json_file:
        write(body, json_file)
    if held and not all_held(verdicts):
        raise typer.Exit(1)
