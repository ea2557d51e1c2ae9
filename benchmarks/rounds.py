"""Interleaved rounds: everything that is compared runs in turn, again and again.

A machine that is disturbed for a while then disturbs all of it alike, and ratios, taken within each
round, hold where figures do not. What else the machine did meanwhile is measured and reported.
"""

import os
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

# More of the machine than this used by others, and the figures are not to be trusted.
OTHER_LOAD_MAX = 0.05


class OtherLoad:
    """The share of the machine that others used since it was built; None where that is unknown."""

    def __init__(self) -> None:
        self._before = _busy_s(), _own_s(), perf_counter()

    def share(self) -> float | None:
        """Return it: processor time of everything but this process and its children."""
        busy_s, own_s, began_s = self._before
        now_s = _busy_s()
        if busy_s is None or now_s is None:
            return None
        elapsed_s = max(1e-6, perf_counter() - began_s) * (os.cpu_count() or 1)
        return max(0.0, ((now_s - busy_s) - (_own_s() - own_s)) / elapsed_s)


class BusyShare:
    """The share of the machine that was busy since this was made, by whomever."""

    def __init__(self) -> None:
        self._before = _busy_s(), perf_counter()

    def share(self) -> float:
        """Return it; 0 where the system does not tell."""
        (busy_s, began_s), now_s = self._before, _busy_s()
        if busy_s is None or now_s is None:
            return 0.0
        return (now_s - busy_s) / (max(1e-6, perf_counter() - began_s) * (os.cpu_count() or 1))


@dataclass(slots=True)
class Rounds:
    """What each round measured, by name, and how much of the machine others used in it."""

    values: dict[str, list[float]] = field(default_factory=dict)
    other_load: list[float | None] = field(default_factory=list)

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return median, spread and the single values of each name."""
        return {name: spread(values) for name, values in self.values.items()}

    def ratio(self, upper: str, lower: str) -> dict[str, Any]:
        """Return the ratio of two names, taken within each round."""
        pairs = zip(self.values[upper], self.values[lower], strict=True)
        return spread([a / b for a, b in pairs if b])


def interleaved(
    tasks: Mapping[str, Callable[[], float]],
    rounds: int,
    say: Callable[[str], None] = lambda _: None,
) -> Rounds:
    """Run every task once a round, each round starting with another one."""
    result = Rounds({name: [] for name in tasks})
    names = list(tasks)
    for index in range(rounds):
        shift = index % len(names)
        others = OtherLoad()
        for name in names[shift:] + names[:shift]:
            result.values[name].append(tasks[name]())
            say(f"round {index + 1} of {rounds}: {name}: {result.values[name][-1]:.1f}")
        result.other_load.append(others.share())
    return result


def spread(values: list[float]) -> dict[str, Any]:
    """Median, lowest, highest, and all values, rounded to what a figure means."""
    return {
        "median": _round(statistics.median(values)),
        "low": _round(min(values)),
        "high": _round(max(values)),
        "rounds": [_round(value) for value in values],
    }


def load_summary(shares: list[float | None]) -> dict[str, Any]:
    """Say how much of the machine others used, and whether that spoils the figures."""
    known = [share for share in shares if share is not None]
    worst = max(known, default=None)
    return {
        "median": None if not known else round(statistics.median(known), 3),
        "worst": None if worst is None else round(worst, 3),
        "disturbed": worst is not None and worst > OTHER_LOAD_MAX,
    }


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all stays at or below; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _busy_s() -> float | None:
    """Processor seconds since boot that were not idle, stolen ones included."""
    path = Path("/proc/stat")
    if not path.exists():
        return None
    ticks = [int(field) for field in path.read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """Processor seconds of this process and of all that descend from it, dead ones included."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    me = os.getpid()
    return sum(seconds for pid, seconds in used.items() if _descends(pid, me, parents))


def _descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while pid not in {0, ancestor}:
        pid = parents.get(pid, 0)
    return pid == ancestor
