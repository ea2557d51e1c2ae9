"""What the fault plans of one run came to, as a file beside the benchmarks' results."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import this_machine


@dataclass(frozen=True, slots=True)
class PlanResult:
    """One plan: how much there was, what was killed, what it cost."""

    seed: int
    database: str
    reports: int
    kills: int
    lost: int
    doubled: int
    seconds: float
    wrong: tuple[str, ...] = ()


class Results:
    """The plans of this run; the file is whole after each of them, the failed ones included."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._plans: list[PlanResult] = []

    def add(self, plan: PlanResult) -> None:
        """Write it down."""
        self._plans.append(plan)
        totals = {
            name: sum(getattr(plan, name) for plan in self._plans)
            for name in ("reports", "kills", "lost", "doubled")
        }
        body = {
            "question": "what is lost or doubled while processes are killed and lines fail",
            "machine": this_machine().as_json(),
            "totals": {"plans": len(self._plans)} | totals,
            "plans": [asdict(plan) for plan in self._plans],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        self._path.write_text(text, encoding="utf-8")
