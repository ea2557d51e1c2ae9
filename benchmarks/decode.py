"""What decoding costs: frames a second of all cores, one single-thread decoder each."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.footage import Footage, describe
from benchmarks.result import result, with_rounds
from benchmarks.rounds import interleaved
from edge_agent.machine import cores
from edge_agent.video import DEFAULT_TIMEOUTS, Video

MADE = (Footage(1080), Footage(720), Footage(360), Footage(1080, "h265"))


def frames_per_s(path: Path, seconds: float, *, keyframes: bool = False) -> float:
    """Decode on every core for so long; returns frames a second of all cores.

    `keyframes`: only those are decoded, and a second counts what they stand for (all frames).
    """
    lanes = cores()
    began_s = perf_counter()
    with ThreadPoolExecutor(lanes) as pool:
        done = list(
            pool.map(lambda _: _decode(path, began_s + seconds, keyframes=keyframes), range(lanes))
        )
    return sum(done) / (perf_counter() - began_s)


def _decode(path: Path, until_s: float, *, keyframes: bool) -> int:
    count = 0
    while perf_counter() < until_s:
        with Video(str(path), str(path), "tcp", DEFAULT_TIMEOUTS) as video:
            for packet in video.packets():
                if keyframes:
                    count += bool(packet.size)
                    if packet.is_keyframe and packet.size:
                        video.decode(packet, alone=True)
                else:
                    count += len(video.decode(packet))
                if perf_counter() > until_s:
                    break
    return count


def measure(
    clip: Path | None, rounds: int, seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure every size and codec, all frames and key frames only."""
    made = {f"{one.codec} {one.height}p": one.made(clip) for one in MADE}
    tasks: dict[str, Callable[[], float]] = {}
    for name, path in made.items():
        tasks[f"{name} all frames"] = lambda p=path: frames_per_s(p, seconds)  # type: ignore[misc]
        tasks[f"{name} key frames only"] = lambda p=path: frames_per_s(p, seconds, keyframes=True)  # type: ignore[misc]
    body = result("decode", "frames a second that all cores decode, one thread each")
    body["clips"] = {name: describe(path) for name, path in made.items()}
    ratios = {
        f"{name}: key frames only / all frames": (
            f"{name} key frames only", f"{name} all frames"
        )
        for name in made
    }  # fmt: skip
    return with_rounds(body, interleaved(tasks, rounds, say), ratios)
