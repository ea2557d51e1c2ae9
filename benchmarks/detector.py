"""What a look costs without decoding: runtimes × precisions × streams × batch × input size.

A decoded 1080p picture goes in, detections come out; beside it `ultralytics` predict with the same
weights on the same picture, and the network alone, by us and by OpenVINO's own benchmark_app: the
limit.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import benchmark_app
from benchmarks.footage import Footage, describe
from benchmarks.peers import KINDS, SIZE, peers
from benchmarks.result import label, result, with_rounds
from benchmarks.rounds import interleaved
from edge_agent.detector import Detector
from edge_agent.errors import ModelError
from edge_agent.frames import Picture
from edge_agent.machine import cores
from edge_agent.model import ModelFile, verified_path
from edge_agent.probing import candidates
from edge_agent.runtimes import Choice, open_session
from edge_agent.video import read_clip

LEAN = "lean"
NETWORK = "network alone"


def choices() -> list[Choice]:
    """Every way to run the network that this machine has, and batches of four."""
    found = list(candidates("onnxruntime", cores()))
    found.append(Choice(streams=1, threads=cores()))
    try:
        found += candidates("openvino", cores())
    except ModelError:
        return found
    return [*found, replace(found[-1], batch=4)]


def per_s(work: Callable[[], int], lanes: int, seconds: float) -> float:
    """Run `work` (which returns how many looks it did) in so many threads; returns looks/s."""
    done = [0] * lanes
    began_s = perf_counter()

    def lane(number: int) -> None:
        while perf_counter() - began_s < seconds:
            done[number] += work()

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (perf_counter() - began_s)


def network_task(
    model: Path, file: ModelFile, choice: Choice, seconds: float
) -> Callable[[], float]:
    """Prepare the network alone, fed with the same ready input again and again."""
    session = open_session(choice, verified_path(model, file))
    pictures = np.full((choice.batch, file.height, file.width, 3), 114, np.uint8)

    def work() -> int:
        session.infer(pictures)
        return choice.batch

    return lambda: per_s(work, choice.streams, seconds)


def lean_task(detector: Detector, picture: Picture, seconds: float) -> Callable[[], float]:
    """Prepare whole looks at one decoded picture: scaling, inference, detections."""
    detector.warm_up(picture.width, picture.height)
    jobs = [(picture, (1, 1))] * detector.choice.batch

    def work() -> int:
        return len(detector.detect_many(jobs))

    return lambda: per_s(work, detector.choice.streams, seconds)


class OfSize(Detector):
    """A detector that uses the file of one size, whatever the picture's shape."""

    def __init__(self, folder: Path, choice: Choice, file: ModelFile) -> None:
        super().__init__(folder, choice=choice)
        self.card = self.card.model_copy(update={"files": (file,)})


def measure(
    model: Path,
    clip: Path | None,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
    *,
    with_peers: bool = True,
) -> dict[str, Any]:
    """Measure all, interleaved; peers only where the training extra is installed."""
    path = Footage(1080).made(clip)
    _, picture = next(iter(read_clip(path)))
    card = Detector(model).card
    tasks: dict[str, Callable[[], float]] = {}
    for file in card.files:
        size = f"{file.height}x{file.width}"
        for choice in choices():
            batch = "" if choice.batch == 1 else f" batch {choice.batch}"
            name = f"{label(choice)}{batch} {size}"
            tasks[f"{LEAN} {name}"] = lean_task(OfSize(model, choice, file), picture, seconds)
            if choice.batch == 1 and choice.streams == cores():
                tasks[f"{NETWORK} {name}"] = network_task(model, file, choice, seconds)
                if choice.runtime == "openvino" and (app := benchmark_app.program()):
                    tasks[f"{benchmark_app.NAME} {name}"] = partial(
                        benchmark_app.frames_per_s,
                        app, verified_path(model, file), file, choice, seconds,
                    )  # fmt: skip
    body = result(
        "detector", "looks a second without decoding, from a decoded 1080p picture", model
    )
    body["clip"] = describe(path)
    with peers(model, path, wanted=with_peers) as running:
        for peer in running:
            tasks[peer.name] = lambda peer=peer: peer.pictures(seconds)  # type: ignore[misc]
        measured = interleaved(tasks, rounds, say)
    return with_rounds(body, measured, _ratios(list(tasks), measured.values))


def _ratios(names: list[str], values: dict[str, list[float]]) -> dict[str, tuple[str, str]]:
    """Hold the best lean way of each size, and plain ONNX Runtime, against each peer.

    Agents look at single pictures on processors, so batches are measured and not compared.
    """
    found = {}
    for size in ("640x640", "384x640"):
        lean = [n for n in names if n.startswith(LEAN) and n.endswith(size) and " batch " not in n]
        if not lean:
            continue
        best = max(lean, key=lambda name: float(np.median(values[name])))
        plain = next((n for n in lean if n.startswith(f"{LEAN} onnxruntime f32 {cores()}x1")), "")
        for kind in KINDS:
            found[f"lean {size} / ultralytics {kind}"] = (best, f"ultralytics {kind} {SIZE}")
            found[f"plain onnxruntime {size} / ultralytics {kind}"] = (
                plain,
                f"ultralytics {kind} {SIZE}",
            )
        found[f"lean {size} / network alone"] = (best, best.replace(LEAN, NETWORK, 1))
        theirs = best.replace(LEAN, benchmark_app.NAME, 1)
        if theirs in names:
            found[f"lean {size} / {benchmark_app.NAME}"] = (best, theirs)
    return found
