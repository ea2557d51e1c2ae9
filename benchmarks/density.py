"""How many cameras does this box carry? For each kind of camera, the most that keep their interval.

Every row also says what decoding alone and inference alone, measured in the same run, would allow
together, and how long a look takes at three quarters of the row, in the median of three windows.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import floor
from pathlib import Path
from typing import Any

from benchmarks.decode import frames_per_s
from benchmarks.detector import network_task
from benchmarks.fleet import FPS, Fleet, Row, Window, largest
from benchmarks.footage import Footage, describe
from benchmarks.result import label, result
from benchmarks.rounds import OtherLoad, load_summary
from edge_agent.detector import Detector
from edge_agent.runtimes import Choice

KEY = "keyframes"
# Those with a floor come first; the others fill the table.
ROWS = (
    Row(1080, 25), Row(1080, 5), Row(1080, 2), Row(360, 5), Row(360, 1), Row(1080, 0.5, KEY),
    Row(1080, 1), Row(1080, 0.5), Row(360, 25), Row(360, 2), Row(360, 0.5), Row(360, 0.5, KEY),
)  # fmt: skip
WITH_FLOOR = ROWS[:6]
# Work beside decoding and inference (scaling, judging, threads) leaves about so much.
FIRST_GUESS = 0.9
PART = 0.75
# One slow moment of the machine fills the last twentieth of a short window.
PART_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and for how long."""

    model: Path
    clip: Path | None
    choice: Choice
    rows: tuple[Row, ...]
    seconds: float


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every row; returns cameras, share of what is allowed, and latency at part load."""
    detector = Detector(plan.model, choice=plan.choice)
    detector.warm_up(1920, 1080)
    body = result("density", "how many cameras keep their interval, p95 at most 500 ms", plan.model)
    body |= {"choice": label(plan.choice), "rows": [], "seconds": plan.seconds}
    others: list[float | None] = []
    for row in plan.rows:
        load = OtherLoad()
        clip = Footage(row.height).made(plan.clip)
        one = _row(row, clip, detector, plan, say)
        others.append(load.share())
        body["rows"].append(one | {"clip": describe(clip), "other_load": others[-1]})
        name = row.name
        body["figures"][name] = {"median": one["cameras"]}
        body["figures"][f"{name}: ms at 75 %"] = {"median": one["at_part"]["p95_ms"]}
        body["ratios"][f"{name} / allowed"] = {"median": one["share_of_allowed"]}
    body["other_load"] = load_summary(others)
    return body


def _row(
    row: Row, clip: Path, detector: Detector, plan: Plan, say: Callable[[str], None]
) -> dict[str, Any]:
    allowed, alone = _allowed(row, clip, detector, plan)
    search = _Search(row, clip, detector, plan.seconds, say)
    reached = _carried(search, allowed)
    part = _middle(
        [
            Fleet(row, clip, detector, part_of(reached)).run(plan.seconds)
            for _ in range(PART_WINDOWS)
        ]
    )
    say(f"{row.name}: {reached} cameras of {allowed:.1f} allowed; at 75 %: {_told(part)}")
    return {
        "row": row.name,
        "cameras": reached,
        "allowed": round(allowed, 2),
        "share_of_allowed": round(reached / allowed, 3),
        "alone_per_s": alone,
        "at_part": asdict(part),
        "windows": [asdict(window) for window in search.windows],
    }


def _middle(windows: list[Window]) -> Window:
    """The window whose slowest looks are neither the best nor the worst."""
    return sorted(windows, key=lambda window: window.p95_ms)[len(windows) // 2]


@dataclass(frozen=True, slots=True)
class _Search:
    """Fleets of one row, tried one after the other."""

    row: Row
    clip: Path
    detector: Detector
    seconds: float
    say: Callable[[str], None]
    windows: list[Window] = field(default_factory=list)

    def holds(self, cameras: int) -> bool:
        """Whether so many cameras keep their interval."""
        seconds = max(self.seconds, 4 * self.row.every_s)
        window = Fleet(self.row, self.clip, self.detector, cameras).run(seconds)
        self.windows.append(window)
        self.say(f"{self.row.name}: {_told(window)}")
        return window.holds


def _carried(search: _Search, allowed: float) -> int:
    return largest(search.holds, max(1, floor(FIRST_GUESS * allowed)))[0]


def carried_now(row: Row, clip: Path, plan: Plan, say: Callable[[str], None]) -> int:
    """How many cameras of a row this machine carries at the moment."""
    detector = Detector(plan.model, choice=plan.choice)
    detector.warm_up(1920, 1080)
    allowed, _ = _allowed(row, clip, detector, plan)
    return _carried(_Search(row, clip, detector, plan.seconds, say), allowed)


def part_of(cameras: int) -> int:
    """Three quarters of so many, never more."""
    return max(1, floor(PART * cameras))


def _allowed(
    row: Row, clip: Path, detector: Detector, plan: Plan
) -> tuple[float, dict[str, float]]:
    """Cameras that decoding and inference alone would allow together on all cores."""
    file = detector.card.file_for(16 * row.height // 9, row.height)
    infer = network_task(plan.model, file, plan.choice, 2.0)
    infer()
    rates = [(frames_per_s(clip, 2.0, keyframes=row.decode == KEY), infer()) for _ in range(2)]
    decode_per_s, infer_per_s = (max(one) for one in zip(*rates, strict=True))
    allowed = 1 / (FPS / decode_per_s + row.per_s / infer_per_s)
    return allowed, {"decode": round(decode_per_s, 1), "inference": round(infer_per_s, 1)}


def _told(window: Window) -> str:
    verdict = "kept" if window.holds else "not kept"
    return (
        f"{window.cameras} cameras: {verdict}: {100 * window.kept_share:.0f} % of looks, "
        f"p95 {window.p95_ms:.0f} ms, {100 * window.decoded_share:.0f} % of frames"
    )


def answer(body: dict[str, Any]) -> str:
    """Say in two languages how many cameras this box carries."""
    lines = ["这台机器能带多少路摄像机 How many cameras this box carries:"]
    lines += [
        f"  {one['row']:<42} {one['cameras']:>4}   "
        f"({100 * one['share_of_allowed']:.0f} % of decode + inference alone; "
        f"p95 at 75 %: {one['at_part']['p95_ms']:.0f} ms)"
        for one in body["rows"]
    ]
    return "\n".join(lines)
