"""Whole video: how many frames a second a box decodes, looks at and judges, each frame of a file.

Beside it, in the same interleaved rounds, what decoding alone and inference alone reach, and so the
most that both together allow on these cores; and `ultralytics` predict on the same file.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.decode import frames_per_s
from benchmarks.detector import OfSize, network_task
from benchmarks.footage import Footage, describe
from benchmarks.peers import KINDS, SIZE, peers
from benchmarks.result import label, result, with_rounds
from benchmarks.rounds import Rounds, interleaved, spread
from edge_agent.clock import ReplayClock
from edge_agent.config import CameraConfig
from edge_agent.detections import Detections
from edge_agent.frames import Frame, Picture
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.looks import Look, plans_of
from edge_agent.model import load_card
from edge_agent.runtimes import Choice
from edge_agent.video import read_clip

CAMERA = CameraConfig.model_validate({"camera": {"id": "bench"}})
START = datetime(2000, 1, 1, tzinfo=UTC)
# Frames in flight for each lane: one is looked at, one waits.
IN_FLIGHT = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and for how long."""

    model: Path
    clip: Path | None
    choice: Choice
    rounds: int
    frames: int
    with_peers: bool


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure both input sizes; returns figures, ratios to peers and shares of what is allowed."""
    path = Footage(1080).made(plan.clip)
    seconds = 3.0
    tasks: dict[str, Callable[[], float]] = {"decode": lambda: frames_per_s(path, seconds)}
    detectors = _detectors(plan)
    for size, detector in detectors.items():
        file = detector.card.files[0]
        tasks[f"whole {size}"] = _whole(path, detector, plan)
        tasks[f"inference {size}"] = network_task(plan.model, file, plan.choice, seconds)
    body = result(
        "pipeline", "whole 1080p video: every frame decoded, looked at, judged", plan.model
    )
    body |= {"clip": describe(path), "choice": label(plan.choice), "frames": plan.frames}
    with peers(plan.model, path, wanted=plan.with_peers) as running:
        for peer in running:
            tasks[peer.name] = lambda peer=peer: peer.video(plan.frames // 4)  # type: ignore[misc]
        measured = interleaved(tasks, plan.rounds, say)
    ratios = {
        f"whole {size} / ultralytics {kind}": (f"whole {size}", f"ultralytics {kind} {SIZE}")
        for size in detectors
        for kind in KINDS
    }
    with_rounds(body, measured, ratios)
    for size in detectors:
        body["ratios"][f"whole {size} / allowed"] = _share_of_allowed(measured, size)
    return body


def _share_of_allowed(measured: Rounds, size: str) -> dict[str, Any]:
    """What was reached of 1 / (1/decode + 1/inference), round by round."""
    names = (f"whole {size}", "decode", f"inference {size}")
    triples = zip(*(measured.values[name] for name in names), strict=True)
    return spread([whole * (1 / decode + 1 / infer) for whole, decode, infer in triples])


def _detectors(plan: Plan) -> dict[str, OfSize]:
    files = load_card(plan.model).files
    return {f"{f.height}x{f.width}": OfSize(plan.model, plan.choice, f) for f in files}


def _whole(path: Path, detector: OfSize, plan: Plan) -> Callable[[], float]:
    detector.warm_up(1920, 1080)

    def run() -> float:
        with ThreadPoolExecutor(detector.choice.streams) as pool:
            began_s = perf_counter()
            judge_all(_first(path, plan.frames), pool, detector)
            return plan.frames / (perf_counter() - began_s)

    return run


def judge_all(
    pictures: Iterator[tuple[float, Picture]], pool: ThreadPoolExecutor, detector: OfSize
) -> CameraJudge:
    """Decode here, detect in the pool, judge in order; nothing is dropped, little waits."""
    judge = CameraJudge(CAMERA, detector.card, Surroundings())
    judged, clock = plans_of(CAMERA)[0].judged, ReplayClock(START)
    running: deque[tuple[float, Picture, Future[Detections]]] = deque()

    def settle() -> None:
        clip_s, picture, future = running.popleft()
        frame = Frame("bench", clock.at(clip_s), picture, clip_s)
        judge.judge(Look(frame, judged, future.result()))

    for clip_s, picture in pictures:
        running.append((clip_s, picture, pool.submit(detector.detect, picture)))
        if len(running) > IN_FLIGHT * detector.choice.streams:
            settle()
    while running:
        settle()
    return judge


def _first(path: Path, frames: int) -> Iterator[tuple[float, Picture]]:
    """Yield so many frames, from the clip's start again where it is shorter."""
    yield from islice(_looped(path), frames)


def _looped(path: Path) -> Iterator[tuple[float, Picture]]:
    offset_s = 0.0
    while True:
        last_s = 0.0
        for clip_s, picture in read_clip(path):
            yield offset_s + clip_s, picture
            last_s = clip_s
        offset_s += last_s + 0.04
