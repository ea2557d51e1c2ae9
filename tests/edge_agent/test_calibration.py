"""What the calibration page is told of its points, and what it saves."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.calibration import Calibration, Target
from edge_agent.config import CameraConfig, load_camera
from edge_agent.errors import AgentError
from edge_agent.grid import Components, Grid
from edge_agent.judge import Surroundings
from tests.edge_agent.test_place import MORE, ground_points

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
LON, LAT = 117.36, 32.93


def square(code: str, west: float, east: float) -> dict[str, Any]:
    ring = [[west, LAT - 1e-3], [east, LAT - 1e-3], [east, LAT + 1e-3], [west, LAT + 1e-3]]
    return {
        "type": "Feature",
        "properties": {"code": code},
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }


def surroundings() -> Surroundings:
    cells = [
        square("340300000000001", LON - 1e-3, LON),
        square("340300000000002", LON, LON + 1e-3),
        square("340300000000009", LON + 1, LON + 1.001),
    ]
    cover = {
        "type": "Feature",
        "properties": {"id": "3403000101000001", "standard": "GB/T 30428.2-2013"},
        "geometry": {"type": "Point", "coordinates": [LON, LAT]},
    }
    grid = {"type": "FeatureCollection", "grid_version": "g1", "features": cells}
    components = {"type": "FeatureCollection", "features": [cover]}
    return Surroundings(
        Grid.from_geojson(json.dumps(grid), "grid"),
        Components.from_geojson(json.dumps(components), "components"),
    )


def points(count: int = 6) -> list[dict[str, Any]]:
    return [{"xyn": list(one.xyn), "lonlat": list(one.lonlat)} for one in ground_points(MORE)][
        :count
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cam.yaml"
    path.write_text("camera: {id: cam-01, name: 路口, location: {lon: 117.36, lat: 32.93}}\n")
    return path


def calibration(
    file: Path, near: Surroundings | None = None, preset: str | None = None
) -> Calibration:
    return Calibration(Target(file, preset), load_camera(file), near or surroundings())


def test_the_page_starts_with_what_is_known(file: Path) -> None:
    state = calibration(file).state()
    assert state["camera"] == {"id": "cam-01", "name": "路口", "preset": None}
    assert [cell["code"][-1] for cell in state["map"]["cells"]] == ["1", "2"]
    assert [one["id"] for one in state["map"]["components"]] == ["3403000101000001"]
    assert state["categories"]["street_vendor"]["zh"] == "占道经营"
    json.dumps(state)


def test_without_cells_and_location_there_is_no_map() -> None:
    config = CameraConfig.model_validate({"camera": {"id": "a"}})
    state = Calibration(Target(Path("a.yaml")), config, Surroundings()).state()
    assert state["map"] is None


def test_good_points_fit_and_show_the_border_in_the_picture(file: Path) -> None:
    fit = calibration(file).fit(points())
    assert max(fit["residuals_m"]) == 0
    assert fit["wrong"] == []
    assert fit["spare"] == 2
    assert {cell["code"][-1] for cell in fit["cells"]} == {"1", "2"}
    # The border of the cells runs straight ahead of the camera, through the picture's middle.
    border = [spot for cell in fit["cells"] for line in cell["lines"] for spot in line]
    assert border
    assert all(x == pytest.approx(0.5, abs=0.02) for x, _ in border)
    assert fit["lattice"]


def test_a_wrong_click_is_named(file: Path) -> None:
    clicked = points()
    clicked[3]["xyn"] = [0.34, 0.71]
    assert calibration(file).fit(clicked)["wrong"][0] == 3


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (points(3), "four or more were expected"),
        ([*points(3), points()[0]], "are the same"),
        ("nonsense", "tuple"),
        ([{"xyn": [2, 0], "lonlat": [0, 0]}] * 4, "less than or equal to 1"),
    ],
)
def test_points_that_cannot_be_used_are_explained(file: Path, raw: Any, words: str) -> None:
    assert words in calibration(file).fit(raw)["problem"]


def test_a_spot_is_told_as_a_report_would_tell_it(file: Path) -> None:
    found = calibration(file).where({"points": points(), "xyn": [0.5, 0.8]})
    assert found["lon"] == pytest.approx(LON, abs=1e-5)
    assert found["error_m"] < 1
    assert len(found["cells"]) == 2
    assert "horizon" in calibration(file).where({"points": points(), "xyn": [0.5, 0.0]})["problem"]
    assert "problem" in calibration(file).where({"xyn": "here"})


def test_points_zones_and_still_are_saved(file: Path) -> None:
    zone = {
        "id": "kerb",
        "polygon_xyn": [[0, 0], [1, 0], [1, 0.123456]],
        "categories": [],
        "hours": None,
    }
    said = calibration(file).save({"points": points(), "zones": [zone]}, b"jpeg", NOW)
    camera = load_camera(file)
    assert camera.place is not None
    assert len(camera.place.points) == 6
    assert camera.zones[0].polygon_xyn[2] == (1, 0.1235)
    assert camera.reference == "cam.reference.jpg"
    assert Path(said["still"]).read_bytes() == b"jpeg"
    assert Path(said["backup"]).exists()


def test_a_preset_has_a_still_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "cam.yaml"
    file.write_text("camera: {id: cam-01}\n")
    page = calibration(file, preset="north")
    assert page.state()["camera"]["preset"] == "north"
    page.save({"points": [], "zones": []}, b"jpeg", NOW)
    assert load_camera(file).presets[0].reference == "cam.north.reference.jpg"


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"points": [], "zones": [{"id": "x"}]},
        {"points": [], "zones": ["x"]},
        {"points": points(2), "zones": []},
        {"points": [], "zones": [{"id": "x y", "polygon_xyn": [[0, 0], [1, 0], [1, 1]]}]},
    ],
)
def test_what_cannot_be_saved_changes_nothing(file: Path, raw: Any) -> None:
    before = file.read_text()
    with pytest.raises(AgentError):
        calibration(file).save(raw, b"jpeg", NOW)
    assert file.read_text() == before
    assert list(file.parent.iterdir()) == [file]
