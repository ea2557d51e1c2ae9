"""Where the cores go in a full fleet: why it carries less than decoding and inference alone allow.

As many cameras as the machine carries now play twice a round, once looked at and once not, beside
decoding alone and the network alone on all cores. Figures are processor time, so that waiting
counts nowhere; what no thread used is idle. What was kept of looks and frames is told with them.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.decode import frames_per_s
from benchmarks.density import Plan, carried_now
from benchmarks.detector import network_task
from benchmarks.fleet import FPS, Fleet, Row
from benchmarks.footage import Footage
from benchmarks.result import label, result
from benchmarks.rounds import OtherLoad, load_summary, spread
from edge_agent.detections import Detections
from edge_agent.detector import WHOLE, Detector, Detects, Job
from edge_agent.frames import Picture
from edge_agent.machine import cores
from edge_agent.video import Packet, Video, VideoPicture

ROWS = (Row(360, 1), Row(1080, 2))
_ALONE_S = 2.0


class Blind:
    """A detector that looks at nothing and takes no time."""

    def __init__(self, seeing: Detector) -> None:
        self.card, self.choice = seeing.card, seeing.choice

    def detect(self, picture: Picture, tiles: tuple[int, int] = WHOLE) -> Detections:
        """Return nothing."""
        return self.detect_many([(picture, tiles)])[0]

    def detect_many(self, jobs: Sequence[Job]) -> list[Detections]:
        """Return nothing for each."""
        return [Detections.empty() for _ in jobs]


@dataclass(slots=True)
class _Decoders:
    """Processor seconds inside all decoders of this process, and the frames that came out."""

    spent_s: float = 0.0
    frames: int = 0


@contextmanager
def clocked() -> Iterator[_Decoders]:
    """Count what decoding takes, in whatever thread."""
    counted, lock, decode = _Decoders(), threading.Lock(), Video.decode

    def timed(video: Video, packet: Packet, *, alone: bool = False) -> list[VideoPicture]:
        began_s = time.thread_time()
        frames = decode(video, packet, alone=alone)
        spent_s = time.thread_time() - began_s
        with lock:
            counted.spent_s += spent_s
            counted.frames += len(frames)
        return frames

    with patch.object(Video, "decode", timed):
        yield counted


def measure(plan: Plan, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every row of the plan; returns milliseconds a frame and a look, and what is idle."""
    detector = Detector(plan.model, choice=plan.choice)
    detector.warm_up(1920, 1080)
    body = result("shortfall", "where the cores go in a full fleet", plan.model)
    body["choice"] = label(plan.choice)
    others: list[float | None] = []
    for row in plan.rows:
        video = Footage(row.height).made(plan.clip)
        cameras = carried_now(row, video, plan, say)
        say(f"{row.name}: {cameras} cameras")
        body["figures"][f"{row.name}: cameras"] = {"median": cameras}
        rounds_of: dict[str, list[float]] = {}
        for _ in range(rounds):
            load = OtherLoad()
            for name, value in _round(row, cameras, video, detector, plan).items():
                rounds_of.setdefault(name, []).append(value)
                say(f"{row.name}: {name}: {value:.3f}")
            others.append(load.share())
        for name, values in rounds_of.items():
            body["figures"][f"{row.name}: {name}"] = spread(values)
    body["other_load"] = load_summary(others)
    return body


def _round(row: Row, cameras: int, video: Path, detector: Detector, plan: Plan) -> dict[str, float]:
    file = detector.card.file_for(16 * row.height // 9, row.height)
    infer = network_task(plan.model, file, plan.choice, _ALONE_S)
    infer()
    unseen = parts(row, cameras, video, Blind(detector), plan.seconds)
    seen = parts(row, cameras, video, detector, plan.seconds)
    return {
        **_alone(video),
        "network alone, ms a look": _processor_ms(infer),
        "nothing looked at: in the decoder, ms a frame": unseen.decoder_ms,
        "nothing looked at: around it, ms a frame": unseen.around_ms,
        "in the decoder, ms a frame": seen.decoder_ms,
        "around it, ms a frame": seen.around_ms,
        "look, ms a look": seen.look_ms,
        "idle, % of the cores": seen.idle,
        "looks kept, %": 100 * seen.kept_share,
        "frames decoded, %": 100 * seen.decoded_share,
    }


def _alone(video: Path) -> dict[str, float]:
    """Decoding and nothing else, on all cores."""
    with clocked() as decoders:
        began_s = time.process_time()
        frames_per_s(video, _ALONE_S)
        spent_s = time.process_time() - began_s
    inside_ms = 1000 * decoders.spent_s / decoders.frames
    return {
        "decoding alone: in the decoder, ms a frame": inside_ms,
        "decoding alone: around it, ms a frame": 1000 * spent_s / decoders.frames - inside_ms,
    }


def _processor_ms(per_s: Callable[[], float]) -> float:
    """Processor milliseconds of one, of what says how many it did a second."""
    began, began_s = time.process_time(), time.perf_counter()
    done = per_s() * (time.perf_counter() - began_s)
    return 1000 * (time.process_time() - began) / done


@dataclass(frozen=True, slots=True)
class Parts:
    """Processor time of one fleet: a frame's, a look's, the share left over, and what was kept."""

    decoder_ms: float
    around_ms: float
    look_ms: float
    idle: float
    kept_share: float
    decoded_share: float


def parts(row: Row, cameras: int, video: Path, detector: Detects, seconds: float) -> Parts:
    """Run a fleet for so long and say what its frames and looks took."""
    with clocked() as decoders:
        window = Fleet(row, video, detector, cameras, lambda: decoders.spent_s).run(seconds)
    frames = window.decoded_share * FPS * window.seconds * cameras
    looks = window.kept_share * row.per_s * window.seconds * cameras
    used_s = window.cameras_s + window.looks_s
    return Parts(
        decoder_ms=1000 * window.decoders_s / frames,
        around_ms=1000 * (window.cameras_s - window.decoders_s) / frames,
        look_ms=1000 * window.looks_s / looks,
        idle=100 * (1 - used_s / (window.seconds * cores())),
        kept_share=window.kept_share,
        decoded_share=window.decoded_share,
    )
