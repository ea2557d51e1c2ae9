"""What is known of views survives a restart, and tells when a view was changed by people."""

from pathlib import Path

import cv2
import pytest

from edge_agent.config import CameraConfig
from edge_agent.errors import ConfigError
from edge_agent.known_view import in_place
from edge_agent.luma import Sample
from edge_agent.view_files import Views, known_views, slot_of
from tests.edge_agent.painted import Street

STREET = Street()
ELSEWHERE = STREET.but(x=300.0, y=250.0)


def config(**rest: object) -> CameraConfig:
    return CameraConfig.model_validate({"camera": {"id": "cam-01"}} | rest)


def still(path: Path, street: Street) -> Path:
    cv2.imwrite(str(path), street.picture(0).array[..., ::-1])
    return path


def learned(folder: Path, camera: CameraConfig, street: Street) -> None:
    views = Views({folder / "cam.yaml": camera}, folder)
    (file,) = views._files["cam-01"]
    for second in range(65):
        file.view.learn(Sample.of(street.picture(second)))
    views.save()


def test_a_camera_without_a_still_keeps_to_what_it_learned_before_a_restart(tmp_path: Path) -> None:
    learned(tmp_path, config(), STREET)
    views = Views({tmp_path / "cam.yaml": config()}, tmp_path)
    (file,) = views._files["cam-01"]
    assert views.changed == frozenset()
    assert in_place(file.view.compare(Sample.of(STREET.picture(99))))
    assert not in_place(file.view.compare(Sample.of(ELSEWHERE.picture(99))))


@pytest.mark.parametrize(
    ("street", "changed"), [(STREET, frozenset()), (ELSEWHERE, frozenset({"cam-01"}))]
)
def test_a_new_still_tells_whether_the_view_is_another(
    tmp_path: Path, street: Street, changed: frozenset[str]
) -> None:
    learned(tmp_path, config(), STREET)
    still(tmp_path / "new.jpg", street)
    views = Views({tmp_path / "cam.yaml": config(reference="new.jpg")}, tmp_path)
    (file,) = views._files["cam-01"]
    assert views.changed == changed
    assert bool(file.view.learned) is not bool(changed)


def test_a_damaged_file_is_learned_anew(tmp_path: Path) -> None:
    learned(tmp_path, config(), STREET)
    (tmp_path / "views" / "cam-01.npz").write_bytes(b"PK\x03\x04 no more than this")
    (file,) = known_views(tmp_path / "cam.yaml", config(), tmp_path)
    assert file.view.learned == {}


def test_each_preset_has_its_own_still(tmp_path: Path) -> None:
    for name, street in (("n.jpg", STREET), ("s.jpg", ELSEWHERE)):
        still(tmp_path / name, street)
    presets = [{"id": "north", "reference": "n.jpg"}, {"id": "south", "reference": "s.jpg"}]
    files = known_views(tmp_path / "cam.yaml", config(presets=presets))
    found = [file.view.preset_id for file in files
             if in_place(file.view.compare(Sample.of(ELSEWHERE.picture(5))))]  # fmt: skip
    assert found == ["south"]


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_still_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "gone.jpg").write_bytes(content)
    with pytest.raises(ConfigError, match=r"gone\.jpg.*edge-agent calibrate"):
        known_views(tmp_path / "cam.yaml", config(reference="gone.jpg"))


def test_the_picture_of_a_moved_camera_is_kept_for_calibration(tmp_path: Path) -> None:
    views = Views({tmp_path / "cam.yaml": config()}, tmp_path)
    views.keep_new("cam-01", b"masked")
    assert (tmp_path / "views" / "cam-01.moved.jpg").read_bytes() == b"masked"


def test_a_slot_names_camera_and_preset() -> None:
    assert (slot_of("a", None), slot_of("a", "north")) == ("a", "a/north")
