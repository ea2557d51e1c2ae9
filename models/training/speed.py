"""How long one picture takes on this machine."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.training.detector import OnnxDetector

WARM_UP = 5


def measure_speed(folder: Path, rounds: int) -> Iterator[tuple[str, int, float]]:
    """Yield (file, threads, median milliseconds) of every ONNX file, one picture at a time."""
    rng = np.random.default_rng(0)
    for path in sorted(folder.glob("*.onnx")):
        for threads in (1, 2):
            detector = OnnxDetector(path, threads)
            shape = (1, detector.height, detector.width, 3)
            picture = rng.integers(0, 255, shape, dtype=np.uint8)
            times = []
            for _ in range(WARM_UP + rounds):
                begin = time.perf_counter()
                detector.raw(picture)
                times.append(time.perf_counter() - begin)
            yield path.name, threads, 1000 * float(np.median(times[WARM_UP:]))
