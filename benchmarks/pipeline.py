"""Whole video: how many frames a second a box decodes, looks at and judges, each frame of a file.

Beside it, in the same interleaved rounds, what decoding alone and inference alone reach, and so
the most that both together allow on these cores.
"""

import statistics
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import av
import numpy as np

from benchmarks.machine import this_machine
from edge_agent.clock import ReplayClock
from edge_agent.config import CameraConfig
from edge_agent.detections import Detections
from edge_agent.detector import Detector
from edge_agent.frames import ArrayPicture, Frame, Picture, Rgb
from edge_agent.issues import CameraIssues, step
from edge_agent.looks import Look, plans_of
from edge_agent.policy import Policy
from edge_agent.video import read_clip

CAMERA = CameraConfig.model_validate({"camera": {"id": "bench"}})
START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rates:
    """Frames a second of one round."""

    whole: float
    decode: float
    infer: float

    @property
    def allowed(self) -> float:
        """What decoding and inference, one core each frame, allow together (harmonic sum)."""
        return 1 / (1 / self.decode + 1 / self.infer)


def measure(clip: Path, model: Path, *, workers: int, rounds: int, frames: int) -> dict[str, Any]:
    """Measure a clip; returns medians with their spread, the machine and the model."""
    detectors = Detectors(model)
    rates = [one_round(clip, detectors, workers, frames) for _ in range(rounds)]
    card = detectors.mine().card
    return {
        "question": "whole-video rate, every frame looked at once at full frame",
        "machine": this_machine().as_json(),
        "model": card.name,
        "model_sha256": {file.path: file.sha256 for file in card.files},
        "clip": describe(clip),
        "workers": workers,
        "frames": frames,
        "rounds": [asdict(rate) | {"allowed": rate.allowed} for rate in rates],
        "median": {
            name: round(statistics.median(getattr(rate, name) for rate in rates), 1)
            for name in ("whole", "decode", "infer", "allowed")
        },
        "share_of_allowed": round(statistics.median(r.whole / r.allowed for r in rates), 3),
    }


class Detectors:
    """One detector a thread, each on one core."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._own = threading.local()

    def mine(self) -> Detector:
        """Return this thread's detector."""
        if not hasattr(self._own, "detector"):
            self._own.detector = Detector(self._model, threads=1)
        detector: Detector = self._own.detector
        return detector

    def detect(self, picture: Picture) -> Detections:
        """Detect on this thread's detector."""
        return self.mine().detect(picture)


def one_round(clip: Path, detectors: Detectors, workers: int, frames: int) -> Rates:
    """Measure decoding, inference and the whole once, one after the other."""
    decode = rate(frames, lambda: deque(_first(clip, frames), maxlen=0))
    _, picture = next(iter(read_clip(clip)))
    still = ArrayPicture(np.ascontiguousarray(picture.rgb(picture.width, picture.height)))
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(detectors.detect, [still] * workers * 2))
        small = ArrayPicture(still.rgb(640, 360))
        infer = rate(frames, lambda: deque(pool.map(detectors.detect, [small] * frames), maxlen=0))
        whole = rate(frames, lambda: judge_all(_first(clip, frames), pool, detectors))
    return Rates(whole=whole, decode=decode * workers, infer=infer)


def judge_all(
    pictures: Iterator[tuple[float, Picture]], pool: ThreadPoolExecutor, detectors: Detectors
) -> CameraIssues:
    """Decode here, detect in the pool, judge in order; nothing is dropped, little waits."""
    thresholds = {n: (t.raise_, t.keep) for n, t in detectors.mine().card.thresholds.items()}
    policy, plan = Policy.of(CAMERA, thresholds), plans_of(CAMERA)[0]
    clock, state = ReplayClock(START), CameraIssues("bench")
    running: deque[tuple[float, Picture, Future[Detections]]] = deque()

    def settle(state: CameraIssues) -> CameraIssues:
        clip_s, picture, future = running.popleft()
        frame = Frame("bench", clock.at(clip_s), picture, clip_s)
        return step(state, Look(frame, plan.judged, future.result()), policy)[0]

    for clip_s, picture in pictures:
        running.append((clip_s, picture, pool.submit(detectors.detect, picture)))
        if len(running) > 4:
            state = settle(state)
    while running:
        state = settle(state)
    return state


def rate(frames: int, work: Callable[[], object]) -> float:
    """Run `work` once and return frames a second."""
    began = perf_counter()
    work()
    return frames / (perf_counter() - began)


def describe(clip: Path) -> dict[str, Any]:
    """Return what a clip is."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        return {
            "name": clip.name,
            "codec": stream.codec_context.name,
            "width": stream.width,
            "height": stream.height,
            "fps": float(stream.average_rate or 0),
        }


def make_1080p(source: Path, target: Path, frames: int) -> None:
    """Write so many frames of a clip as 1920x1080 H.264 at 25 frames/s and 4 Mbit/s."""
    pictures = (picture.rgb(1920, 1080) for _, picture in _first(source, frames))
    write_h264(target, pictures, (1920, 1080), 25)


def write_h264(target: Path, pictures: Iterable[Rgb], size: tuple[int, int], fps: int) -> None:
    """Write RGB pictures of one size (width, height) as H.264, a key frame every two seconds."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        stream.options = {"preset": "veryfast", "g": str(2 * fps), "bf": "0"}
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def _first(clip: Path, frames: int) -> Iterator[tuple[float, Picture]]:
    """Yield so many frames of a clip, from its start again where it is shorter."""
    left, offset_s = frames, 0.0
    while left > 0:
        last_s = 0.0
        for clip_s, picture in read_clip(clip):
            yield offset_s + clip_s, picture
            last_s, left = clip_s, left - 1
            if left == 0:
                return
        offset_s += last_s + 0.04
