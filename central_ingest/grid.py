"""Unit grid cells and components: files in, lattices, and which cell holds a point.

Cells are polygons in WGS-84/CGCS2000 degrees with a 15-character code. A generated lattice has
codes that begin with XLATTICE, which no county code can: county codes are digits.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely import STRtree
from shapely.errors import ShapelyError
from shapely.geometry import Point, Polygon, box, mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from central_ingest.dedup import EARTH_RADIUS_M, Place
from central_ingest.errors import GridFileError
from contract.messages import CellRef

CODE_PATTERN = re.compile(r"^[0-9A-Z]{15}$")
LATTICE_PREFIX = "XLATTICE"
_CODE_KEYS = ("code", "SZDYWGBSM", "WGBM", "grid_code", "cell_code")
# Neighbours in one file may share a border drawn twice; more common area than this is a mistake.
OVERLAP_MAX_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Cell:
    """One unit grid cell."""

    code: str
    polygon: BaseGeometry

    @property
    def official(self) -> bool:
        """Whether the code can be an official one."""
        return is_official(self.code)

    @property
    def geojson(self) -> dict[str, Any]:
        """The polygon as GeoJSON geometry."""
        found: dict[str, Any] = json.loads(json.dumps(mapping(self.polygon)))
        return found


@dataclass(frozen=True, slots=True)
class Component:
    """One registered object, with the standard that its code follows."""

    component_id: str
    standard: str
    kind: str
    lon: float
    lat: float


def is_official(code: str) -> bool:
    """Whether a cell's code can be an official one; generated ones cannot."""
    return not code.startswith("X")


def read_cells(path: Path) -> list[Cell]:
    """Cells of a GeoJSON file, all of them or none.

    Raises GridFileError naming file, feature and what was expected: 15-character codes, each
    once; valid polygons that do not overlap; coordinates in degrees.
    """
    cells: list[Cell] = []
    seen: dict[str, int] = {}
    for index, feature in enumerate(_features(path)):
        where = f"{path}: feature {index}"
        code = _code(feature, where)
        if code in seen:
            raise GridFileError(f"{where}: code {code} stands at feature {seen[code]} already")
        seen[code] = index
        cells.append(Cell(code, _polygon(feature, f"{where} ({code})")))
    if not cells:
        raise GridFileError(f"{path}: no feature was found; polygons with codes were expected")
    _refuse_overlaps(path, cells)
    return cells


def read_components(path: Path) -> list[Component]:
    """Components of a GeoJSON file of points with `id`, `standard` and `kind`."""
    components = []
    for index, feature in enumerate(_features(path)):
        where, properties = f"{path}: feature {index}", feature.get("properties") or {}
        values = [str(properties.get(key) or "") for key in ("id", "standard", "kind")]
        if not all(0 < len(value) <= 64 for value in values):
            raise GridFileError(f"{where}: id, standard and kind were expected, found {values}")
        component_id, standard, kind = values
        point = _geometry(feature, where)
        if not isinstance(point, Point):
            raise GridFileError(f"{where}: a {point.geom_type} was found; a Point was expected")
        _check_degrees(point, where)
        components.append(Component(component_id, standard, kind, point.x, point.y))
    return components


def _features(path: Path) -> Iterable[dict[str, Any]]:
    try:
        root = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise GridFileError(f"{path}: cannot be read as GeoJSON: {error}") from error
    features = root.get("features") if isinstance(root, dict) else None
    if not isinstance(features, list):
        raise GridFileError(f"{path}: is no GeoJSON FeatureCollection: 'features' is missing")
    for index, feature in enumerate(features):
        if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
            raise GridFileError(f"{path}: feature {index} is no GeoJSON Feature")
        yield feature


def _code(feature: dict[str, Any], where: str) -> str:
    properties = feature.get("properties") or {}
    found = next((properties[key] for key in _CODE_KEYS if key in properties), None)
    if not isinstance(found, str) or not CODE_PATTERN.match(found):
        raise GridFileError(
            f"{where}: code {found!r} was found under {' or '.join(_CODE_KEYS)}; "
            "15 digits or capital letters were expected"
        )
    return found


