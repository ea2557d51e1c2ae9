"""One engine serves all cameras in turn and never holds more than one frame a camera and plan."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.core_turns import CoreTurns
from edge_agent.detections import Detections
from edge_agent.engine import Engine, Lanes, lanes_of
from edge_agent.errors import ModelError
from edge_agent.frames import ArrayPicture, Frame, Picture
from edge_agent.looks import Look, LookPlan
from edge_agent.runtimes import Choice
from edge_agent.shedding import WINDOW_S

PICTURE = ArrayPicture(np.zeros((8, 8, 3), np.uint8))
PLAN = LookPlan(60, (1, 1), frozenset({Category.STREET_VENDOR}))
ONE = Lanes()
Jobs = Sequence[tuple[Picture, tuple[int, int]]]


class SetClock:
    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> Instant:
        return Instant(datetime(2026, 1, 1, tzinfo=UTC), self.s, "boot")


def frame(camera_id: str, second: float) -> Frame:
    at = Instant(datetime(2026, 1, 1, tzinfo=UTC), second, "boot")
    return Frame(camera_id, at, PICTURE)


def nothing(jobs: Jobs) -> list[Detections]:
    return [Detections.empty() for _ in jobs]


class Bench:
    """An engine that is run until so many looks came out."""

    def __init__(
        self, until: int, detect: Callable[[Jobs], list[Detections]] = nothing,
        lanes: Lanes = ONE,
    ) -> None:  # fmt: skip
        self.clock = SetClock()
        self.looks: list[Look] = []
        self.stop = threading.Event()
        self._until = until
        self.engine = Engine(detect, self.take, self.clock, lanes)

    def take(self, look: Look) -> None:
        self.looks.append(look)
        if len(self.looks) == self._until:
            self.stop.set()

    def run(self) -> None:
        thread = threading.Thread(target=self.engine.run, args=(self.stop,))
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive()

    @property
    def seconds(self) -> list[float]:
        return [look.at.monotonic_s for look in self.looks]

    @property
    def order(self) -> list[str]:
        return [look.frame.camera_id for look in self.looks]


def test_the_newest_frame_wins_and_the_older_is_counted() -> None:
    bench = Bench(until=1)
    for second in (1, 2, 3):
        bench.engine.offer(frame("a", second), PLAN)
    bench.run()
    counts = bench.engine.counts
    assert bench.seconds == [3]
    assert (counts.looks, counts.replaced, counts.late, counts.dropped) == (1, 2, 0, 2)


def test_a_frame_older_than_its_interval_is_dropped_and_counted() -> None:
    bench = Bench(until=1)
    bench.engine.offer(frame("late", 0), LookPlan(5, (1, 1), PLAN.judged))
    bench.engine.offer(frame("patient", 0), LookPlan(50, (1, 1), PLAN.judged))
    bench.clock.s = 6
    bench.run()
    assert bench.order == ["patient"]
    assert bench.engine.counts.late == 1


def test_a_busy_camera_does_not_keep_another_waiting() -> None:
    bench = Bench(until=6)
    take = bench.take

    def take_and_offer(look: Look) -> None:
        take(look)
        bench.engine.offer(frame("busy", len(bench.looks)), PLAN)

    bench.engine = Engine(nothing, take_and_offer, bench.clock)
    for camera in ("busy", "b", "c"):
        bench.engine.offer(frame(camera, 0), PLAN)
    bench.run()
    assert bench.order[:4] == ["busy", "b", "c", "busy"]


def test_a_camera_has_one_look_at_a_time_so_that_its_looks_keep_their_order() -> None:
    second_may_start = threading.Event()

    def slow_first(jobs: Jobs) -> list[Detections]:
        if jobs[0][1] == (2, 2):  # the close look begins first and lasts while the other one waits
            bench.engine.offer(frame("a", 2), PLAN)
            assert not second_may_start.wait(0.2)
        else:
            second_may_start.set()
        return nothing(jobs)

    bench = Bench(2, slow_first, Lanes(workers=2))
    bench.engine.offer(frame("a", 1), LookPlan(60, (2, 2), PLAN.judged))
    bench.run()
    assert bench.seconds == [1, 2]


def test_a_camera_s_looks_keep_their_order_when_a_newer_frame_replaces_the_first() -> None:
    bench = Bench(2)
    bench.engine.offer(frame("a", 1), PLAN)
    bench.engine.offer(frame("a", 2), LookPlan(60, (2, 2), PLAN.judged))
    bench.engine.offer(frame("a", 3), PLAN)
    bench.run()
    assert bench.seconds == [2, 3]


def test_cameras_share_a_batch_and_one_camera_is_in_it_once() -> None:
    batches = []

    def batched(jobs: Jobs) -> list[Detections]:
        batches.append(len(jobs))
        return nothing(jobs)

    bench = Bench(7, batched, Lanes(batch=3))
    for camera in "abcde":
        bench.engine.offer(frame(camera, 0), PLAN)
    for camera in "ab":
        bench.engine.offer(frame(camera, 0), LookPlan(9, (2, 2), PLAN.judged))
    bench.run()
    assert batches == [3, 3, 1]
    assert sorted(bench.order) == ["a", "a", "b", "b", "c", "d", "e"]


def test_dropped_looks_stretch_the_intervals_of_all() -> None:
    engine, clock = (bench := Bench(until=1)).engine, bench.clock
    for index in range(200):
        clock.s = index * WINDOW_S / 100
        engine.offer(frame("a", clock.s), PLAN)  # nobody takes them
    assert engine.stretch > 1.5
    assert engine.counts.stretch == engine.stretch


def test_no_more_frames_wait_than_cameras_and_plans() -> None:
    engine = Bench(until=1).engine
    for second in range(500):
        for camera in "abc":
            engine.offer(frame(camera, second), PLAN)
    assert len(engine._waiting) == 3


def test_a_detector_that_fails_ends_the_run_with_its_error() -> None:
    def broken(_jobs: Jobs) -> list[Detections]:
        raise ModelError("model x: inference failed")

    engine = Engine(broken, lambda _look: None, SetClock(), Lanes(workers=2))
    engine.offer(frame("a", 0), PLAN)
    with pytest.raises(ModelError, match="inference failed"):
        engine.run(threading.Event())


def test_looks_take_turns_with_decoders_only_where_they_share_the_cores() -> None:
    turns = CoreTurns(1)
    assert lanes_of(Choice(streams=3, batch=2), turns) == Lanes(3, 2, turns)
    assert lanes_of(Choice(provider="openvino"), turns).turns is turns
    assert lanes_of(Choice(provider="cuda"), turns).turns is not turns
