"""An agent whose detector now and then sees a stall that is not there: `latency` times its report.

Every look is made in full, so that the load is a street's; only what is found is changed.
"""

import random
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from edge_agent import app as app_module
from edge_agent.config import AgentConfig, load_agent, load_cameras
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.detector import Detector, Job

# One look in so many finds a stall, each at another place: about one every two seconds.
ACROSS, DOWN = 8, 6


class Planting(Detector):
    """Finds nothing but what is planted, once in `every` looks, after inference in full."""

    every = 50
    _numbers = count()
    _random = random.Random(7)  # noqa: S311

    def detect_many(self, jobs: Sequence[Job]) -> list[Detections]:
        """Detect, and return something else."""
        super().detect_many(jobs)
        return [self._planted() for _ in jobs]

    def _planted(self) -> Detections:
        if self._random.random() > 1 / self.every:
            return Detections.empty()
        column, row = next(self._numbers) % ACROSS, next(self._numbers) // ACROSS % DOWN
        x, y = 0.05 + 0.11 * column, 0.1 + 0.13 * row
        return Detections(
            np.array([[x, y, x + 0.07, y + 0.09]], np.float32),
            np.array([0.9], np.float32),
            np.array([CLASS_INDEX["street_vendor"]]),
        )


def main(path: str, looks_per_event: str) -> None:
    """Run the agent of a configuration file until it is killed."""
    build = app_module._detector  # noqa: SLF001 -- the one door through which a detector comes

    def planting(config: AgentConfig) -> Detector:
        Planting.every = int(looks_per_event)
        return Planting(config.model, choice=build(config).choice)

    app_module._detector = planting  # noqa: SLF001
    agent = load_agent(Path(path))
    app_module.App(agent, load_cameras(agent.cameras)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
