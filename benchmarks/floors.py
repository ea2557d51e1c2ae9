"""Results held against the floors that stand beside the benchmarks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FLOORS = Path(__file__).parent / "floors.yaml"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One floor and what was reached; `held` is None where it does not apply here."""

    name: str
    bound: str
    reached: float | None
    held: bool | None
    why: str = ""

    def __str__(self) -> str:
        mark = {True: "held  ", False: "FAILED", None: "n/a   "}[self.held]
        reached = "not measured" if self.reached is None else f"{self.reached:g}"
        return f"{mark} {self.name}: {reached} ({self.bound}){self.why and '; ' + self.why}"


def check(body: Mapping[str, Any]) -> list[Verdict]:
    """Hold one result against its floors; a figure that is missing fails its floor."""
    floors = yaml.safe_load(FLOORS.read_text(encoding="utf-8")).get(body["benchmark"], [])
    flags = body["machine"].get("flags", ())
    return [_verdict(floor, body, flags) for floor in floors]


def all_held(verdicts: Iterable[Verdict]) -> bool:
    """Whether no floor that applies was missed."""
    return all(verdict.held is not False for verdict in verdicts)


def _verdict(floor: Mapping[str, Any], body: Mapping[str, Any], flags: Iterable[str]) -> Verdict:
    kind = "ratio" if "ratio" in floor else "figure"
    name = floor[kind]
    entry = body[f"{kind}s"].get(name)
    reached = None if entry is None else float(entry["median"])
    least, most = floor.get("at_least"), floor.get("at_most", 0.0)
    bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
    if missing := [flag for flag in floor.get("needs", ()) if flag not in flags]:
        why = f"for processors with {', '.join(missing)}"
        return Verdict(name, bound, reached, None, why)
    if reached is None:
        return Verdict(name, bound, None, held=False)
    held = reached >= least if least is not None else reached <= float(most)
    return Verdict(name, bound, reached, held)
