"""Which evidence is here, who sent it, and who looked at it when."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from central_ingest.errors import NotFound
from central_ingest.store import tables as t
from central_ingest.store.bulk import insert_new
from central_ingest.store.queries import note_change


@dataclass(frozen=True, slots=True)
class Picture:
    """Evidence whose bytes are here."""

    sha256: str
    media_type: str
    bytes: int


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
    """Remember who looked at which evidence, when, from where."""
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
