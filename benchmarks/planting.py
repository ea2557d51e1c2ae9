"""An agent whose detector now and then sees a stall that is not there: `latency` times its report.

Every look is made in full, so that the load is a street's; only what is found is changed.
"""

import random
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from edge_agent.app import App, detector_of
from edge_agent.config import load_agent, load_cameras
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.detector import WHOLE, Detects, Job
from edge_agent.frames import Picture
from edge_agent.memory import keep_small
from edge_agent.model import ModelCard
from edge_agent.runtimes import Choice

# One look in so many finds a stall, each at another place: about one every two seconds.
ACROSS, DOWN = 8, 6


class Planting:
    """Finds nothing but what is planted, once in `every` looks, after inference in full."""

    def __init__(self, detector: Detects, every: int) -> None:
        self._detector = detector
        self._every = every
        self._numbers = count()
        self._random = random.Random(7)  # noqa: S311

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._detector.card

    @property
    def choice(self) -> Choice:
        """How the network is run."""
        return self._detector.choice

    def detect(self, picture: Picture, tiles: tuple[int, int] = WHOLE) -> Detections:
        """Detect what is there: this is what masks are made of."""
        return self._detector.detect(picture, tiles)

    def detect_many(self, jobs: Sequence[Job]) -> list[Detections]:
        """Detect, and return something else."""
        self._detector.detect_many(jobs)
        return [self._planted() for _ in jobs]

    def _planted(self) -> Detections:
        if self._random.random() > 1 / self._every:
            return Detections.empty()
        number = next(self._numbers)
        column, row = number % ACROSS, number // ACROSS % DOWN
        x, y = 0.05 + 0.11 * column, 0.1 + 0.13 * row
        return Detections(
            np.array([[x, y, x + 0.07, y + 0.09]], np.float32),
            np.array([0.9], np.float32),
            np.array([CLASS_INDEX["street_vendor"]]),
        )


def main(path: str, looks_per_event: str) -> None:
    """Run the agent of a configuration file until it is killed."""
    keep_small()
    agent = load_agent(Path(path))
    detector = Planting(detector_of(agent), int(looks_per_event))
    App(agent, load_cameras(agent.cameras), detector).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
