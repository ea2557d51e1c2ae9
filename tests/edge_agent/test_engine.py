"""One engine serves all cameras in turn and never holds more than one frame a camera and plan."""

import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.detections import Detections
from edge_agent.engine import Engine
from edge_agent.errors import ModelError
from edge_agent.frames import ArrayPicture, Frame, Picture
from edge_agent.looks import Look, LookPlan

PICTURE = ArrayPicture(np.zeros((8, 8, 3), np.uint8))
PLAN = LookPlan(0.2, (1, 1), frozenset({Category.STREET_VENDOR}))


def frame(camera_id: str, second: float) -> Frame:
    at = Instant(datetime(2026, 1, 1, tzinfo=UTC), second, "boot")
    return Frame(camera_id, at, PICTURE)


def nothing(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    return Detections.empty()


def run(engine: Engine, stop: threading.Event) -> None:
    thread = threading.Thread(target=engine.run, args=(stop,))
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_the_newest_frame_wins_and_the_older_is_counted() -> None:
    stop, looks = threading.Event(), list[Look]()

    def take(look: Look) -> None:
        looks.append(look)
        stop.set()

    engine = Engine((nothing,), take)
    for second in (1, 2, 3):
        engine.offer(frame("a", second), PLAN)
    run(engine, stop)
    assert [look.at.monotonic_s for look in looks] == [3]
    assert (engine.counts.looks, engine.counts.dropped) == (1, 2)


def test_a_busy_camera_does_not_keep_another_waiting() -> None:
    stop, order = threading.Event(), list[str]()
    engine: Engine

    def take(look: Look) -> None:
        order.append(look.frame.camera_id)
        engine.offer(frame("busy", len(order)), PLAN)
        if len(order) == 6:
            stop.set()

    engine = Engine((nothing,), take)
    for camera in ("busy", "b", "c"):
        engine.offer(frame(camera, 0), PLAN)
    run(engine, stop)
    assert order[:4] == ["busy", "b", "c", "busy"]


def test_a_camera_has_one_look_at_a_time_so_that_its_looks_keep_their_order() -> None:
    stop, order = threading.Event(), list[float]()
    second_may_start = threading.Event()
    engine: Engine

    def slow_first(_picture: Picture, tiles: tuple[int, int]) -> Detections:
        if tiles == (2, 2):  # the close look begins first and lasts while the other one waits
            engine.offer(frame("a", 2), PLAN)
            assert not second_may_start.wait(0.2)
        else:
            second_may_start.set()
        return Detections.empty()

    def take(look: Look) -> None:
        order.append(look.at.monotonic_s)
        if len(order) == 2:
            stop.set()

    engine = Engine((slow_first, slow_first), take)
    engine.offer(frame("a", 1), LookPlan(1, (2, 2), PLAN.judged))
    run(engine, stop)
    assert order == [1, 2]


def test_a_detector_that_fails_ends_the_run_with_its_error() -> None:
    def broken(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
        raise ModelError("model x: inference failed")

    engine = Engine((broken, nothing), lambda _look: None)
    engine.offer(frame("a", 0), PLAN)
    with pytest.raises(ModelError, match="inference failed"):
        engine.run(threading.Event())
