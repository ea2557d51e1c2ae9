"""The management grid and the registered components around a camera, read from GeoJSON."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Self

import numpy as np
import shapely
from shapely import STRtree
from shapely.errors import ShapelyError
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from contract.catalogue import Family
from contract.messages import CellRef, ComponentRef, Position
from edge_agent.errors import PlaceError
from edge_agent.place import LocalPlane

_CODE = re.compile(r"^[0-9A-Z]{15}$")
# The property that holds a cell's code: ours, then those of the city systems.
CODE_KEYS = ("code", "SZDYWGBSM", "WGBM", "grid_code", "cell_code")
CRS_NAMES = ("CGCS2000", "EPSG::4490", "EPSG:4490", "WGS84", "EPSG::4326", "EPSG:4326", "CRS84")
SHIFTED_NAMES = ("GCJ02", "BD09")

# Component classes by standard: bins 垃圾箱 and covers 井盖 (with storm grates 雨水箅子).
KINDS: Mapping[tuple[str, Family], frozenset[str]] = {
    ("2013", Family.BIN): frozenset({"0305"}),
    ("2026", Family.BIN): frozenset({"03005"}),
    ("2013", Family.COVER): frozenset(
        {"0101", "0102", "0103", "0104", "0105", "0106", "0107", "0123"}
    ),
    ("2026", Family.COVER): frozenset(
        {"01001", "01002", "01003", "01004", "01005", "01006", "01007", "01023"}
    ),
}
# Where the class stands in a component's own code: after six digits of the county.
_CLASS_DIGITS = {"2013": 4, "2026": 5}


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Unit grid cells with an index; the version is what reports name."""

    version: str
    codes: tuple[str, ...]
    polygons: tuple[BaseGeometry, ...]
    tree: STRtree

    @classmethod
    def from_geojson(cls, text: str, source_name: str) -> Self:
        """Read cells, all of them or none.

        Raises PlaceError naming source and feature: on a coordinate system that is shifted or
        unknown, a code of another form or used twice, or a polygon that is not valid.
        """
        root = _collection(text, source_name)
        version = root.get("grid_version")
        found: dict[str, BaseGeometry] = {}
        for where, properties, geometry in _features(root, source_name):
            code = next((properties[key] for key in CODE_KEYS if key in properties), None)
            if not isinstance(code, str) or not _CODE.match(code):
                raise PlaceError(
                    f"{where}: code {code!r} was found under {' or '.join(CODE_KEYS)}; "
                    "15 digits or capital letters were expected"
                )
            if code in found:
                raise PlaceError(f"{where}: code {code} is used twice; each cell has its own")
            found[code] = _checked_polygon(geometry, f"{where} ({code})")
            version = version or properties.get("grid_version")
        if not found:
            raise PlaceError(f"{source_name}: no cell was found; polygons with codes were expected")
        polygons = tuple(found.values())
        name = str(version or PurePath(source_name).stem)[:64]
        return cls(name, tuple(found), polygons, STRtree(polygons))

    def lookup(self, position: Position) -> tuple[CellRef, ...]:
        """The cells that the error circle touches, the nearest first, two at most."""
        plane, error_m = LocalPlane(position.lon, position.lat), position.error_m
        around = plane.to_lonlat(np.array([[-error_m, -error_m], [error_m, error_m]]))
        found = []
        for index in self.tree.query(shapely.box(*around.ravel())).tolist():
            local = shapely.transform(self.polygons[index], plane.to_xy)
            distance_m = float(shapely.distance(local, Point(0, 0)))
            if distance_m <= error_m:
                found.append((distance_m, self.codes[index]))
        return tuple(CellRef(code=code, grid_version=self.version) for _, code in sorted(found)[:2])


