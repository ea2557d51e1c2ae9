"""A camera's own troubles: what is one, what is not, how soon it is told, and the presets."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract.messages import CameraState
from edge_agent.frames import ArrayPicture, Picture, View
from edge_agent.health import HealthWatch
from edge_agent.known_view import KnownView
from edge_agent.luma import Sample
from edge_agent.video import read_clip
from tests.edge_agent.painted import Street
from tests.edge_agent.street import START

STREET = Street()
ALARM_WITHIN_S = 30
Change = Callable[[Picture], Picture]


class Watched:
    """A camera that delivers a picture a second."""

    def __init__(self, watch: HealthWatch | None = None) -> None:
        self.watch = watch or HealthWatch([KnownView()])
        self.second = 0.0
        self.views: list[View] = []

    def see(self, pictures: Iterable[Picture], every_s: float = 1.0) -> list[View]:
        before = len(self.views)
        for picture in pictures:
            self.second += every_s
            self.views.append(self.watch.see(picture, START.plus(self.second)))
        return self.views[before:]

    def stand(self, street: Street, seconds: int) -> list[View]:
        first = int(self.second)
        return self.see(street.picture(first + index) for index in range(seconds))


def suspended(views: Iterable[View]) -> list[str | None]:
    return [view.suspended for view in views]


def states(views: Iterable[View]) -> list[CameraState]:
    return [view.state for view in views]


TROUBLES = {
    "knocked by a hundredth of the picture": (STREET.but(x=906.0), CameraState.MOVED),
    "knocked by a tenth": (STREET.but(x=948.0, y=615.0), CameraState.MOVED),
    "turned away": (STREET.but(x=300.0, y=300.0), CameraState.MOVED),
    "turned about its axis": (STREET.but(rotation_deg=2.0), CameraState.MOVED),
    "hanging down": (STREET.but(rotation_deg=25.0), CameraState.MOVED),
    "zoomed": (STREET.but(zoom=1.08), CameraState.MOVED),
    "dark": (STREET.but(gain=0.06), CameraState.DARK),
    "overexposed": (STREET.but(gain=2.0, lift=120.0), CameraState.OVEREXPOSED),
    "out of focus": (STREET.but(blur_px=3.0), CameraState.BLURRED),
    "covered by a bag": (STREET.but(gain=0.02, lift=90.0), CameraState.COVERED),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_suspends_at_once_and_is_told_within_half_a_minute(trouble: str) -> None:
    street, expected = TROUBLES[trouble]
    camera = Watched()
    assert set(suspended(camera.stand(STREET, 30))) == {None}
    views = camera.stand(street, ALARM_WITHIN_S)
    assert None not in suspended(views)
    assert states(views)[-1] is expected
    assert views[-1].detail


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_that_ends_is_told_to_have_ended(trouble: str) -> None:
    street, _ = TROUBLES[trouble]
    camera = Watched()
    camera.stand(STREET, 30)
    camera.stand(street, ALARM_WITHIN_S)
    view = camera.stand(STREET, 10)[-1]
    assert (view.state, view.suspended, view.detail) == (CameraState.OK, None, "")


HARMLESS = {
    "dense traffic": STREET.but(traffic=40),
    "a lorry before half of the picture": STREET.but(lorry=0.55),
    "dusk": STREET.but(gain=0.5),
    "a lamp-lit night": STREET.but(gain=0.3, lift=8.0),
    "bright sun": STREET.but(gain=1.3),
    "fog": STREET.but(gain=0.45, lift=110.0),
    "a camera that trembles": STREET.but(x=900.5, y=599.6),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_no_trouble_suspends_nothing(what: str) -> None:
    camera = Watched()
    camera.stand(STREET, 30)
    views = camera.stand(HARMLESS[what], 30)
    assert set(suspended(views)) == {None}
    assert set(states(views)) == {CameraState.OK}


def test_a_wall_with_hardly_any_structure_is_no_trouble() -> None:
    def wall(second: int) -> ArrayPicture:
        rgb = np.full((96, 160, 3), 120 + second % 40, np.uint8)
        rgb[:48, :80] = (200, 30, 30)
        return ArrayPicture(rgb)

    assert set(suspended(Watched().see(wall(second) for second in range(40)))) == {None}


def test_a_first_picture_that_shows_a_lorry_is_soon_forgotten() -> None:
    camera = Watched()
    camera.stand(STREET.but(lorry=1.0), 3)
    camera.stand(STREET, 30)
    assert set(suspended(camera.views[6:])) == {None}
    assert set(states(camera.views)) == {CameraState.OK}


def test_a_picture_that_does_not_change_at_all_is_frozen() -> None:
    camera = Watched()
    last = STREET.picture(60)
    camera.stand(STREET, 10)
    views = camera.see([last] * ALARM_WITHIN_S)
    assert states(views)[-1] is CameraState.FROZEN
    assert states(camera.stand(STREET, 10))[-1] is CameraState.OK


def test_a_short_doubt_suspends_and_raises_no_alarm() -> None:
    camera = Watched()
    camera.stand(STREET, 10)
    views = camera.stand(STREET.but(gain=0.05), 5)
    assert set(suspended(views)) == {"dark"}
    assert set(states(views)) == {CameraState.OK}
    assert suspended(camera.stand(STREET, 1)) == [None]


def test_between_two_samples_nothing_is_measured() -> None:
    class Unscaled(ArrayPicture):
        def rgb(self, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            raise AssertionError(f"scaled to {width}×{height}")

    camera = Watched()
    first = camera.see([STREET.picture(1)])
    untouched = Unscaled(STREET.picture(2).array)
    assert camera.see([untouched] * 9, every_s=0.1) == first * 9


def test_a_slow_change_of_light_is_learned() -> None:
    camera = Watched()
    camera.stand(STREET, 10)
    for step in range(30):
        camera.stand(STREET.but(gain=1.0 - step * 0.025, lift=step * 0.3), 3)
    assert set(suspended(camera.views)) == {None}


# -- presets

NORTH, SOUTH = STREET.but(x=500.0), STREET.but(x=1300.0)


def turning() -> HealthWatch:
    stills = {"north": NORTH, "south": SOUTH}
    views = [
        KnownView(name, Sample.of(street.picture(0)).edges, fixed=True)
        for name, street in stills.items()
    ]
    return HealthWatch(views, turning=True, every_s=0.5)


def looks(camera: Watched, street: Street, count: int) -> list[View]:
    first = camera.second
    return camera.see((street.picture(first + index) for index in range(count)), every_s=0.5)


def test_a_preset_is_recognised_within_two_looks() -> None:
    camera = Watched(turning())
    for street, name in ((NORTH, "north"), (SOUTH, "south"), (NORTH, "north")):
        first, second = looks(camera, street, 2)
        assert (first.suspended, first.preset_id) == ("moved", None)
        assert (second.suspended, second.preset_id) == (None, name)
        assert {view.preset_id for view in looks(camera, street, 20)} == {name}


def test_between_presets_nothing_is_judged_and_no_alarm_is_raised() -> None:
    camera = Watched(turning())
    looks(camera, NORTH, 10)
    views = [
        view
        for step in range(1, 20)
        for view in looks(camera, STREET.but(x=500.0 + step * 40.0), 1)
    ]
    assert {view.preset_id for view in views} == {None}
    assert set(suspended(views)) == {"moved"}
    assert set(states(views)) == {CameraState.OK}


def test_a_turning_camera_that_stays_at_no_preset_is_told() -> None:
    camera = Watched(turning())
    looks(camera, NORTH, 10)
    views = looks(camera, STREET.but(x=900.0), 2 * ALARM_WITHIN_S)
    assert states(views)[-1] is CameraState.MOVED
    assert "预置位" in views[-1].detail


def test_a_preset_without_a_reference_still_is_never_taken_for_granted() -> None:
    camera = Watched(HealthWatch([KnownView("north", fixed=True)], turning=True))
    assert set(suspended(camera.stand(NORTH, 5))) == {"moved"}


# -- real streets


def warped(**how: float) -> Change:
    def change(picture: Picture) -> Picture:
        width, height = 640, 360
        rgb = picture.rgb(width, height)
        matrix = cv2.getRotationMatrix2D(
            (width / 2, height / 2), how.get("rotation_deg", 0), how.get("zoom", 1)
        )
        matrix[:, 2] += (how.get("dx", 0) * width, how.get("dy", 0) * height)
        return ArrayPicture(np.asarray(cv2.warpAffine(rgb, matrix, (width, height)), np.uint8))

    return change


def lit(gain: float, lift: float = 0.0) -> Change:
    def change(picture: Picture) -> Picture:
        bright = picture.rgb(640, 360).astype(np.float64) * gain + lift
        return ArrayPicture(np.clip(bright, 0, 255).astype(np.uint8))

    return change


def blurred(picture: Picture) -> Picture:
    soft = cv2.GaussianBlur(picture.rgb(640, 360), (0, 0), 3.0)
    return ArrayPicture(np.asarray(soft, np.uint8))


CHANGES: dict[str, tuple[Change, CameraState]] = {
    "shifted right": (warped(dx=0.015), CameraState.MOVED),
    "shifted down": (warped(dy=0.06), CameraState.MOVED),
    "rotated": (warped(rotation_deg=2.5), CameraState.MOVED),
    "zoomed": (warped(zoom=1.12), CameraState.MOVED),
    "dimmed": (lit(0.08), CameraState.DARK),
    "overexposed": (lit(2.2, 150), CameraState.OVEREXPOSED),
    "out of focus": (blurred, CameraState.BLURRED),
    "covered": (lit(0.015, 120), CameraState.COVERED),
}
CLIPS = ("dev1_cam81_vendor", "dev3_cam35_manhole", "dev4_cam14_dusk_rain")


@pytest.fixture(scope="module")
def footage(shared: Path) -> dict[str, list[Picture]]:
    """Fifty-five seconds of each clip, a picture a second."""
    return {name: _seconds(shared / "clips" / "dev" / f"{name}.mp4", 55) for name in CLIPS}


def _seconds(clip: Path, count: int) -> list[Picture]:
    pictures: list[Picture] = []
    for clip_s, picture in read_clip(clip):
        if clip_s >= len(pictures):
            pictures.append(ArrayPicture(picture.rgb(640, 360)))
        if len(pictures) == count:
            break
    return pictures


@pytest.mark.parametrize("clip", CLIPS)
def test_real_traffic_suspends_nothing(clip: str, footage: dict[str, list[Picture]]) -> None:
    assert set(suspended(Watched().see(footage[clip]))) == {None}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("clip", CLIPS)
def test_a_real_street_that_changes_is_noticed(
    clip: str, change: str, footage: dict[str, list[Picture]]
) -> None:
    how, expected = CHANGES[change]
    camera = Watched()
    camera.see(footage[clip][:30])
    views = camera.see(how(picture) for picture in footage[clip][30:])
    assert None not in suspended(views)
    assert states(views)[-1] is expected
