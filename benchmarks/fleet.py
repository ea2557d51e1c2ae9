"""Many paced cameras on one engine, inside this process: what each really got is counted.

The parts are the agent's own (camera, engine, judge); store, network, packet ring and the watch
over pictures are left out. Cameras play files at their own pace, begin at different moments, and
are looked at in equal intervals; a frame that is read late is as old as it is late.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rounds import percentile
from contract.messages import CameraState
from edge_agent.camera import Camera, CameraSinks, Source
from edge_agent.clock import Instant, SystemClock
from edge_agent.config import CameraConfig, Stream
from edge_agent.core_turns import CoreTurns
from edge_agent.decoding import DecodePolicy
from edge_agent.detector import Detects
from edge_agent.engine import Engine, lanes_of
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.looks import Look, plans_of, turn_of
from edge_agent.watching import EngineHooks, Watching

FPS = 25
# A camera keeps its interval when so many of its looks were done, in a window of some seconds.
KEPT_SHARE = 0.95
P95_MAX_MS = 500.0
WARM_S = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of camera: its stream, what is decoded of it, and how often it is looked at."""

    height: int
    per_s: float
    decode: str = "all"

    @property
    def every_s(self) -> float:
        """Seconds between looks."""
        return 1 / self.per_s

    @property
    def name(self) -> str:
        """As results name it."""
        frames = "all frames" if self.decode == "all" else "key frames only"
        return f"{self.height}p25 {self.per_s:g} looks/s, {frames}"


@dataclass(frozen=True, slots=True)
class Window:
    """What a fleet got in one window."""

    cameras: int
    seconds: float
    kept_share: float
    worst_kept_share: float
    p95_ms: float
    median_ms: float
    decoded_share: float
    cameras_s: float  # processor time of the cameras' threads: packets and decoding
    decoders_s: float  # of that, inside decoders, where a clock was given
    looks_s: float  # processor time of everything else in this process

    @property
    def holds(self) -> bool:
        """Whether every camera kept its interval, in time."""
        return (
            self.kept_share >= KEPT_SHARE
            and self.worst_kept_share >= KEPT_SHARE - 0.1
            and self.decoded_share >= KEPT_SHARE
            and self.p95_ms <= P95_MAX_MS
        )


