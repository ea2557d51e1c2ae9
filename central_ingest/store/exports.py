"""Files for others: cases for Datasette, cells for agents."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlite_utils
from shapely.geometry import shape
from sqlalchemy import Table, select

from central_ingest.errors import GridFileError
from central_ingest.grid import Cell, to_geojson
from central_ingest.store import tables as t
from central_ingest.store.cells import all_cells
from central_ingest.store.database import Engine, reading
from contract.messages import format_utc

_EXPORTED = (t.case, t.sighting, t.former_sighting, t.decision, t.evidence_ref)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, UUID) else value


def _rows(engine: Engine, table: Table) -> Iterator[dict[str, Any]]:
    with reading(engine) as connection:
        for row in connection.execute(select(table)).mappings():
            yield {key: _plain(value) for key, value in row.items()}


def export_cases(engine: Engine, out: Path) -> int:
    """Write cases, sightings, decisions and evidence names as a new SQLite file.

    Returns the number of cases. Raises GridFileError where the file exists.
    """
    if out.exists():
        raise GridFileError(f"{out} exists already; choose another name")
    database = sqlite_utils.Database(str(out))
    for table in _EXPORTED:
        keys = [column.name for column in table.primary_key]
        database.table(table.name).insert_all(_rows(engine, table), pk=keys)
    return int(database["case"].count) if database["case"].exists() else 0


def export_grid(engine: Engine, out: Path, grid_version: str | None) -> int:
    """Write a grid as GeoJSON, as agents read it; returns the number of cells."""
    with reading(engine) as connection:
        views = all_cells(connection, grid_version)
    found = [Cell(view.code, shape(view.polygon)) for view in views]
    out.write_text(to_geojson(found, views[0].grid_version), encoding="utf-8")
    return len(found)
