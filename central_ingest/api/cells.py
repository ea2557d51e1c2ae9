"""The management grid over HTTP, as GeoJSON."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request

from central_ingest.api.auth import require
from central_ingest.api.deps import Deps
from central_ingest.store.access import Role
from central_ingest.store.cells import Bounds, cells_in
from central_ingest.store.database import reading
from central_ingest.store.views import CellView


def _bounds(text: str) -> Bounds:
    try:
        min_lon, min_lat, max_lon, max_lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise HTTPException(
            422, "bbox: four numbers min_lon,min_lat,max_lon,max_lat were expected"
        ) from error
    return min_lon, min_lat, max_lon, max_lat


def feature(cell: CellView) -> dict[str, Any]:
    """A cell as a GeoJSON feature."""
    return {
        "type": "Feature",
        "geometry": cell.polygon,
        "properties": {
            "code": cell.code,
            "grid_version": cell.grid_version,
            "official": cell.official,
        },
    }


def make_router(deps: Deps) -> APIRouter:
    """The routes of the grid."""
    router = APIRouter(prefix="/api", tags=["grid"])

    @router.get("/cells")
    def cells(request: Request, bbox: str, grid_version: str | None = None) -> dict[str, Any]:
        """The cells that touch `bbox` (min_lon,min_lat,max_lon,max_lat in degrees, CGCS2000)."""
        require(deps, request, Role.READER)
        with reading(deps.engine) as connection:
            found = cells_in(connection, _bounds(bbox), grid_version)
        return {"type": "FeatureCollection", "features": [feature(cell) for cell in found]}

    return router
