"""Cells and components in the database: import, lookup, reading by a box of degrees."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely.geometry import shape
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from central_ingest.dedup import EARTH_RADIUS_M, Place
from central_ingest.errors import NotFound
from central_ingest.grid import Cell, Component, cells_at, is_official
from central_ingest.store import tables as t
from central_ingest.store.views import CellView
from contract.messages import CellRef

Bounds = tuple[float, float, float, float]
CELLS_MAX = 5000


@dataclass(frozen=True, slots=True)
class GridSource:
    """Where a grid came from."""

    grid_version: str
    source: str
    source_sha256: str


def import_cells(
    connection: Connection, origin: GridSource, cells: list[Cell], now: datetime
) -> None:
    """Store a version of the grid; the same version is replaced as a whole."""
    version = origin.grid_version
    connection.execute(delete(t.cell).where(t.cell.c.grid_version == version))
    connection.execute(delete(t.grid).where(t.grid.c.grid_version == version))
    connection.execute(
        insert(t.grid).values(
            grid_version=version,
            official=all(cell.official for cell in cells),
            source=origin.source,
            source_sha256=origin.source_sha256,
            crs="CGCS2000",
            imported_at=now,
        )
    )
    connection.execute(insert(t.cell), [_cell_values(version, cell) for cell in cells])


def _cell_values(version: str, cell: Cell) -> dict[str, Any]:
    min_lon, min_lat, max_lon, max_lat = cell.polygon.bounds
    return {
        "grid_version": version,
        "code": cell.code,
        "official": cell.official,
        "min_lon": min_lon,
        "max_lon": max_lon,
        "min_lat": min_lat,
        "max_lat": max_lat,
        "polygon": cell.geojson,
    }


def import_components(connection: Connection, components: list[Component]) -> None:
    """Store components; those that are there already are replaced."""
    for one in components:
        key = (t.component.c.component_id == one.component_id) & (
            t.component.c.standard == one.standard
        )
        connection.execute(delete(t.component).where(key))
        connection.execute(
            insert(t.component).values(
                component_id=one.component_id,
                standard=one.standard,
                kind=one.kind,
                lon=one.lon,
                lat=one.lat,
            )
        )


def has_source(connection: Connection, source_sha256: str) -> bool:
    """Whether a file with these bytes was imported before."""
    found = select(t.grid.c.grid_version).where(t.grid.c.source_sha256 == source_sha256)
    return connection.execute(found).first() is not None


def current_version(connection: Connection) -> str | None:
    """The grid that was imported last; an official one wins over a lattice."""
    return connection.execute(
        select(t.grid.c.grid_version)
        .order_by(t.grid.c.official.desc(), t.grid.c.imported_at.desc())
        .limit(1)
    ).scalar_one_or_none()


def cells_in(
    connection: Connection, bounds: Bounds, grid_version: str | None = None
) -> list[CellView]:
    """Cells that touch min_lon, min_lat, max_lon, max_lat; at most CELLS_MAX of them."""
    version = grid_version or current_version(connection)
    rows = connection.execute(
        select(t.cell)
        .where(t.cell.c.grid_version == version, _touches(bounds))
        .order_by(t.cell.c.code)
        .limit(CELLS_MAX)
    )
    return [CellView(row.code, row.grid_version, row.official, row.polygon) for row in rows]


def all_cells(connection: Connection, grid_version: str | None = None) -> list[CellView]:
    """Every cell of a grid. Raises NotFound where there is none."""
    version = grid_version or current_version(connection)
    rows = connection.execute(
        select(t.cell).where(t.cell.c.grid_version == version).order_by(t.cell.c.code)
    ).all()
    if not rows:
        raise NotFound(f"there is no grid {version}: import one with 'central-ingest import grid'")
    return [CellView(row.code, row.grid_version, row.official, row.polygon) for row in rows]


def extent(connection: Connection) -> Bounds | None:
    """The box of degrees that the current grid fills, or None without a grid."""
    version = current_version(connection)
    row = connection.execute(
        select(
            func.min(t.cell.c.min_lon),
            func.min(t.cell.c.min_lat),
            func.max(t.cell.c.max_lon),
            func.max(t.cell.c.max_lat),
        ).where(t.cell.c.grid_version == version)
    ).one()
    return None if row[0] is None else (row[0], row[1], row[2], row[3])


def _touches(bounds: Bounds) -> ColumnElement[bool]:
    min_lon, min_lat, max_lon, max_lat = bounds
    return and_(
        t.cell.c.min_lat <= max_lat,
        t.cell.c.max_lat >= min_lat,
        t.cell.c.min_lon <= max_lon,
        t.cell.c.max_lon >= min_lon,
    )


def bounds_around(place: Place, radius_m: float) -> Bounds:
    """A box of degrees that holds everything within `radius_m`."""
    up = math.degrees(radius_m / EARTH_RADIUS_M)
    side = up / max(0.01, math.cos(math.radians(place.lat)))
    return place.lon - side, place.lat - up, place.lon + side, place.lat + up


def look_up(connection: Connection, place: Place) -> tuple[CellRef, ...]:
    """The cells of a place in the current grid, nearest first; at most two."""
    bounds = bounds_around(place, place.error_m + 1)
    views = cells_in(connection, bounds)
    cells = [Cell(view.code, shape(view.polygon)) for view in views]
    return cells_at(place, cells, views[0].grid_version) if views else ()


def official(connection: Connection, cell: CellRef) -> bool:
    """Whether a cell is official: as the imported grid says, else as its code says."""
    found = connection.execute(
        select(t.cell.c.official).where(
            t.cell.c.grid_version == cell.grid_version, t.cell.c.code == cell.code
        )
    ).scalar_one_or_none()
    return is_official(cell.code) if found is None else bool(found)
