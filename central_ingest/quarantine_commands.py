"""`central-ingest quarantine`: list, show, discard."""

import sys
from typing import Annotated

import typer

from central_ingest import app as centre
from central_ingest.command_options import ConfigFile, Data, explained, settings_of
from central_ingest.store import quarantine
from central_ingest.store.database import reading, writing

app = typer.Typer(no_args_is_help=True, help="What could not be filed, and why.")


@app.command("list")
def list_waiting(
    *,
    config_file: ConfigFile = None,
    data: Data = None,
    at_most: Annotated[int, typer.Option(help="The newest so many.", min=1)] = 50,
) -> None:
    """Number, last and first time, times, bytes, topic and reason of each message that waits."""
    with explained(), reading(centre.open_database(settings_of(config_file, data))) as connection:
        for one in quarantine.list_quarantined(connection, at_most):
            last, first = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (one.last_at, one.first_at))
            about = (one.quarantine_id, last, first, one.times, one.raw_bytes)
            # What strangers sent must not steer the terminal.
            typer.echo("\t".join([*map(str, about), repr(one.topic)[1:-1], repr(one.reason)[1:-1]]))


@app.command("show")
def show(number: int, *, config_file: ConfigFile = None, data: Data = None) -> None:
    """Write a message's bytes to the standard output, as they came."""
    with explained(), reading(centre.open_database(settings_of(config_file, data))) as connection:
        sys.stdout.buffer.write(quarantine.raw_of(connection, number))


@app.command("discard")
def discard(numbers: list[int], *, config_file: ConfigFile = None, data: Data = None) -> None:
    """Delete messages that nobody needs: all that are named, or none."""
    with explained():
        with writing(centre.open_database(settings_of(config_file, data))) as connection:
            quarantine.discard(connection, numbers)
        typer.echo(f"{len(set(numbers))} discarded")
