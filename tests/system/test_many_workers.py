"""Several ingest workers on one PostgreSQL: any order, any repeats, the same cases."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select, text

from benchmarks.traffic import Sent, Traffic
from central_ingest.store import tables as t
from central_ingest.store.database import (
    Engine,
    PartTaken,
    migrate,
    open_engine,
    reading,
    writing,
)
from central_ingest.store.numbers import CaseNumbers
from central_ingest.store.queries import changes_since, count_everything, note_change

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
WORKERS = 3


def line_of(sent: Sent) -> bytes:
    return f"gridwatch/1/bench/gw-{sent.agent:04d}/issue".encode() + b"\t" + sent.body


def file_all(url: str, shares: list[list[Sent]], folder: Path, size: int) -> None:
    """Let one process file each share in batches of `size`, all at the same time."""
    running = []
    for number, share in enumerate(shares):
        path = folder / f"share-{number}.tsv"
        path.write_bytes(b"\n".join(map(line_of, share)))
        command = [
            sys.executable,
            str(Path(__file__).parent / "filing_worker.py"),
            url,
            str(path),
            str(size),
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


# Small batches are filed in one transaction each, larger ones in several.
@pytest.mark.parametrize(("size", "reports"), [(20, 400), (700, 6000)])
def test_any_order_through_three_workers_gives_the_cases_of_one(
    postgres: Any, tmp_path: Path, size: int, reports: int
) -> None:
    traffic, chance = Traffic(6), random.Random(7)
    told = [*traffic.prefill(60), *(traffic.next() for _ in range(reports))]
    shares: list[list[Sent]] = [[] for _ in range(WORKERS)]
    for sent in told:
        # A tenth reaches two workers, as after a reconnect.
        for share in chance.sample(shares, 2 if chance.random() < 0.1 else 1):
            share.append(sent)
    for share in shares:
        chance.shuffle(share)
    engine = open_engine(postgres.new_database())
    migrate(engine)
    file_all(engine.url.render_as_string(hide_password=False), shares, tmp_path, size)
    with reading(engine) as connection:
        counts = count_everything(connection)
        numbers = list(connection.execute(select(t.case.c.number)).scalars())
    truth = traffic.truth
    assert counts == {
        "reports": truth.reports, "identities": truth.reports, "sightings": truth.issues,
        "cases": truth.problems, "quarantined": 0,
    }  # fmt: skip
    assert len(set(numbers)) == truth.problems
    alone = open_engine(f"sqlite:///{tmp_path / 'alone.db'}")
    migrate(alone)
    file_all(str(alone.url), [told], tmp_path, size)
    assert partition(engine) == partition(alone)
    for opened in (engine, alone):
        opened.dispose()


@pytest.fixture
def shared(postgres: Any) -> Iterator[Engine]:
    opened = open_engine(postgres.new_database())
    migrate(opened)
    yield opened
    opened.dispose()


def test_families_are_filed_side_by_side_and_each_by_one_worker(shared: Engine) -> None:
    with writing(shared, "vendor"):
        with writing(shared, "bin", wait=False):
            pass
        with pytest.raises(PartTaken), writing(shared, "vendor", wait=False):
            pass
        with pytest.raises(PartTaken), writing(shared, "bin", "vendor", wait=False):
            pass
        with writing(shared, "bin", wait=False):  # was given back
            pass


def test_who_takes_the_same_parts_in_another_order_waits_for_nobody_who_waits(
    postgres: Any,
) -> None:
    url = postgres.new_database()
    engines = [open_engine(url) for _ in range(2)]
    done = []

    def take(engine: Engine, *parts: str) -> None:
        for _ in range(50):
            with writing(engine, *parts):
                pass
        done.append(parts)

    orders = [("bin", "vendor", "cover"), ("cover", "vendor", "bin")]
    threads = [
        threading.Thread(target=take, args=(engine, *order))
        for engine, order in zip(engines, orders, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == sorted(orders)
    for engine in engines:
        engine.dispose()


def numbers_of(connection: Connection, day: str = "20260701") -> CaseNumbers:
    return CaseNumbers(connection, "{source}{yyyymmdd}{sequence:05d}", "SP", day)


def test_a_worker_takes_many_names_at_a_time_and_goes_on_with_those_that_are_left(
    shared: Engine,
) -> None:
    with shared.connect() as connection:
        numbers_of(connection).next()  # makes the connection over which names are taken
        asked = []
        event.listen(shared, "before_cursor_execute", lambda *told: asked.append(told[2]))
        numbers = numbers_of(connection)
        numbers.expect(100)
        first = [numbers.next() for _ in range(70)]
        after = [numbers_of(connection).next() for _ in range(30)]
    names = first + after
    assert len({name.case_id for name in names}) == 100
    assert [int(name.number[-5:]) for name in names] == list(range(2, 102))
    assert len(asked) == 1


def test_names_that_were_taken_before_a_connection_was_made_are_not_used(shared: Engine) -> None:
    with shared.connect() as connection:
        numbers_of(connection).next()
        numbers = numbers_of(connection)
        numbers.expect(10)
        assert numbers.next().number == "SP2026070100002"
        with shared.connect(), shared.connect():  # one more than there were
            assert numbers_of(connection).next().number == "SP2026070100012"


def test_another_day_and_another_worker_count_by_themselves(shared: Engine) -> None:
    other = open_engine(shared.url.render_as_string(hide_password=False))
    with shared.connect() as connection, other.connect() as beside:
        numbers = numbers_of(connection)
        numbers.expect(3)
        assert [numbers.next().number[-1] for _ in range(2)] == ["1", "4"]  # having connected
        assert numbers_of(beside).next().number == "SP2026070100006"
        assert numbers_of(connection, "20260702").next().number == "SP2026070200001"
    other.dispose()


def test_what_people_do_waits_for_all_filing(shared: Engine) -> None:
    done = threading.Event()

    def decide() -> None:
        with writing(shared):
            done.set()

    with writing(shared, "vendor"):
        person = threading.Thread(target=decide)
        person.start()
        wait_for_a_lock(shared)
        assert not done.is_set()
    person.join(30)
    assert done.is_set()


def test_changes_are_numbered_in_the_order_of_their_commits(shared: Engine) -> None:
    now = datetime(2026, 7, 1, 8, tzinfo=UTC)
    case_ids = [make_case(shared, number, now) for number in (1, 2)]

    def change_the_second() -> None:
        with writing(shared, "bin") as connection:
            note_change(connection, case_ids[1], "updated", now)

    with writing(shared, "vendor") as connection:
        note_change(connection, case_ids[0], "updated", now)
        other = threading.Thread(target=change_the_second)
        other.start()
        wait_for_a_lock(shared)
        with reading(shared) as seen:
            assert changes_since(seen, 0) == []
    other.join(30)
    with reading(shared) as seen:
        assert [change.case_id for change in changes_since(seen, 0)] == case_ids


def make_case(engine: Engine, number: int, now: datetime) -> int:
    values = {
        "number": f"N{number}", "category": "street_vendor", "family": "vendor",
        "severity": "normal", "state": "pending", "presence": "present", "presence_since": now,
        "cell_official": False, "opened_at": now, "first_seen_at": now, "last_seen_at": now,
        "sighting_count": 0, "cameras": [], "updated_at": now,
    }  # fmt: skip
    with writing(engine) as connection:
        made = insert(t.case).values(**values).returning(t.case.c.case_id)
        return int(connection.execute(made).scalar_one())


def wait_for_a_lock(engine: Engine) -> None:
    """Return once somebody waits for an advisory lock of this database."""
    waiting = select(func.count()).select_from(text("pg_locks")).where(
        text("NOT granted AND locktype = 'advisory' AND database ="
             " (SELECT oid FROM pg_database WHERE datname = current_database())")
    )  # fmt: skip
    for _ in range(100_000):
        with reading(engine) as connection:
            if connection.execute(waiting).scalar_one():
                return
    pytest.fail("nobody waits for a lock")
