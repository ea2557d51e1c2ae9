"""Hours of RTSP with cameras that go away and come back: memory flat, all back, no thread left."""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event
from time import monotonic
from typing import Any

from benchmarks.footage import CACHE, Footage
from benchmarks.ports import free_port
from benchmarks.result import result
from benchmarks.rounds import OtherLoad, load_summary
from benchmarks.site import Site, SiteError, resident_mb, threads_of

CAMERAS = 16
LEAVING = 5
EVERY_S = 0.5
SAMPLE_S = 5.0
BACK_WITHIN_S = 60.0


@dataclass(slots=True)
class Watched:
    """What was seen of the agent: samples by second, and how long each return took."""

    at_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    returns_s: list[float] = field(default_factory=list)


def measure(
    model: Path, clip: Path | None, seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run for so long; returns growth, the worst return, and threads left behind."""
    path, others = Footage(360).made(clip), OtherLoad()
    with Site(CACHE / "soak", model) as site:
        ports = {f"cam-{number}": free_port() for number in range(LEAVING)}
        steady_port = free_port()
        steady = [f"cam-{number}" for number in range(LEAVING, CAMERAS)]
        site.start_broker()
        site.start_centre()
        site.start_rtsp("steady", steady_port, dict.fromkeys(steady, path))
        for name, port in ports.items():
            site.start_rtsp(name, port, {name: path})
        pid = _agent(site, ports | dict.fromkeys(steady, steady_port))
        watched = _watch(site, pid, ports, path, seconds, say)
        looks = site.metrics().get(("gridwatch_looks_total", ""), 0)
        dropped = site.metrics().get(("gridwatch_looks_dropped_total", ""), 0)
    question = f"{seconds:.0f} s, {CAMERAS} cameras over RTSP, {LEAVING} leave and return"
    body = result("soak", question, model)
    body["figures"] = _figures(watched) | {
        "looks": {"median": looks},
        "dropped": {"median": dropped},
    }
    body["samples"] = {"at_s": watched.at_s, "memory_mb": watched.memory_mb,
                       "threads": watched.threads, "returns_s": watched.returns_s}  # fmt: skip
    body["other_load"] = load_summary([others.share()])
    return body


def _figures(watched: Watched) -> dict[str, dict[str, Any]]:
    """Compare the last fifth of the time with the second: the first one warms up."""
    fifth = max(1, len(watched.memory_mb) // 5)
    early, late = watched.memory_mb[fifth : 2 * fifth], watched.memory_mb[-fifth:]
    growth = 100 * (median(late) / median(early) - 1)
    threads_early = median(watched.threads[fifth : 2 * fifth])
    return {
        "memory growth, %": {"median": round(growth, 2)},
        "memory, MB": {"median": round(median(late), 1)},
        "returns": {"median": len(watched.returns_s)},
        "worst return, s": {"median": round(max(watched.returns_s, default=0.0), 2)},
        "median return, s": {"median": round(median(watched.returns_s or [0.0]), 2)},
        "threads left behind": {"median": max(0.0, watched.threads[-1] - threads_early)},
    }


def _agent(site: Site, ports: dict[str, int]) -> int:
    cameras = {
        name: {
            "streams": {"detect": {"url": f"rtsp://127.0.0.1:{port}/{name}"}},
            "looks": {"default": {"every_s": EVERY_S}},
        }
        for name, port in ports.items()
    }
    config = site.write_agent(cameras)
    pid = site.start("agent", [sys.executable, "-m", "edge_agent", "run", "--config", str(config)])
    for name in cameras:
        site.wait_for(lambda name=name: _frames(site, name) > 0, f"the first frame of {name}")
    return pid


def _watch(
    site: Site, pid: int, ports: dict[str, int], path: Path, seconds: float,
    say: Callable[[str], None],
) -> Watched:  # fmt: skip
    """Sample the agent; now and then a camera leaves for some seconds and returns."""
    choices, watched, began_s = random.Random(11), Watched(), monotonic()  # noqa: S311
    next_leave_s = began_s + 10
    while monotonic() - began_s < seconds:
        Event().wait(SAMPLE_S)
        watched.at_s.append(round(monotonic() - began_s, 1))
        watched.memory_mb.append(resident_mb(pid))
        watched.threads.append(threads_of(pid))
        if monotonic() > next_leave_s and monotonic() - began_s < seconds - 30:
            name = choices.choice(sorted(ports))
            watched.returns_s.append(_leave(site, name, ports, path, choices))
            say(f"{watched.at_s[-1]:.0f} s: {name} back after {watched.returns_s[-1]:.1f} s; "
                f"{watched.memory_mb[-1]:.0f} MB, {watched.threads[-1]} threads")  # fmt: skip
            next_leave_s = monotonic() + choices.uniform(2, 20)
    return watched


def _leave(
    site: Site, name: str, ports: dict[str, int], path: Path, choices: random.Random
) -> float:
    """Let a camera go away for some seconds; returns how long after its return frames came."""
    site.kill(name)
    Event().wait(choices.uniform(1, 12))
    before = _frames(site, name)
    site.start_rtsp(name, ports[name], {name: path})
    while True:
        try:
            return site.wait_for(lambda: _frames(site, name) > before, name, BACK_WITHIN_S)
        except SiteError:
            if name not in _revived(site, ports, path):
                raise


def _revived(site: Site, ports: dict[str, int], path: Path) -> list[str]:
    """Start again what ended by itself: GStreamer's server aborts now and then when a client goes.

    Such a camera was away once more; its return counts from here.
    """
    dead = [name for name in ports if site.has_ended(name)]
    for name in dead:
        site.kill(name)
        site.start_rtsp(name, ports[name], {name: path})
    return dead


def _frames(site: Site, name: str) -> float:
    return site.metrics().get(("gridwatch_camera_frames_total", name), 0.0)
