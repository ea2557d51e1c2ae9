"""What goes wrong, and when: drawn from a seed, or read from the log of an earlier run."""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# How often each kind of fault comes, relative to the others. A kill comes every few seconds.
WEIGHTS = {
    "kill": 20, "cut": 1, "stall": 1, "delay": 1, "loss": 1, "disk-full": 1, "clock-step": 1,
    "hostile": 1, "repeat": 1, "flood": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong `at_s` seconds into the run, and for how long."""

    at_s: float
    kind: str
    target: str
    lasts_s: float
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Targets:
    """What can be hit."""

    processes: tuple[str, ...]
    links: tuple[str, ...]
    disks: tuple[str, ...]
    agents: tuple[str, ...]


def draw(seed: int, seconds: float, every_s: float, targets: Targets) -> list[Fault]:
    """Return the faults of this seed: one every `every_s` seconds on average; the first at once.

    Every second one is a kill at least. Each process is hit in turn before one is hit again, in an order of the seed.
    """
    chance = random.Random(seed)
    faults, at_s, waiting = [], 0.5, []
    while at_s < seconds:
        drawn = chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
        kind = drawn if len(faults) % 2 else "kill"
        if not waiting:
            waiting = chance.sample(targets.processes, len(targets.processes))
        target = waiting.pop() if kind == "kill" else _target(kind, chance, targets)
        lasts_s = chance.uniform(0, 1) if kind == "kill" else chance.uniform(0.5, 4)
        value = {
            "delay": chance.uniform(0.02, 0.3),
            "loss": chance.uniform(0.02, 0.3),
            "clock-step": chance.choice([-86_400.0, -3600.0, -5.0, 5.0, 3600.0, 86_400.0]),
        }.get(kind, float(chance.randrange(2**31)))
        faults.append(Fault(round(at_s, 3), kind, target, round(lasts_s, 3), value))
        at_s += chance.expovariate(1 / every_s)
    return faults


def _target(kind: str, chance: random.Random, targets: Targets) -> str:
    if kind in {"cut", "stall", "delay", "loss"}:
        return chance.choice(targets.links)
    if kind == "disk-full":
        return chance.choice(targets.disks)
    return chance.choice(targets.agents) if kind == "clock-step" else "broker"


def write(path: Path, seed: int, faults: Sequence[Fault]) -> None:
    """Write a log that `read` replays."""
    lines = [{"seed": seed}, *(asdict(fault) for fault in faults)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def read(path: Path) -> list[Fault]:
    """Return the faults that a log holds."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [Fault(**line) for line in lines if "kind" in line]
