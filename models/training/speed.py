"""How long one picture takes on this machine."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.training.detector import ByteNetwork, OnnxDetector

WARM_UP = 5


def median_ms(network: ByteNetwork, rounds: int) -> float:
    """Return the median milliseconds of one picture."""
    shape = (1, network.height, network.width, 3)
    picture = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    times = []
    for _ in range(WARM_UP + rounds):
        begin = time.perf_counter()
        network.raw(picture)
        times.append(time.perf_counter() - begin)
    return 1000 * float(np.median(times[WARM_UP:]))


def measure_speed(folder: Path, rounds: int) -> Iterator[tuple[str, int, float]]:
    """Yield (file, threads, median milliseconds) of every ONNX file, one picture at a time."""
    for path in sorted(folder.glob("*.onnx")):
        for threads in (1, 2):
            yield path.name, threads, median_ms(OnnxDetector(path, threads), rounds)
