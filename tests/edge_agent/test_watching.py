"""A camera's state, looks and health as the agent tells them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from contract.messages import CameraState
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.frames import ArrayPicture, Frame
from edge_agent.looks import LookPlan, plans_of
from edge_agent.watching import EngineHooks, Watching

START = datetime(2026, 7, 1, tzinfo=UTC)
CONFIG = CameraConfig.model_validate({"camera": {"id": "cam-01"}})


class SetClock:
    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> Instant:
        return Instant(START + timedelta(seconds=self.s), self.s, "boot")


class Scene:
    def __init__(self) -> None:
        self.clock = SetClock()
        self.offered: list[tuple[Frame, LookPlan]] = []
        self.changes: list[tuple[CameraState, str]] = []
        plans = plans_of(CONFIG)
        self.watching = Watching(
            "cam-01", plans, EngineHooks(self._offer), self._changed, self.clock
        )
        self.plans = len(plans)

    def frame(self) -> None:
        picture = ArrayPicture(np.zeros((2, 2, 3), np.uint8))
        self.watching.on_frame(Frame("cam-01", self.clock.now(), picture))

    def _offer(self, *offered: Any) -> None:
        self.offered.append(offered)

    def _changed(self, watching: Watching) -> None:
        now = watching.now()
        self.changes.append((now.state, now.detail))


def test_a_frame_is_offered_to_the_looks_that_are_due() -> None:
    scene = Scene()
    for index in range(26):  # one second at 25 frames a second
        scene.clock.s = index / 25
        scene.frame()
    assert sum(plan.every_s == 0.2 for _, plan in scene.offered) == 6


def test_an_outage_is_one_change_however_often_it_is_tried_again() -> None:
    scene = Scene()
    say = scene.watching.on_state
    say(CameraState.OK, "")
    for wait in ("1.0 s", "2.1 s"):
        say(CameraState.OFFLINE, f"refused; next try in {wait}")
        say(CameraState.CONNECTING, "")
    say(CameraState.OFFLINE, "silent; next try in 2.0 s")
    say(CameraState.OK, "")
    assert [state for state, _ in scene.changes] == ["ok", "offline", "offline", "ok"]
    assert scene.changes[2][1].startswith("silent")


def test_since_is_the_moment_of_the_last_change_of_state() -> None:
    scene = Scene()
    scene.clock.s = 5
    scene.watching.on_state(CameraState.OFFLINE, "refused")
    scene.clock.s = 9
    scene.watching.on_state(CameraState.OFFLINE, "silent")
    assert scene.watching.now().since.monotonic_s == 5
    assert scene.watching.now().detail == "silent"


def test_health_tells_rate_drops_and_the_last_frame() -> None:
    scene = Scene()
    scene.clock.s = 3
    scene.watching.counts.last_frame_at = scene.clock.now()
    for _ in range(20):
        scene.watching.on_look()
    scene.clock.s = 10
    health = scene.watching.health("gw-01")
    assert health.looks_per_s == 2
    assert health.dropped_frames == 0
    assert health.last_frame_at == START + timedelta(seconds=3)
    for index in range(100):
        scene.clock.s = 10 + index
        scene.frame()
    assert scene.watching.now().dropped == len(scene.offered) - 20 - scene.plans
