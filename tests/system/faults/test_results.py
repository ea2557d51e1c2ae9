"""The file of a fault run holds every plan, in the order of their ending."""

import json
from pathlib import Path

from results import PlanResult, Results


def test_the_file_is_whole_after_each_plan(tmp_path: Path) -> None:
    path = tmp_path / "nightly" / "faults.json"
    results = Results(path)
    for seed, lost in ((1, 0), (2, 3)):
        results.add(PlanResult(seed, "sqlite", 1000, 40, lost, 0, 12.5, ("lost",) * bool(lost)))
        told = json.loads(path.read_text())
        assert [plan["seed"] for plan in told["plans"]] == list(range(1, seed + 1))
    assert told["totals"] == {"plans": 2, "reports": 2000, "kills": 80, "lost": 3, "doubled": 0}
    assert told["plans"][1]["wrong"] == ["lost"]
    assert told["machine"]["commit"]
