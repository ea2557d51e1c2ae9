"""A bad key is named with file, line and the nearest valid one; a good file says what it means."""

from pathlib import Path

import pytest

from contract.catalogue import Category
from contract.messages import Severity
from edge_agent.config import (
    CameraConfig,
    LookRule,
    load_agent,
    load_camera,
    load_cameras,
)
from edge_agent.errors import ConfigError
from edge_agent.yaml_file import resolve_secrets

MINIMAL = "camera: {id: cam-01}\n"


def camera(tmp_path: Path, text: str, name: str = "cam.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_camera_file_needs_no_more_than_an_id(tmp_path: Path) -> None:
    assert load_camera(camera(tmp_path, MINIMAL)).streams is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("camera: {id: cam-01}\nzons: []\n", r"cam.yaml:2: unknown key 'zons'; did you mean 'zones'"),
        ("camera:\n  id: cam-01\n  tmezone: UTC\n", r":3: unknown key 'camera.tmezone'; did you .*timezone"),
        ("camera: {id: cam-01}\nrules:\n  street_vendor:\n    dwel_s: 3\n", r":4: .*did you mean 'dwell_s'"),
        ("camera: {id: cam-01}\nrules: {street_vender: {}}\n", r":2: rules.street_vender"),
        ("camera: {name: x}\n", r":1: key 'camera.id' is missing"),
        ("camera: {id: a b}\n", r":1: camera.id: .*pattern"),
        ("camera: {id: a, timezone: Mars/Base}\n", r":1: camera.timezone: .*IANA"),
        ("camera: {id: a}\nzones: [{id: z, polygon_xyn: [[0, 0], [1, 0]]}]\n", r":2: zones.0.polygon_xyn"),
        ("camera: {id: a}\nrules: {street_vendor: {seen_m: 9}}\n", r":2: .*never be reached: of_n is 8"),
        ("camera: {id: a}\nlooks: {default: {every_s: 0}}\n", r":2: looks.default.every_s: .*greater than 0"),
        ("camera: {id: a}\ncamera: {id: b}\n", r":2: key 'camera' stands here a second time"),
        ("camera: {id: a\n", r"cam.yaml:\d: "),
        ("", r"cam.yaml: is empty"),
    ],
)  # fmt: skip
def test_a_bad_camera_file_is_named_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_camera(camera(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read"):
        load_camera(tmp_path / "nowhere.yaml")


def test_a_rule_changes_only_what_it_names(tmp_path: Path) -> None:
    text = MINIMAL + "rules: {manhole_missing: {dwell_s: 8}}\n"
    rule = load_camera(camera(tmp_path, text)).rule(Category.MANHOLE_MISSING)
    assert (rule.dwell_s, rule.seen_m, rule.severity) == (8, 3, Severity.URGENT)


@pytest.mark.parametrize("category", [c for c in Category if c.family != "vendor"])
def test_what_stands_still_is_looked_for_in_tiles_often_enough_for_its_dwell(
    category: Category,
) -> None:
    config = CameraConfig.model_validate(
        {"camera": {"id": "a"}, "rules": {category: {"dwell_s": 12}}}
    )
    look = config.look(category)
    assert look.tiles == (2, 2)
    assert look.every_s * config.rule(category).seen_m <= 12


def test_a_default_with_tiles_of_its_own_is_for_every_category() -> None:
    config = CameraConfig.model_validate(
        {"camera": {"id": "a"}, "looks": {"default": {"every_s": 5, "tiles": [3, 1]}}}
    )
    assert {config.look(category) for category in Category} == {LookRule(every_s=5, tiles=(3, 1))}


def test_a_night_policy_needs_to_know_where_the_camera_stands(tmp_path: Path) -> None:
    night = "rules: {bin_overflow: {night: suspend}}\n"
    with pytest.raises(ConfigError, match=r"bin_overflow.night needs camera.location"):
        load_camera(camera(tmp_path, MINIMAL + night))
    placed = "camera: {id: cam-01, location: {lon: 117.36, lat: 32.93}}\n"
    assert load_camera(camera(tmp_path, placed + night)).lonlat == (117.36, 32.93)


def test_a_camera_id_is_used_once(tmp_path: Path) -> None:
    camera(tmp_path, MINIMAL, "a.yaml")
    camera(tmp_path, MINIMAL, "b.yaml")
    with pytest.raises(ConfigError, match=r"b.yaml: camera id cam-01 is also used by .*a.yaml"):
        load_cameras([str(tmp_path / "*.yaml")])


def test_paths_of_an_agent_file_are_relative_to_it(tmp_path: Path) -> None:
    path = camera(
        tmp_path, "agent: {city: demo, id: gw}\ncameras: [c/*.yaml]\nmodel: m\n", "agent.yaml"
    )
    config = load_agent(path)
    assert config.model == tmp_path / "m"
    assert config.cameras == (str(tmp_path / "c/*.yaml"),)


def test_a_secret_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "FROM_FILE").write_text("two\n")
    monkeypatch.setenv("FROM_ENV", "one")
    monkeypatch.setenv("GRIDWATCH_SECRETS_DIR", str(tmp_path))
    url = resolve_secrets("rtsp://${secret:FROM_ENV}:${secret:FROM_FILE}@host/1", "camera a")
    assert url == "rtsp://one:two@host/1"


def test_a_secret_that_is_not_set_is_named_with_its_owner() -> None:
    with pytest.raises(ConfigError, match=r"camera a: secret NOT_SET is not set; set the"):
        resolve_secrets("${secret:NOT_SET}", "camera a")


def test_a_camera_is_judged_by_each_of_its_presets_as_by_itself() -> None:
    zone = {"id": "kerb", "polygon_xyn": [[0, 0], [1, 0], [1, 1]]}
    presets = [{"id": "north", "zones": [zone], "reference": "n.jpg"}, {"id": "south"}]
    views = CameraConfig.model_validate({"camera": {"id": "a"}, "presets": presets}).views()
    assert {name: len(view.zones) for name, view in views.items()} == {"north": 1, "south": 0}
    assert views["north"].reference == "n.jpg"
    plain = CameraConfig.model_validate({"camera": {"id": "a"}})
    assert plain.views() == {None: plain}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("presets: [{id: n}, {id: n}]", "preset id n is used twice"),
        ("presets: [{id: n}]\nreference: a.jpg", "in each preset, not beside them"),
    ],
)
def test_presets_that_contradict_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_camera(camera(tmp_path, MINIMAL + text + "\n"))