def _geometry(feature: dict[str, Any], where: str) -> BaseGeometry:
    try:
        return shape(feature["geometry"])
    except (ShapelyError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise GridFileError(f"{where}: the geometry cannot be read: {error!r}") from error


def _polygon(feature: dict[str, Any], where: str) -> BaseGeometry:
    polygon = _geometry(feature, where)
    if polygon.geom_type not in {"Polygon", "MultiPolygon"} or polygon.is_empty:
        raise GridFileError(f"{where}: a {polygon.geom_type} was found; a Polygon was expected")
    _check_degrees(polygon, where)
    if not polygon.is_valid:
        raise GridFileError(f"{where}: the polygon is not valid: {explain_validity(polygon)}")
    return polygon


def _check_degrees(geometry: BaseGeometry, where: str) -> None:
    min_lon, min_lat, max_lon, max_lat = geometry.bounds
    if not (-180 <= min_lon <= max_lon <= 180 and -90 <= min_lat <= max_lat <= 90):
        raise GridFileError(
            f"{where}: coordinates {geometry.bounds} are no degrees: "
            "CGCS2000 or WGS-84 longitude, latitude were expected"
        )


def _refuse_overlaps(path: Path, cells: Sequence[Cell]) -> None:
    tree = STRtree([cell.polygon for cell in cells])
    pairs = tree.query([cell.polygon for cell in cells], predicate="intersects").T
    for one, other in sorted((int(a), int(b)) for a, b in pairs if a < b):
        first, second = cells[one].polygon, cells[other].polygon
        share = first.intersection(second).area / min(first.area, second.area)
        if share > OVERLAP_MAX_SHARE:
            raise GridFileError(
                f"{path}: features {one} ({cells[one].code}) and {other} ({cells[other].code}) "
                f"overlap by {share:.0%} of the smaller; cells must not overlap"
            )


def lattice(centre: Place, rows: int, columns: int, side_m: float = 100.0) -> list[Cell]:
    """A lattice of squares around a point, numbered west → east, north → south; unofficial."""
    if not (1 <= rows <= 999 and 1 <= columns <= 999 and 10 <= side_m <= 1000):
        raise GridFileError(
            f"a lattice of {rows} × {columns} cells of {side_m} m was asked; "
            "1 to 999 rows and columns and 10 to 1000 m are possible"
        )
    step_lat = math.degrees(side_m / EARTH_RADIUS_M)
    step_lon = step_lat / math.cos(math.radians(centre.lat))
    west, north = centre.lon - columns / 2 * step_lon, centre.lat + rows / 2 * step_lat
    return [
        Cell(
            f"{LATTICE_PREFIX}{row:03d}{column:04d}",
            box(
                west + column * step_lon,
                north - (row + 1) * step_lat,
                west + (column + 1) * step_lon,
                north - row * step_lat,
            ),
        )
        for row in range(rows)
        for column in range(columns)
    ]


def lattice_version(centre: Place, rows: int, columns: int, side_m: float) -> str:
    """A grid version that says what was generated."""
    return f"lattice-{centre.lon:.5f}-{centre.lat:.5f}-{rows}x{columns}-{side_m:g}m"


def version_of(path: Path) -> str:
    """The version that a file of cells names at its top (`grid_version`), else the file's name."""
    root = json.loads(path.read_text(encoding="utf-8-sig"))
    named = root.get("grid_version") if isinstance(root, dict) else None
    return (named if isinstance(named, str) and named else path.stem)[:64]


def to_geojson(cells: Sequence[Cell], grid_version: str) -> str:
    """Cells as a GeoJSON FeatureCollection that names its grid version, as agents read it."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": cell.code, "official": cell.official},
            "geometry": cell.geojson,
        }
        for cell in cells
    ]
    root = {"type": "FeatureCollection", "grid_version": grid_version, "features": features}
    return json.dumps(root, ensure_ascii=False)


def cells_at(place: Place, cells: Sequence[Cell], grid_version: str) -> tuple[CellRef, ...]:
    """The cell that holds the place, then those that its error circle touches; nearest first."""
    scale = math.cos(math.radians(place.lat))
    reach = math.degrees(place.error_m / EARTH_RADIUS_M)
    found = []
    for cell in cells:
        near = _nearest_degrees(place, cell.polygon, scale)
        if near <= reach:
            found.append((near, cell.code))
    return tuple(CellRef(code=code, grid_version=grid_version) for _, code in sorted(found)[:2])


def _nearest_degrees(place: Place, polygon: BaseGeometry, scale: float) -> float:
    """Degrees of latitude between a place and a polygon, on a plane scaled at the place."""

    def flatten(ring: Iterable[tuple[float, ...]]) -> list[tuple[float, float]]:
        return [((point[0] - place.lon) * scale, point[1] - place.lat) for point in ring]

    parts = getattr(polygon, "geoms", (polygon,))
    flat = [
        Polygon(flatten(part.exterior.coords), [flatten(hole.coords) for hole in part.interiors])
        for part in parts
    ]
    return float(min(part.distance(Point(0, 0)) for part in flat))
