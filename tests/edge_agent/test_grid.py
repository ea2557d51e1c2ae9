import json
from typing import Any

import numpy as np
import pytest

from contract.catalogue import Family
from contract.messages import Position
from edge_agent.errors import PlaceError
from edge_agent.grid import Components, Grid
from edge_agent.place import LocalPlane

PLANE = LocalPlane(117.36, 32.93)


def lonlat(x: float, y: float) -> list[float]:
    return [float(value) for value in PLANE.to_lonlat(np.array([[x, y]]))[0]]


def code(number: int) -> str:
    return f"340303001001{number:03d}"


def square(number: int, x: float, y: float, **properties: Any) -> dict[str, Any]:
    """A cell of 100 m with its lower left corner at x, y metres."""
    corners = ((x, y), (x + 100, y), (x + 100, y + 100), (x, y + 100), (x, y))
    ring = [lonlat(*corner) for corner in corners]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    named = {"code": code(number)} | properties
    return {"type": "Feature", "properties": named, "geometry": geometry}


def document(*features: dict[str, Any], **root: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)} | root)


def position(x: float, y: float, error_m: float, method: str = "homography") -> Position:
    lon, lat = lonlat(x, y)
    return Position.model_validate({"lon": lon, "lat": lat, "error_m": error_m, "method": method})


FOUR = document(
    square(1, 0, 100), square(2, 100, 100), square(3, 0, 0), square(4, 100, 0), grid_version="2026a"
)


@pytest.mark.parametrize(
    ("x", "y", "error_m", "cells"),
    [
        (50, 50, 5, [3]),
        # the circle crosses one border: the cell that holds the point first
        (97, 50, 5, [3, 4]),
        (103, 50, 5, [4, 3]),
        (94, 50, 5, [3]),
        # near a corner: the two nearest of four
        (97, 98, 5, [3, 1]),
        # outside, but within the error
        (-3, 50, 5, [3]),
        (-10, 50, 5, []),
        (50, 50, 0, [3]),
    ],
)
def test_cells_that_the_error_circle_touches(
    x: float, y: float, error_m: float, cells: list[int]
) -> None:
    found = Grid.from_geojson(FOUR, "grid.geojson").lookup(position(x, y, error_m))
    assert [cell.code for cell in found] == [code(number) for number in cells]
    assert {cell.grid_version for cell in found} <= {"2026a"}


def test_the_version_may_stand_at_a_feature_or_be_the_files_name() -> None:
    assert Grid.from_geojson(document(square(1, 0, 0, grid_version="b")), "x.json").version == "b"
    assert Grid.from_geojson(document(square(1, 0, 0)), "a/bengbu.geojson").version == "bengbu"


@pytest.mark.parametrize(
    "crs",
    [
        "CGCS2000",
        "WGS84",
        "wgs 84",
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}},
    ],
)
def test_coordinate_systems_that_are_ours(crs: object) -> None:
    assert Grid.from_geojson(document(square(1, 0, 0), crs=crs), "g.json").codes == (code(1),)


@pytest.mark.parametrize(
    ("crs", "words"),
    [
        ("GCJ-02", "g.json: coordinates are GCJ-02, which is shifted by hundreds of metres"),
        ("bd09ll", "coordinates are bd09ll, which is shifted"),
        ("EPSG:3857", "coordinate system EPSG:3857 was found; CGCS2000 or WGS84 was expected"),
        ({"type": "link"}, "CGCS2000 or WGS84 was expected"),
    ],
)
def test_other_coordinate_systems_are_refused_by_name(crs: object, words: str) -> None:
    with pytest.raises(PlaceError, match=words):
        Grid.from_geojson(document(square(1, 0, 0), crs=crs), "g.json")


BOWTIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
METRES = {"type": "Polygon", "coordinates": [[[5e5, 0], [5e5, 9], [6e5, 9], [5e5, 0]]]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "g.json: cannot be read as GeoJSON"),
        ("[]", "g.json: is no GeoJSON FeatureCollection"),
        (document(), "g.json: no cell was found"),
        (document("x"), "g.json: feature 0 is no GeoJSON Feature"),  # type: ignore[arg-type]
        (document(square(1, 0, 0, code="34-1")), "feature 0: code '34-1' was found"),
        (document(square(1, 0, 0), square(1, 100, 0)), "feature 1: code 340303001001001 is used"),
        (
            document(square(1, 0, 0), square(2, 0, 0) | {"geometry": BOWTIE}),
            r"feature 1 \(340303001001002\): its polygon is not valid: Self-intersection",
        ),
        (document(square(1, 0, 0) | {"geometry": METRES}), "are no degrees"),
        (document(square(1, 0, 0) | {"geometry": None}), "feature 0: its geometry cannot be read"),
        (
            document(square(1, 0, 0) | {"geometry": {"type": "Point", "coordinates": [1, 1]}}),
            "a Point was found; a Polygon was expected",
        ),
    ],
)
def test_bad_grids_are_refused_with_file_and_feature(text: str, words: str) -> None:
    with pytest.raises(PlaceError, match=words):
        Grid.from_geojson(text, "g.json")


def component(name: str, x: float, y: float, standard: str, **more: Any) -> dict[str, Any]:
    properties = {"id": name, "standard": standard} | more
    geometry = {"type": "Point", "coordinates": lonlat(x, y)}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


NEW, OLD = "GB/T 47678.5-2026", "GB/T 30428.2-2013"
STREET = Components.from_geojson(
    document(
        component("34030301001000001", 0, 0, NEW),  # water cover
        component("3403030102000002", 3, 0, OLD),  # sewage cover
        component("34030303005000003", 1, 0, NEW),  # litter bin
        component("bin-7", 20, 0, OLD, kind="03-05"),
        component("34030302001000004", 40, 0, NEW),  # neither
    ),
    "components.geojson",
)


@pytest.mark.parametrize(
    ("family", "x", "error_m", "name"),
    [
        (Family.COVER, 0.5, 2, "34030301001000001"),
        (Family.COVER, 2.5, 2, "3403030102000002"),
        (Family.BIN, 0.5, 2, "34030303005000003"),
        (Family.BIN, 21, 2, "bin-7"),
        # too far for its error, or no kind of the family
        (Family.COVER, 10, 2, None),
        (Family.COVER, 40, 2, None),
        (Family.GARBAGE, 0, 2, None),
        (Family.VENDOR, 0, 2, None),
    ],
)
def test_the_nearest_component_of_the_right_kind(
    family: Family, x: float, error_m: float, name: str | None
) -> None:
    found = STREET.nearest(family, position(x, 0, error_m))
    assert (found.id if found else None) == name


def test_the_distance_and_the_standard_are_carried() -> None:
    found = STREET.nearest(Family.COVER, position(0, 0.5, 2))
    assert found is not None
    assert found.distance_m == pytest.approx(0.5, abs=0.01)
    assert found.standard == NEW


def test_the_cameras_own_point_names_no_component() -> None:
    assert STREET.nearest(Family.COVER, position(0, 0, 30, "camera_point")) is None


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (component("", 0, 0, NEW), "feature 0: properties 'id' and 'standard' were expected"),
        (square(1, 0, 0, id="a", standard=NEW), "a Polygon was found, not a Point"),
    ],
)
def test_bad_components_are_refused(feature: dict[str, Any], words: str) -> None:
    with pytest.raises(PlaceError, match=words):
        Components.from_geojson(document(feature), "components.geojson")
