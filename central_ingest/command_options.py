"""What all commands share: where their settings are, and how their errors are told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from central_ingest import config
from central_ingest.config import Settings
from central_ingest.errors import CentreError

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The settings, a YAML file.")]
Data = Annotated[Path | None, typer.Option(help="The folder of database and evidence.")]


def settings_of(
    config_file: Path | None, data: Path | None, **sections: Mapping[str, Any]
) -> Settings:
    """The settings of a file, where one is named; what options say goes before it.

    Raises ConfigError.
    """
    overrides: dict[str, Any] = {
        name: {key: value for key, value in given.items() if value is not None}
        for name, given in sections.items()
    }
    if data is not None:
        overrides["data"] = data
    return config.load(config_file, overrides)


@contextmanager
def explained() -> Iterator[None]:
    """One clear line and exit 1 instead of a traceback, for everything that we understand."""
    try:
        yield
    except CentreError as error:
        typer.echo(f"central-ingest: {error}", err=True)
        raise typer.Exit(1) from None
