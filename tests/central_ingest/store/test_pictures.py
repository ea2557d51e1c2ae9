"""Pictures come and are looked at beside the filing, and no report misses its picture."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from postgres import Postgres
from sqlalchemy import select

from central_ingest.errors import StoreUnavailable
from central_ingest.reports import report_of
from central_ingest.store import tables as t
from central_ingest.store.database import (
    Engine,
    appending,
    migrate,
    open_engine,
    reading,
    writing,
)
from central_ingest.store.filing import Filing, FilingRules
from central_ingest.store.pictures import (
    Picture,
    Reading,
    note_missing,
    note_reading,
    note_stored,
    part_of,
    readings_of,
)
from contract.messages import IssueReport, encode

NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
NAMED, OTHER = "e" * 64, "0" * 64
MakeReport = Callable[..., IssueReport]


@pytest.fixture
def engines(postgres: Postgres) -> Iterator[tuple[Engine, Engine]]:
    """Who files, and somebody else who gives up after a second of waiting for a lock."""
    url = postgres.new_database()
    made = open_engine(url), open_engine(f"{url}?options=-c%20lock_timeout%3D1000")
    migrate(made[0])
    yield made
    for engine in made:
        engine.dispose()


def store(engine: Engine, sha256: str) -> None:
    with writing(engine, part_of(sha256)) as connection:
        note_stored(connection, Picture(sha256, "image/jpeg", 81234), "gw-01", NOW)


def states(engine: Engine) -> dict[str, str]:
    with reading(engine) as connection:
        ref = t.evidence_ref.c
        return {row[0]: row[1] for row in connection.execute(select(ref.sha256, ref.state))}


def take(filing: Filing, said: IssueReport) -> None:
    report, body = report_of(said), encode(said)
    filing.prepare([report])
    filing.take(report, body, hashlib.sha256(body).hexdigest())


def test_a_picture_comes_and_is_looked_at_while_reports_are_being_filed(
    engines: tuple[Engine, Engine], report: MakeReport
) -> None:
    filing_engine, other = engines
    with writing(filing_engine, "vendor") as connection:
        filing = Filing(connection, FilingRules(), NOW)
        take(filing, report(1))
        filing.write()
        store(other, OTHER)
        with appending(other) as beside:
            note_reading(beside, Reading(OTHER, "li", NOW, "127.0.0.1"))
        with writing(other, part_of(OTHER)) as beside:
            note_missing(beside, OTHER, NOW)
        with reading(other) as beside:
            assert [one.who for one in readings_of(beside, OTHER)] == ["li"]


def test_a_picture_that_comes_while_its_report_is_decided_is_present(
    engines: tuple[Engine, Engine], report: MakeReport
) -> None:
    filing_engine, other = engines
    with writing(filing_engine, "vendor") as connection:
        filing = Filing(connection, FilingRules(), NOW)
        take(filing, report(1))
        store(other, NAMED)
        filing.write()
    assert states(other)[NAMED] == "present"


def test_a_picture_that_comes_while_its_report_is_written_waits_for_its_commit(
    engines: tuple[Engine, Engine], report: MakeReport
) -> None:
    filing_engine, other = engines
    with writing(filing_engine, "vendor") as connection:
        filing = Filing(connection, FilingRules(), NOW)
        take(filing, report(1))
        filing.write()
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            store(other, NAMED)
    store(other, NAMED)
    assert states(other)[NAMED] == "present"


def test_a_picture_that_is_lost_while_its_report_is_decided_is_not_said_to_be_here(
    engines: tuple[Engine, Engine], report: MakeReport
) -> None:
    filing_engine, other = engines
    store(other, NAMED)
    with writing(filing_engine, "vendor") as connection:
        filing = Filing(connection, FilingRules(), NOW)
        take(filing, report(1))
        with writing(other, part_of(NAMED)) as beside:
            note_missing(beside, NAMED, NOW)
        filing.write()
    assert states(other)[NAMED] == "pending"