@dataclass(frozen=True, slots=True)
class Component:
    """One registered component; `kind` is its class's digits in its standard."""

    id: str
    standard: str
    kind: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Registered components with an index."""

    components: tuple[Component, ...]
    tree: STRtree

    @classmethod
    def from_geojson(cls, text: str, source_name: str) -> Self:
        """Read points with `id`, `standard` and, unless the id tells it, `kind`.

        Raises PlaceError naming source and feature.
        """
        root = _collection(text, source_name)
        found = tuple(
            _component(where, properties, geometry)
            for where, properties, geometry in _features(root, source_name)
        )
        return cls(found, STRtree([Point(one.lon, one.lat) for one in found]))

    def nearest(self, family: Family, position: Position) -> ComponentRef | None:
        """The nearest component of the family's kind within the position's error.

        None for a family without components, and for a position that is only the camera's.
        """
        if position.method != "homography":
            return None
        plane, error_m = LocalPlane(position.lon, position.lat), position.error_m
        around = plane.to_lonlat(np.array([[-error_m, -error_m], [error_m, error_m]]))
        found = []
        for index in self.tree.query(shapely.box(*around.ravel())).tolist():
            component = self.components[index]
            distance_m = float(
                np.hypot(*plane.to_xy(np.array([[component.lon, component.lat]]))[0])
            )
            if _is_kind(component, family) and distance_m <= error_m:
                found.append((distance_m, component.id, component.standard))
        if not found:
            return None
        distance_m, name, standard = min(found)
        return ComponentRef(id=name, standard=standard, distance_m=round(distance_m, 2))


def _is_kind(component: Component, family: Family) -> bool:
    year = _year(component.standard)
    return component.kind in KINDS.get((year, family), frozenset())


def _year(standard: str) -> str:
    return "2026" if "47678" in standard or "2026" in standard else "2013"


def _collection(text: str, source_name: str) -> dict[str, Any]:
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlaceError(f"{source_name}: cannot be read as GeoJSON: {error}") from None
    if not isinstance(root, dict) or not isinstance(root.get("features"), list):
        raise PlaceError(f"{source_name}: is no GeoJSON FeatureCollection: 'features' is missing")
    _check_crs(root.get("crs"), source_name)
    return root


def _check_crs(crs: object, source_name: str) -> None:
    """Accept CGCS2000, WGS84 or nothing, as a name or as GeoJSON 2008 wrote it."""
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = str(properties.get("name") if isinstance(properties, dict) else crs)
    plain = re.sub(r"[\s_-]", "", name).upper()
    if any(shifted in plain for shifted in SHIFTED_NAMES):
        raise PlaceError(
            f"{source_name}: coordinates are {name}, which is shifted by hundreds of metres; "
            "export it in CGCS2000 or WGS84"
        )
    if not plain.endswith(CRS_NAMES):
        raise PlaceError(
            f"{source_name}: coordinate system {name} was found; CGCS2000 or WGS84 was expected"
        )


def _features(
    root: dict[str, Any], source_name: str
) -> Iterator[tuple[str, dict[str, Any], BaseGeometry]]:
    for index, feature in enumerate(root["features"]):
        where = f"{source_name}: feature {index}"
        properties = feature.get("properties") or {} if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            raise PlaceError(f"{where} is no GeoJSON Feature")
        try:
            geometry = shape(feature["geometry"])
        except (ShapelyError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise PlaceError(f"{where}: its geometry cannot be read: {error!r}") from None
        _check_degrees(geometry, where)
        yield where, properties, geometry


def _check_degrees(geometry: BaseGeometry, where: str) -> None:
    if geometry.is_empty:
        raise PlaceError(f"{where}: its geometry is empty")
    west, south, east, north = geometry.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise PlaceError(
            f"{where}: coordinates {geometry.bounds} are no degrees; "
            "longitude, latitude in CGCS2000 or WGS84 was expected"
        )


def _checked_polygon(geometry: BaseGeometry, where: str) -> BaseGeometry:
    if geometry.geom_type not in {"Polygon", "MultiPolygon"}:
        raise PlaceError(f"{where}: a {geometry.geom_type} was found; a Polygon was expected")
    if not geometry.is_valid:
        raise PlaceError(f"{where}: its polygon is not valid: {explain_validity(geometry)}")
    return geometry


def _component(where: str, properties: dict[str, Any], geometry: BaseGeometry) -> Component:
    name, standard = (str(properties.get(key) or "") for key in ("id", "standard"))
    if not name or not standard:
        raise PlaceError(f"{where}: properties 'id' and 'standard' were expected")
    if not isinstance(geometry, Point):
        raise PlaceError(f"{where} ({name}): a {geometry.geom_type} was found, not a Point")
    digits = _CLASS_DIGITS[_year(standard)]
    kind = re.sub(r"\D", "", str(properties.get("kind") or ""))
    kind = kind if len(kind) == digits else name[6 : 6 + digits]
    return Component(name, standard, kind, geometry.x, geometry.y)
