"""Grids: files that are right, files that are wrong, lattices, and the cell of a point."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest.dedup import Place
from central_ingest.errors import GridFileError
from central_ingest.grid import (
    CODE_PATTERN,
    cells_at,
    is_official,
    lattice,
    lattice_version,
    read_cells,
    read_components,
    to_geojson,
    version_of,
)

ONE, TWO = "340302001001001", "340302001001002"


def square(west: float, south: float, side: float = 0.001) -> dict[str, Any]:
    east, north = west + side, south + side
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def feature(code: object, geometry: object) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"code": code}, "geometry": geometry}


def write(folder: Path, *features: object, **root: object) -> Path:
    path = folder / "cells.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)} | root))
    return path


def test_cells_that_touch_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path, feature(ONE, square(117.36, 32.93)), feature(TWO, square(117.361, 32.93))
    )
    assert [cell.code for cell in read_cells(path)] == [ONE, TWO]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "no feature was found"),
        ([feature("12", square(0, 0))], "feature 0: code '12' was found"),
        ([feature(None, square(0, 0))], "feature 0: code None"),
        ([feature(340302001001001, square(0, 0))], "feature 0: code 340302001001001"),
        (
            [feature(ONE, square(0, 0)), feature(ONE, square(1, 1))],
            "feature 1: code 340302001001001 stands at feature 0 already",
        ),
        (
            [feature(ONE, square(0, 0)), feature(TWO, square(0.0005, 0))],
            r"features 0 \(340302001001001\) and 1 \(340302001001002\) overlap by 50%",
        ),
        (
            [feature(ONE, {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1]]]})],
            "feature 0",
        ),
        (
            [
                feature(
                    ONE,
                    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
                )
            ],
            "not valid: Self-intersection",
        ),
        ([feature(ONE, {"type": "Point", "coordinates": [0, 0]})], "a Polygon was expected"),
        ([feature(ONE, square(500_000, 3_600_000))], "are no degrees"),
        ([feature(ONE, None)], "geometry cannot be read"),
        ([feature(ONE, {"type": "Blob"})], "geometry cannot be read"),
        (["not a feature"], "feature 0 is no GeoJSON Feature"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_and_feature(
    tmp_path: Path, features: list[object], message: str
) -> None:
    with pytest.raises(GridFileError, match=message) as caught:
        read_cells(write(tmp_path, *features))
    assert "cells.geojson" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"features": 1}', "[" * 50_000])
def test_a_file_that_is_no_geojson_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cells.geojson"
    path.write_text(text)
    with pytest.raises(GridFileError, match="GeoJSON"):
        read_cells(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GridFileError, match=r"none\.geojson"):
        read_cells(tmp_path / "none.geojson")


def test_the_version_stands_in_the_file_or_is_its_name(tmp_path: Path) -> None:
    assert version_of(write(tmp_path, grid_version="2026-07")) == "2026-07"
    assert version_of(write(tmp_path)) == "cells"


def test_a_lattice_has_valid_codes_that_are_not_official() -> None:
    cells = lattice(Place(117.36, 32.93, 0), 3, 4)
    assert len({cell.code for cell in cells}) == 12
    assert all(CODE_PATTERN.match(cell.code) for cell in cells)
    assert not any(cell.official for cell in cells)
    assert is_official(ONE)


def test_a_lattice_survives_its_own_file(tmp_path: Path) -> None:
    cells = lattice(Place(117.36, 32.93, 0), 3, 4)
    path = tmp_path / "lattice.geojson"
    path.write_text(to_geojson(cells, "lattice-1"))
    assert [cell.code for cell in read_cells(path)] == [cell.code for cell in cells]
    assert version_of(path) == "lattice-1"


@pytest.mark.parametrize(("rows", "columns", "side_m"), [(0, 1, 100), (1, 1000, 100), (1, 1, 1)])
def test_a_lattice_beyond_its_codes_is_refused(rows: int, columns: int, side_m: float) -> None:
    with pytest.raises(GridFileError, match="are possible"):
        lattice(Place(0, 0, 0), rows, columns, side_m)


def test_the_version_of_a_lattice_says_what_it_is() -> None:
    assert lattice_version(Place(117.36, 32.93, 0), 3, 4, 100) == (
        "lattice-117.36000-32.93000-3x4-100m"
    )


@given(st.floats(-0.0019, 0.0019), st.floats(-0.0013, 0.0013))
def test_a_point_inside_a_lattice_has_a_cell_and_it_holds_the_point(
    east: float, north: float
) -> None:
    place = Place(117.36 + east, 32.93 + north, 0.0)
    cells = lattice(Place(117.36, 32.93, 0), 4, 4)
    found = cells_at(place, cells, "v1")
    assert found
    assert found[0].grid_version == "v1"


def test_an_error_circle_over_a_border_names_both_cells_nearest_first() -> None:
    cells = lattice(Place(117.36, 32.93, 0), 1, 2)
    just_east = Place(117.36 + 0.00002, 32.93, 5.0)
    codes = [ref.code for ref in cells_at(just_east, cells, "v1")]
    assert codes == [cells[1].code, cells[0].code]


def test_a_point_outside_has_no_cell() -> None:
    assert cells_at(Place(0, 0, 5), lattice(Place(117.36, 32.93, 0), 2, 2), "v1") == ()


def test_components_are_points_with_id_standard_and_kind(tmp_path: Path) -> None:
    point = {"type": "Point", "coordinates": [117.36, 32.93]}
    properties = {"id": "3403020305000001", "standard": "2013", "kind": "0305"}
    path = write(tmp_path, {"type": "Feature", "properties": properties, "geometry": point})
    (found,) = read_components(path)
    assert (found.component_id, found.lon) == ("3403020305000001", 117.36)
    with pytest.raises(GridFileError, match="id, standard and kind"):
        read_components(write(tmp_path, feature(ONE, point)))
