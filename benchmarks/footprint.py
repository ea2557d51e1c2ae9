"""Start-up and memory of the agent as a process: ready when the first look is judged."""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from threading import Event
from time import monotonic
from typing import Any

from benchmarks.footage import CACHE, Footage
from benchmarks.result import result, with_rounds
from benchmarks.rounds import OtherLoad, Rounds
from benchmarks.site import Site, resident_mb

FURTHER = 4
SETTLE_S = 20.0
EVERY_S = 0.5


def measure(
    model: Path, clip: Path | None, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Start the agent with one camera and with five; the runtime was chosen before."""
    path = Footage(1080).made(clip)
    values: dict[str, list[float]] = {
        "start to first look, s": [],
        "resident with one camera, MB": [],
        "resident for each further 1080p camera, MB": [],
    }
    measured = Rounds(values)
    for index in range(rounds):
        others = OtherLoad()
        start_s, one_mb = _started(model, path, 1)
        _, more_mb = _started(model, path, 1 + FURTHER)
        for name, value in zip(
            values, (start_s, one_mb, (more_mb - one_mb) / FURTHER), strict=True
        ):
            values[name].append(value)
            say(f"round {index + 1} of {rounds}: {name}: {value:.1f}")
        measured.other_load.append(others.share())
    body = result("footprint", "start-up with a cached model, and resident memory", model)
    return with_rounds(body, measured, {})


def _started(model: Path, clip: Path, cameras: int) -> tuple[float, float]:
    """Run the agent for a while; returns seconds to the first look, and megabytes."""
    with Site(CACHE / "footprint", model) as site:
        site.start_broker()
        camera = {
            "streams": {"detect": {"url": str(clip), "loop": True}},
            "looks": {"default": {"every_s": EVERY_S}},
        }
        config = site.write_agent({f"cam-{number}": camera for number in range(cameras)})
        began_s = monotonic()
        pid = site.start(
            "agent", [sys.executable, "-m", "edge_agent", "run", "--config", str(config)]
        )
        site.wait_for(lambda: site.metrics().get(("gridwatch_looks_total", ""), 0) > 0, "a look")
        took_s = monotonic() - began_s
        samples = []
        while monotonic() - began_s < took_s + SETTLE_S:
            Event().wait(1)
            samples.append(resident_mb(pid))
        return took_s, median(samples[-5:])
