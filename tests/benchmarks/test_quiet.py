"""A quiet week is simulated from few frames, and what a person found to be real is set apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import quiet as quiet_module
from benchmarks.footage import Footage, write_video
from benchmarks.quiet import KnownSpot, draw_sheet, figures, hits_of, lights, load_known, spots_of
from benchmarks.quiet_footage import LIGHTS, QuietCamera, QuietFrame, cameras_of, in_light, pictures
from benchmarks.truth import TruthError
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.model import ModelCard, default_folder, load_card

CART = (0.4, 0.4, 0.6, 0.6)
Camera = Callable[..., QuietCamera]


@pytest.fixture(autouse=True)
def short_days(monkeypatch: pytest.MonkeyPatch) -> None:
    day = (("night", 300.0), ("dusk", 100.0), ("day", 200.0), ("dusk", 100.0))
    monkeypatch.setattr(quiet_module, "DAY", day)


@pytest.fixture(scope="module")
def model_card() -> ModelCard:
    return load_card(default_folder())


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    def make(name: str = "cam", count: int = 4, *, trained: bool = False) -> QuietCamera:
        frames = []
        for index in range(count):
            path = tmp_path / f"{name}-{index}.png"
            cv2.imwrite(str(path), np.full((90, 160, 3), 100 + index, np.uint8))
            frames.append(QuietFrame(path))
        return QuietCamera(name, tuple(frames), trained)

    return make


def found(*boxes: tuple[float, float, float, float], score: float = 0.95) -> dict[Any, Detections]:
    seen = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        np.full(len(boxes), CLASS_INDEX["street_vendor"], np.int64),
    )
    return {(1, 1): seen, (2, 2): seen}


def looked(camera: QuietCamera, where: dict[str, dict[Any, Detections]]) -> Any:
    return {light: [where.get(light, found())] * len(camera.frames) for light in LIGHTS}


def test_a_day_has_every_light_and_rain_on_some() -> None:
    week = list(lights(7))
    assert {light for _, light in week} == {"day", "dusk", "night", "rain"}
    assert {day for day, light in week if light == "rain"} == quiet_module.RAINY_DAYS
    assert [day for day, _ in week] == sorted(day for day, _ in week)


def test_what_stands_in_the_night_is_raised_every_night(
    camera: Camera, model_card: ModelCard
) -> None:
    street = camera()
    hits = hits_of(street, looked(street, {"night": found(CART)}), model_card, 2)
    assert [(hit.day, hit.light, hit.category) for hit in hits] == [
        (0, "night", "street_vendor"),
        (1, "night", "street_vendor"),
    ]
    assert len(spots_of(hits)) == 1


def test_what_flickers_in_one_frame_of_many_is_not_raised(
    camera: Camera, model_card: ModelCard
) -> None:
    street = camera()
    flickering = looked(street, {})
    for light in LIGHTS:
        flickering[light][0] = found(CART)
    assert hits_of(street, flickering, model_card, 1) == []


def test_a_spot_that_a_person_found_real_does_not_count(
    camera: Camera, model_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [KnownSpot("cam", "street_vendor", CART, "a noodle stall")]
    monkeypatch.setattr(quiet_module, "load_known", lambda: known)
    street = camera()
    hits = hits_of(street, looked(street, {"day": found(CART)}), model_card, 1)
    assert {hit.known for hit in hits} == {"a noodle stall"}
    counted = figures(hits, [street], 1)
    assert (counted["all"]["false_alarms"], counted["real"]) == (0, len(hits))


def test_rates_have_an_interval_and_cameras_of_the_training_stand_apart(
    camera: Camera, model_card: ModelCard
) -> None:
    seen, unseen = camera("seen", trained=True), camera("unseen")
    hits = hits_of(seen, looked(seen, {"night": found(CART)}), model_card, 7)
    counted = figures(hits, [seen, unseen], 7)
    assert counted["all"]["camera_days"] == 14
    assert counted["all"]["per_camera_day"] == pytest.approx(len(hits) / 14, abs=1e-4)
    low, high = counted["all"]["per_camera_day_ci95"]
    assert low < counted["all"]["per_camera_day"] < high
    assert counted["cameras_not_trained_on"]["per_camera_day"] == 0


def test_every_spot_gets_a_thumbnail(camera: Camera, model_card: ModelCard, tmp_path: Path) -> None:
    street = camera()
    hits = hits_of(
        street, looked(street, {"day": found(CART, (0.1, 0.1, 0.2, 0.2))}), model_card, 1
    )
    assert draw_sheet(hits, [street], tmp_path / "sheet.png") == 2
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    assert draw_sheet([], [street], tmp_path / "none.png") == 0


def test_a_light_is_the_same_at_every_run_and_changes_the_picture() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (90, 160, 3)).astype(np.uint8)
    means = {light: in_light(picture, light, "a").mean() for light in LIGHTS}
    assert means["day"] == picture.mean()
    assert means["night"] < means["dusk"] < means["day"]
    assert np.array_equal(in_light(picture, "rain", "a"), in_light(picture, "rain", "a"))
    assert not np.array_equal(in_light(picture, "rain", "a"), in_light(picture, "rain", "b"))


def test_cameras_with_many_frames_are_taken_and_the_clip_beside_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = [f"val,a{n:02}.webp,vn_cctv_traffic,7" for n in range(12)]
    rows += ["val,b.webp,vn_cctv_traffic,8", "train,c.webp,road_negatives_har,"]
    (data / "manifest.csv").write_text("\n".join(["split,file,source,camera", *rows]))
    (only,) = cameras_of(tmp_path, 10)
    assert (only.name, only.trained) == ("cctv-7", False)
    assert [frame.path.name for frame in only.frames] == [f"a{n:02}.webp" for n in range(1, 11)]
    with pytest.raises(TruthError, match="--shared"):
        cameras_of(tmp_path / "nowhere", 10)


def test_frames_are_read_from_pictures_and_from_seconds_of_a_clip(
    camera: Camera, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    write_video(clip, (np.full((360, 640, 3), n * 3, np.uint8) for n in range(75)), Footage(360))
    mixed = QuietCamera("mixed", (QuietFrame(clip, 0.0), QuietFrame(clip, 2.0)), trained=False)
    dark, bright = (picture.mean() for _, picture in pictures(mixed))
    assert bright > dark + 100
    assert [round(picture.mean()) for _, picture in pictures(camera())] == [100, 101, 102, 103]


def test_the_committed_spots_can_be_read() -> None:
    assert all(spot.why for spot in load_known())
