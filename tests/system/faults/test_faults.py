"""Nothing lost, nothing doubled, while every process is killed and the network misbehaves.

`FAULT_SEEDS=7,8` picks other seeds; `FAULT_REPLAY=…/plan.jsonl` repeats the plan of a log, which
stands beside what happened in the test's folder, named when it fails. `FAULT_RESULTS=…/faults.json`
has every plan's outcome written there, as `make nightly` does.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import plan
import pytest
from lab import Lab, Size
from postgres import PostgresMissing, cluster
from results import PlanResult, Results

pytestmark = pytest.mark.system

SMALL = Size(agents=4, reports_each=250, rate=25, every_s=1.5)
WHOLE = Size(agents=4, reports_each=2500, rate=50, every_s=2)
WORKERS = {"sqlite": 1, "postgresql": 3}


def seeds(default: range) -> list[int]:
    given = os.environ.get("FAULT_SEEDS")
    return [int(seed) for seed in given.split(",")] if given else list(default)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Where the outcomes of this run are written."""
    given = os.environ.get("FAULT_RESULTS")
    return Results(Path(given) if given else tmp_path_factory.mktemp("faults") / "faults.json")


@pytest.fixture
def lab(tmp_path: Path, database: str, size: Size) -> Iterator[Lab]:
    """A site with the database that is asked for."""
    if database == "sqlite":
        made = Lab(tmp_path, size)
        yield made
        made.close()
        return
    try:
        with cluster() as server:
            made = Lab(tmp_path, size, server, WORKERS[database])
            yield made
            made.close()
    except PostgresMissing as error:
        pytest.skip(str(error))


def check(lab: Lab, seed: int, results: Results) -> None:
    replayed = os.environ.get("FAULT_REPLAY")
    faults = (
        plan.read(Path(replayed))
        if replayed
        else plan.draw(seed, lab.size.seconds, lab.size.every_s, lab.targets)
    )
    log = lab.folder / "plan.jsonl"
    plan.write(log, seed, faults)
    began_s = time.monotonic()
    verdict = lab.run(faults)
    seconds, database = time.monotonic() - began_s, "postgresql" if lab.postgres else "sqlite"
    results.add(
        PlanResult(
            seed, database, verdict.reports, lab.kills, verdict.lost, verdict.doubled,
            round(seconds, 1), verdict.wrong,
        )
    )  # fmt: skip
    print(f"seed {seed}: {lab.kills} kills, {verdict}")  # noqa: T201  (the run's record, with -rP)
    assert not verdict.wrong, f"FAULT_REPLAY={log} repeats it; {verdict}"
    assert (verdict.lost, verdict.doubled) == (0, 0)
    assert lab.kills
    # An ingest that finds no database ends, and is started again; an agent never ends by itself.
    assert not [name for name in lab.ended if name.startswith(("agent", "broker"))]


@pytest.mark.timeout(420)
@pytest.mark.parametrize("size", [SMALL], ids=["small"])
@pytest.mark.parametrize("database", list(WORKERS))
@pytest.mark.parametrize("seed", seeds(range(1, 3)))
def test_nothing_is_lost_or_doubled_while_processes_are_killed(
    lab: Lab, seed: int, results: Results
) -> None:
    check(lab, seed, results)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("size", [WHOLE], ids=["whole"])
@pytest.mark.parametrize("database", list(WORKERS))
@pytest.mark.parametrize("seed", seeds(range(1, 21)))
def test_ten_thousand_reports_survive_a_kill_every_few_seconds(
    lab: Lab, seed: int, results: Results
) -> None:
    check(lab, seed, results)
