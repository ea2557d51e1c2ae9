"""Which evidence is here, who sent it, and who looked at it when.

A report says whether the pictures that it names are here, and a picture that comes tells the
reports that named it. So that neither misses the other, `note_stored` and `note_missing` are called
inside `writing(engine, part_of(sha256))`: beside all filing but that of a report which names a
picture of this part and is about to commit.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from central_ingest.errors import NotFound
from central_ingest.store import tables as t
from central_ingest.store.bulk import insert_new, select_rows
from central_ingest.store.queries import note_change

_PARTS = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """Evidence whose bytes are here."""

    sha256: str
    media_type: str
    bytes: int


def part_of(sha256: str) -> str:
    """The part in which a piece of evidence is noted: one of 64, for locks are few."""
    return f"evidence {int(sha256[:2], 16) % _PARTS}"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a piece of evidence."""

    sha256: str
    who: str
    at: datetime
    address: str


def note_stored(connection: Connection, picture: Picture, who: str, now: datetime) -> None:
    """Say that the bytes are here; every case that shows them changes."""
    values = {
        "sha256": picture.sha256,
        "media_type": picture.media_type,
        "bytes": picture.bytes,
        "stored_at": now,
        "stored_by": who,
    }
    insert_new(connection, t.evidence, values)
    ref = t.evidence_ref.c
    waiting = (ref.sha256 == picture.sha256) & (ref.state != "present")
    cases = connection.execute(
        select(t.sighting.c.case_id)
        .distinct()
        .join(t.evidence_ref, ref.issue_id == t.sighting.c.issue_id)
        .where(waiting)
    ).scalars()
    for case_id in list(cases):
        note_change(connection, case_id, "evidence", now)
    connection.execute(update(t.evidence_ref).where(waiting).values(state="present"))


def note_missing(connection: Connection, sha256: str, now: datetime) -> None:
    """Say that bytes which were here are gone; they may be sent again."""
    connection.execute(delete(t.evidence).where(t.evidence.c.sha256 == sha256))
    ref = t.evidence_ref.c
    cases = connection.execute(
        select(t.sighting.c.case_id)
        .distinct()
        .join(t.evidence_ref, ref.issue_id == t.sighting.c.issue_id)
        .where(ref.sha256 == sha256)
    ).scalars()
    for case_id in list(cases):
        note_change(connection, case_id, "evidence", now)
    connection.execute(update(t.evidence_ref).where(ref.sha256 == sha256).values(state="lost"))


def here_of(connection: Connection, hashes: Collection[str]) -> frozenset[str]:
    """Which of these are here."""
    rows = select_rows(connection, t.evidence, ("sha256",), "sha256 {keys}", hashes)
    return frozenset(row[0] for row in rows)


def get_picture(connection: Connection, sha256: str) -> Picture:
    """What is known of evidence that is here. Raises NotFound."""
    row = connection.execute(select(t.evidence).where(t.evidence.c.sha256 == sha256)).one_or_none()
    if row is None:
        raise NotFound(f"evidence {sha256} is not here")
    return Picture(row.sha256, row.media_type, row.bytes)


def all_pictures(connection: Connection) -> list[Picture]:
    """All evidence whose bytes are here."""
    rows = connection.execute(select(t.evidence).order_by(t.evidence.c.sha256))
    return [Picture(row.sha256, row.media_type, row.bytes) for row in rows]


def note_reading(connection: Connection, reading: Reading) -> None:
    """Remember who looked at which evidence, when, from where; inside `appending`."""
    connection.execute(
        insert(t.evidence_reading).values(
            sha256=reading.sha256, who=reading.who, at=reading.at, address=reading.address
        )
    )


def readings_of(connection: Connection, sha256: str, limit: int = 100) -> list[Reading]:
    """Who looked at a piece of evidence, newest first."""
    rows = connection.execute(
        select(t.evidence_reading)
        .where(t.evidence_reading.c.sha256 == sha256)
        .order_by(t.evidence_reading.c.reading_id.desc())
        .limit(limit)
    )
    return [Reading(row.sha256, row.who, row.at, row.address) for row in rows]
