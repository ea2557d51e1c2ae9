"""`gridwatch-bench`: the demo and the measurements."""

import sys
from typing import Annotated

import typer

from benchmarks import demo as demo_module
from benchmarks.broker import BrokerError
from benchmarks.demo import DemoError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.callback()
def _root() -> None:
    """`gridwatch-bench`: the demo and the measurements."""


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option(help="stop so long after the first frame; absent: Ctrl-C")
    ] = None,
    port: Annotated[int, typer.Option(help="port of the pages")] = 8080,
) -> None:
    """Run broker, centre and agent on the demo cameras; fails when no case was opened."""
    try:
        summary = demo_module.run(seconds, port)
    except (DemoError, BrokerError) as error:
        print(f"demo: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(summary)
    raise typer.Exit(0 if summary.cases or seconds is None else 1)


def main() -> None:
    """Run the command line."""
    app(prog_name="gridwatch-bench")


if __name__ == "__main__":
    main()
