"""Scripted troubles of a camera, held against what its health watch made of the clip."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.health_trials import Moment, Trouble, failed, found_in, scripted, summary, watch
from benchmarks.truth import DarkAt, Truth, ViewAt
from contract.messages import CameraState
from edge_agent.clock import Instant
from edge_agent.frames import View

TRIALS = Path(__file__).parents[2] / "benchmarks" / "block" / "trials"
AT = Instant(datetime(2026, 6, 29, tzinfo=UTC), 0.0, "trial")
TURNING = (ViewAt(start_s=20, turn_s=3, preset="west"), ViewAt(start_s=40, turn_s=3, preset="east"))
KNOCKED = (ViewAt(start_s=20),)


def truth(**more: object) -> Truth:
    return Truth.model_validate(
        {
            "schema": "truth/1.0", "clip": "street.mp4", "fps": 1, "width": 640, "height": 360,
            "seconds": 60, "events": [],
        }
        | more
    )  # fmt: skip


def seen(told: Callable[[int], tuple[CameraState, str | None, str | None]]) -> list[Moment]:
    moments = []
    for second in range(60):
        state, suspended, preset = told(second)
        view = View(state, AT, suspended=suspended, preset_id=preset)
        moments.append(Moment(float(second), view, looked=True))
    return moments


def turns(second: int) -> tuple[CameraState, str | None, str | None]:
    if 18 <= second < 21 or 38 <= second < 41:
        return CameraState.OK, "moved", None
    return CameraState.OK, None, "west" if 21 <= second < 38 else "east"


def test_a_preset_is_right_within_two_looks_and_nothing_is_judged_on_the_way() -> None:
    found = found_in("street", truth(preset="east", views=TURNING), seen(turns))
    assert [(one.trouble, one.looks_until_right, one.looks_astray) for one in found.troubles] == [
        ("turned to west", 2, 0),
        ("turned to east", 2, 0),
    ]
    assert found.troubles[0].well_after_s == 1
    assert failed([found]) == []
    assert "right in look 2, 0 looks astray" in summary([found])


def test_looks_judged_as_the_preset_that_was_left_are_astray() -> None:
    found = found_in(
        "street",
        truth(preset="east", views=TURNING[:1]),
        seen(lambda _: (CameraState.OK, None, "east")),
    )
    (trouble,) = found.troubles
    assert trouble.looks_astray == 2 + 40
    assert len(failed([found])) == 2


@pytest.mark.parametrize(
    ("noticed_s", "told_s", "complaints"), [(20, 30, 0), (23, 31, 1), (20, 51, 1), (99, 99, 2)]
)
def test_a_knock_is_noticed_at_once_and_told_within_thirty_seconds(
    noticed_s: int, told_s: int, complaints: int
) -> None:
    def knocked(second: int) -> tuple[CameraState, str | None, str | None]:
        state = CameraState.MOVED if second >= told_s else CameraState.OK
        return state, "moved" if second >= noticed_s else None, None

    found = found_in("street", truth(views=KNOCKED), seen(knocked))
    assert len(failed([found])) == complaints


def test_darkness_is_told_as_such_and_ends() -> None:
    def dark(second: int) -> tuple[CameraState, str | None, str | None]:
        state = CameraState.DARK if 30 <= second < 37 else CameraState.OK
        return state, "dark" if 20 <= second < 37 else None, None

    night = DarkAt(start_s=20, end_s=32, state=CameraState.DARK)
    found = found_in("street", truth(darks=[night]), seen(dark))
    assert found.troubles == (
        Trouble("street", "dark", 20, 0.0, 10.0, "dark", 5.0, None, 0),
    )  # fmt: skip
    assert failed([found]) == []
    veiled = night.model_copy(update={"state": CameraState.COVERED})
    assert failed([found_in("street", truth(darks=[veiled]), seen(dark))]) == [
        "street, covered: told as dark"
    ]


def test_an_alarm_without_a_trouble_is_a_complaint() -> None:
    found = found_in(
        "street", truth(), seen(lambda at: (CameraState("ok" if at else "dark"), None, None))
    )
    assert failed([found]) == ["street: 1 s of alarm without a trouble"]


def test_only_clips_with_troubles_are_held_against_their_truth(tmp_path: Path) -> None:
    assert scripted(tmp_path / "nothing.mp4") is None
    (tmp_path / "calm.json").write_text(truth().model_dump_json(by_alias=True), encoding="utf-8")
    assert scripted(tmp_path / "calm.mp4") is None


@pytest.mark.parametrize("name", ["trial-turning", "trial-knocked", "trial-covered"])
def test_the_trials_keep_what_is_promised(name: str) -> None:
    assert watch([TRIALS / f"{name}.mp4"]).failed() == []
