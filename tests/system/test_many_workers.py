"""Several ingest workers on one PostgreSQL: any order, any repeats, the same cases."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from benchmarks.traffic import Sent, Traffic
from central_ingest.store import tables as t
from central_ingest.store.database import Engine, migrate, open_engine, reading
from central_ingest.store.queries import count_everything

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
WORKERS = 3


def line_of(sent: Sent) -> bytes:
    return f"gridwatch/1/bench/gw-{sent.agent:04d}/issue".encode() + b"\t" + sent.body


def file_all(url: str, shares: list[list[Sent]], folder: Path) -> None:
    """Let one process file each share, all at the same time."""
    running = []
    for number, share in enumerate(shares):
        path = folder / f"share-{number}.tsv"
        path.write_bytes(b"\n".join(map(line_of, share)))
        command = [
            sys.executable,
            str(Path(__file__).parent / "filing_worker.py"),
            url,
            str(path),
            "20",
        ]
        running.append(
            subprocess.Popen(
                command, cwd=ROOT, stderr=subprocess.PIPE, env={"PYTHONPATH": str(ROOT), "PATH": ""}
            )
        )
    for process in running:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said.decode()[-2000:]


def partition(engine: Engine) -> set[frozenset[Any]]:
    """Which issues are one case."""
    held: dict[int, set[Any]] = {}
    with reading(engine) as connection:
        for row in connection.execute(select(t.sighting.c.case_id, t.sighting.c.issue_id)):
            held.setdefault(row.case_id, set()).add(row.issue_id)
    return {frozenset(issues) for issues in held.values()}


def test_any_order_through_three_workers_gives_the_cases_of_one(
    postgres: Any, tmp_path: Path
) -> None:
    traffic, chance = Traffic(6), random.Random(7)
    told = [*traffic.prefill(60), *(traffic.next() for _ in range(400))]
    shares: list[list[Sent]] = [[] for _ in range(WORKERS)]
    for sent in told:
        # A tenth reaches two workers, as after a reconnect.
        for share in chance.sample(shares, 2 if chance.random() < 0.1 else 1):
            share.append(sent)
    for share in shares:
        chance.shuffle(share)
    engine = open_engine(postgres.new_database())
    migrate(engine)
    file_all(engine.url.render_as_string(hide_password=False), shares, tmp_path)
    with reading(engine) as connection:
        counts = count_everything(connection)
        numbers = list(
            connection.execute(select(t.case.c.number).order_by(t.case.c.number)).scalars()
        )
    truth = traffic.truth
    assert counts == {
        "reports": truth.reports, "identities": truth.reports, "sightings": truth.issues,
        "cases": truth.problems, "quarantined": 0,
    }  # fmt: skip
    assert numbers == [f"SP20260701{n:05d}" for n in range(1, truth.problems + 1)]
    alone = open_engine(f"sqlite:///{tmp_path / 'alone.db'}")
    migrate(alone)
    file_all(str(alone.url), [told], tmp_path)
    assert partition(engine) == partition(alone)
    for opened in (engine, alone):
        opened.dispose()
