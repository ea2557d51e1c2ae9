"""What Python and issue logic cost a look: everything around inference and pixels.

A detector that costs nothing returns a busy street's boxes; engine, judge and the turning of
rows into detections are the agent's own. What remains is our own time.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from time import process_time, thread_time
from typing import Any

import numpy as np

from benchmarks.result import result, with_rounds
from benchmarks.rounds import interleaved
from edge_agent.clock import SystemClock
from edge_agent.config import CameraConfig
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.detector import to_detections, windows_of
from edge_agent.engine import Engine
from edge_agent.frames import ArrayPicture, Frame
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.looks import Look, plans_of
from edge_agent.model import load_card
from edge_agent.watching import EngineHooks, Watching

# A market street: people and vehicles, some stalls and bins.
BOXES = {"person": 12, "vehicle": 8, "street_vendor": 3, "garbage_bin": 3, "bin_overflow": 1}
LOOKS = 400


class _Street:
    """The network's output for a busy street, with the jitter of real boxes."""

    def __init__(self, seed: int = 3) -> None:
        self._random = np.random.default_rng(seed)
        classes = [CLASS_INDEX[name] for name, count in BOXES.items() for _ in range(count)]
        count = len(classes)
        x, y = self._random.uniform(0, 560, count), self._random.uniform(20, 300, count)
        self._rows = np.zeros((300, 6), np.float32)
        boxes = np.stack([x, y, x + 60, y + 60], axis=1)
        self._rows[:count] = np.concatenate([boxes, np.full((count, 1), 0.7),
                                             np.array(classes)[:, None]], axis=1)  # fmt: skip

    def rows(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        rows = self._rows.copy()
        rows[:27, :4] += self._random.normal(0, 1.5, (27, 4))
        return rows


def measure(model: Path, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure each part and the whole, in microseconds of processor time a look."""
    tasks = {
        "rows to detections, µs a look": _detections_us,
        "issue logic, µs a look": lambda: _judge_us(model),
        "Python and issue logic, µs a look": lambda: _whole_us(model),
    }
    body = result("overhead", "what a look costs beside pixels and inference", model)
    return with_rounds(body, interleaved(tasks, rounds, say), {})


def _detections_us() -> float:
    street, (window,) = _Street(), windows_of((1920, 1080), (640, 384), (1, 1))
    rows = [street.rows() for _ in range(LOOKS)]
    began_s = thread_time()
    for one in rows:
        to_detections(one, window)
    return 1e6 * (thread_time() - began_s) / LOOKS


def _parts(model: Path) -> tuple[CameraConfig, CameraJudge, list[Detections], ArrayPicture]:
    config = CameraConfig.model_validate({"camera": {"id": "bench"}})
    judge = CameraJudge(config, load_card(model), Surroundings())
    street, (window,) = _Street(), windows_of((1920, 1080), (640, 384), (1, 1))
    found = [to_detections(street.rows(), window) for _ in range(LOOKS)]
    return config, judge, found, ArrayPicture(np.zeros((8, 8, 3), np.uint8))


def _judge_us(model: Path) -> float:
    config, judge, found, picture = _parts(model)
    judged, start = plans_of(config)[0].judged, SystemClock().now()
    looks = [
        Look(Frame("bench", start.plus(0.2 * index), picture), judged, one)
        for index, one in enumerate(found)
    ]
    began_s = thread_time()
    for look in looks:
        judge.judge(look)
    return 1e6 * (thread_time() - began_s) / LOOKS


def _whole_us(model: Path) -> float:
    """Frames come, are due, wait, are taken, seen for nothing, judged: processor time of all."""
    config, judge, found, picture = _parts(model)
    street, (window,) = _Street(), windows_of((1920, 1080), (640, 384), (1, 1))
    rows = street.rows()
    done, stop = threading.Semaphore(0), threading.Event()

    def on_look(look: Look) -> None:
        judge.judge(look)
        done.release()

    def detect(jobs: Any) -> list[Detections]:
        return [to_detections(rows, window) for _ in jobs]

    clock = SystemClock()
    engine = Engine(detect, on_look, clock)
    watching = Watching("bench", plans_of(config)[:1], EngineHooks(engine.offer), _ignore, clock)
    worker = threading.Thread(target=engine.run, args=(stop,), daemon=True)
    worker.start()
    began_s = process_time()
    for index in range(LOOKS):
        watching.on_frame(Frame("bench", clock.now().plus(0.2 * index), picture))
        done.acquire()
    took_s = process_time() - began_s
    stop.set()
    engine.wake()
    worker.join(timeout=5)
    return 1e6 * took_s / len(found)


def _ignore(_watching: Watching) -> None:
    pass
