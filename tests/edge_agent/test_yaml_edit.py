"""A camera file is changed in one view, and keeps what people wrote into it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config import load_camera
from edge_agent.errors import ConfigError
from edge_agent.yaml_edit import ViewEdit, edited, save_view, view_of

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
POINTS = [
    {"xyn": [x, y], "lonlat": [117.36 + x * 1e-3, 32.93 - y * 1e-3]}
    for x, y in ((0.1, 0.9), (0.9, 0.9), (0.8, 0.4), (0.2, 0.4))
]
KERB: dict[str, Any] = {
    "id": "kerb",
    "polygon_xyn": [[0.1, 0.9], [0.9, 0.9], [0.5, 0.4]],
    "categories": ["street_vendor"],
    "hours": "06:00-22:00",
}
FILE = """\
# 人民路口 the corner of Renmin Road
camera:
  id: cam-01              # as in the broker's ACL
  name: "人民路口"
streams:
  detect: {url: "${secret:CAM01}", transport: tcp}   # the small stream
zones:
  # the pavement before number 12
  - id: kerb
    polygon_xyn: [[0.1, 0.9], [0.9, 0.9], [0.5, 0.4]]
    categories: [street_vendor]   # nothing else here
    hours: "06:00-22:00"
  - id: old
    polygon_xyn: [[0, 0], [1, 0], [1, 1]]
rules:
  street_vendor: {dwell_s: 120}   # who only rests is not reported
"""


def view(**changes: Any) -> ViewEdit:
    values: dict[str, Any] = {"points": POINTS, "zones": [KERB], "reference": "cam.reference.jpg"}
    return ViewEdit(**(values | changes))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cam.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_what_people_wrote_stays(file: Path) -> None:
    save_view(file, None, view(), NOW)
    text = file.read_text(encoding="utf-8")
    for line in FILE.splitlines():
        if "old" not in line and "[[0, 0]" not in line:
            assert line in text
    assert 'url: "${secret:CAM01}"' in text
    camera = load_camera(file)
    assert camera.place is not None
    assert len(camera.place.points) == 4
    assert [zone.id for zone in camera.zones] == ["kerb"]
    assert camera.reference == "cam.reference.jpg"


def test_the_file_as_it_was_is_kept_beside_it(file: Path) -> None:
    backup = save_view(file, None, view(), NOW)
    assert backup.read_text(encoding="utf-8") == FILE
    assert backup.name == "cam.yaml.20261121T083000.bak"
    assert not list(file.parent.glob(".*"))


def test_saving_twice_changes_nothing_more(file: Path) -> None:
    save_view(file, None, view(), NOW)
    once = file.read_text(encoding="utf-8")
    save_view(file, None, view(), NOW)
    assert file.read_text(encoding="utf-8") == once


def test_a_zone_that_changed_keeps_its_comments(file: Path) -> None:
    moved = KERB | {"polygon_xyn": [[0.2, 0.9], [0.9, 0.9], [0.5, 0.4]], "hours": None}
    added = {"id": "corner", "polygon_xyn": [[0, 0], [0.1, 0], [0, 0.1]], "categories": []}
    save_view(file, None, view(zones=[moved, added]), NOW)
    text = file.read_text(encoding="utf-8")
    assert "# the pavement before number 12" in text
    assert "# nothing else here" in text
    kerb, corner = load_camera(file).zones
    assert (kerb.hours, kerb.polygon_xyn[0]) == (None, (0.2, 0.9))
    assert (corner.id, corner.categories) == ("corner", ())


def test_no_points_and_no_zones_leave_none_behind(file: Path) -> None:
    save_view(file, None, view(), NOW)
    save_view(file, None, view(points=[], zones=[]), NOW)
    camera = load_camera(file)
    assert (camera.place, camera.zones) == (None, ())


def test_what_the_agent_would_refuse_is_not_saved(file: Path) -> None:
    wrong = KERB | {"hours": "6-22"}
    with pytest.raises(ConfigError, match=r"cam\.yaml:\d+: zones\.0\.hours.*hours such as"):
        save_view(file, None, view(zones=[wrong]), NOW)
    assert file.read_text(encoding="utf-8") == FILE
    assert [path.name for path in file.parent.iterdir()] == ["cam.yaml"]


PRESETS = """\
camera: {id: cam-02}
presets:
  # towards the market
  - id: market
    zones: []
"""


def test_one_preset_is_changed_and_a_new_one_appended(tmp_path: Path) -> None:
    file = tmp_path / "cam.yaml"
    file.write_text(PRESETS)
    save_view(file, "market", view(), NOW)
    save_view(file, "school", view(zones=[]), NOW)
    assert "# towards the market" in file.read_text()
    views = load_camera(file).views()
    assert {name: len(one.zones) for name, one in views.items()} == {"market": 1, "school": 0}
    assert all(one.place is not None for one in views.values())


def test_the_first_preset_takes_the_place_of_the_cameras_own_still() -> None:
    text = "camera: {id: a}\nreference: a.reference.jpg\n"
    assert "a.reference.jpg" not in edited(text, "north", view(), Path("a.yaml"))


@pytest.mark.parametrize(
    ("text", "preset", "complaint"),
    [
        (PRESETS, None, "name the one to calibrate with --preset"),
        (FILE, "north", "has zones or ground points of a camera that does not turn"),
        ("- 1\n", None, "a camera file was expected"),
        ("a: [", None, "not valid YAML"),
    ],
)
def test_a_view_that_is_not_there_is_said(text: str, preset: str | None, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        edited(text, preset, view(), Path("cam.yaml"))


def test_a_new_preset_begins_empty(tmp_path: Path) -> None:
    file = tmp_path / "cam.yaml"
    file.write_text(PRESETS)
    camera = load_camera(file)
    assert view_of(camera, "market").zones == ()
    assert view_of(camera, "new").place is None
    with pytest.raises(ConfigError, match="choose --preset of market"):
        view_of(camera, None)