@dataclass(slots=True)
class _Seen:
    """What one camera got since counting began."""

    latencies_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where counting began."""

    at: Instant
    frames: int
    cameras_s: float
    decoders_s: float
    process_s: float


class Fleet:
    """So many cameras of one row; `run` starts them, counts for a while and ends them."""

    def __init__(
        self,
        row: Row,
        clip: Path,
        detector: Detects,
        cameras: int,
        decoders_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`decoders_s` tells the processor time inside all decoders until now."""
        self._row = row
        self._decoders_s = decoders_s
        self._clip = clip
        self._clock = SystemClock()
        self._stop = threading.Event()
        self._turns = CoreTurns()
        lanes = lanes_of(detector.choice, self._turns)
        self._engine = Engine(detector.detect_many, self._judge, self._clock, lanes)
        self._judges: dict[str, CameraJudge] = {}
        self._seen: dict[str, _Seen] = {}
        self._counting = False
        self._lock = threading.Lock()
        self._watching = [self._watched(f"cam-{index}", detector) for index in range(cameras)]

    def run(self, seconds: float) -> Window:
        """Count for so long, once every camera plays."""
        every_s = max(2.0, self._row.every_s)
        engine = threading.Thread(target=self._engine.run, args=(self._stop,), daemon=True)
        count = len(self._watching)
        players = [
            threading.Thread(
                target=self._play, args=(watching, every_s * index / count), daemon=True
            )
            for index, watching in enumerate(self._watching)
        ]
        for thread in (engine, *players):
            thread.start()
        self._stop.wait(every_s + WARM_S)
        before = self._mark(players, counting=True)
        self._stop.wait(seconds)
        window = self._window(before, players)
        self._stop.set()
        self._engine.wake()
        for thread in (engine, *players):
            thread.join(timeout=10)
        return window

    def _watched(self, camera_id: str, detector: Detects) -> Watching:
        looks = {"every_s": self._row.every_s, "decode": self._row.decode, "tiles": (1, 1)}
        every = dict.fromkeys(
            ("default", "bin_overflow", "exposed_garbage", "manhole_damaged", "manhole_missing"),
            looks,
        )
        config = CameraConfig.model_validate({"camera": {"id": camera_id}, "looks": every})
        self._judges[camera_id] = CameraJudge(config, detector.card, Surroundings())
        self._seen[camera_id] = _Seen()
        hooks = EngineHooks(self._engine.offer, turn=turn_of(len(self._judges)))
        return Watching(camera_id, plans_of(config), hooks, lambda _: None, self._clock)

    def _play(self, watching: Watching, delay_s: float) -> None:
        if self._stop.wait(delay_s):
            return
        policy = DecodePolicy(self._row.decode, self._row.every_s)
        sinks = CameraSinks(watching.on_frame, _ignore, wait_s=watching.wait_s, turns=self._turns)
        source = Source(watching.camera_id, Stream(url=str(self._clip), loop=True))
        Camera(source, policy, sinks, self._clock, counts=watching.counts).run(self._stop)

    def _judge(self, look: Look) -> None:
        """Judge as the agent does, one look at a time, and take the time since its frame came."""
        with self._lock:
            self._judges[look.frame.camera_id].judge(look)
            if self._counting:
                latency_s = self._clock.now().seconds_since(look.at)
                self._seen[look.frame.camera_id].latencies_s.append(latency_s)

    def _mark(self, players: list[threading.Thread], *, counting: bool) -> _Mark:
        with self._lock:
            self._counting = counting
        return _Mark(
            self._clock.now(),
            sum(one.counts.frames for one in self._watching),
            _processor_s(players),
            self._decoders_s(),
            time.process_time(),
        )

    def _window(self, before: _Mark, players: list[threading.Thread]) -> Window:
        after = self._mark(players, counting=False)
        seconds = after.at.seconds_since(before.at)
        cameras_s = after.cameras_s - before.cameras_s
        process_s = after.process_s - before.process_s
        expected_looks = seconds * self._row.per_s
        counts = [len(one.latencies_s) for one in self._seen.values()]
        latencies_ms = [1000 * s for one in self._seen.values() for s in one.latencies_s]
        rate = FPS if self._row.decode == "all" else 0.5
        expected = seconds * rate * len(self._watching)
        return Window(
            cameras=len(self._watching),
            seconds=round(seconds, 3),
            kept_share=round(sum(counts) / len(counts) / expected_looks, 3),
            # One look of each may have fallen just outside the window.
            worst_kept_share=round(min(1.0, (min(counts) + 1) / expected_looks), 3),
            p95_ms=round(percentile(latencies_ms, 0.95), 1),
            median_ms=round(percentile(latencies_ms, 0.5), 1),
            decoded_share=round((after.frames - before.frames) / expected, 3),
            cameras_s=round(cameras_s, 3),
            decoders_s=round(after.decoders_s - before.decoders_s, 3),
            looks_s=round(process_s - cameras_s, 3),
        )


def _processor_s(threads: list[threading.Thread]) -> float:
    """What these threads have used of the processor until now."""
    clocks = [time.pthread_getcpuclockid(one.ident) for one in threads if one.ident is not None]
    return sum(map(time.clock_gettime, clocks))


def _ignore(_state: CameraState, _detail: str) -> None:
    pass


def largest(
    holds: Callable[[int], bool], guess: int, most: int = 1000
) -> tuple[int, dict[int, bool]]:
    """Search the largest number that holds, from a guess on; returns it and what was tried.

    Steps of a twelfth of the guess, and at the end half of one: finer than the measurement is.
    """
    step = max(1, round(guess / 12))
    tried: dict[int, bool] = {}
    number = max(1, guess)
    while number not in tried and 1 <= number <= most:
        tried[number] = holds(number)
        number += step if tried[number] else -step
    found = max((n for n, held in tried.items() if held), default=0)
    if (between := found + step // 2) not in tried and 1 <= between <= most:
        tried[between] = holds(between)
        found = between if tried[between] else found
    return found, tried
