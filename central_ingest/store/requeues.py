"""Filing again what lies in quarantine, after an upgrade or a correction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from central_ingest.intake import Delivery, Readable, read
from central_ingest.store import tables as t
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Requeued:
    """How many messages were filed, and how many still cannot be."""

    filed: int
    left: int


def requeue(engine: Engine, rules: FilingRules, body_max_bytes: int, now: datetime) -> Requeued:
    """Try every whole message in quarantine again, oldest first; what is filed is marked so."""
    filed = left = 0
    last = 0
    while rows := _waiting(engine, last):
        last = rows[-1].quarantine_id
        for row in rows:
            if _try_again(engine, row, rules, body_max_bytes, now):
                filed += 1
            else:
                left += 1
    return Requeued(filed, left)


def _waiting(engine: Engine, after: int) -> list[Row[Any]]:
    q = t.quarantine.c
    query = (
        select(t.quarantine)
        .where(q.requeued_at.is_(None), q.quarantine_id > after)
        .order_by(q.quarantine_id)
        .limit(_AT_ONCE)
    )
    with reading(engine) as connection:
        return list(connection.execute(query).all())


def _try_again(
    engine: Engine,
    row: Row[Any],
    rules: FilingRules,
    body_max_bytes: int,
    now: datetime,
) -> bool:
    if len(row.raw) != row.raw_bytes:
        return False
    message = read(Delivery(row.topic, row.raw), body_max_bytes)
    if not isinstance(message, Readable):
        return False
    done = file_batch(engine, [message], rules, now)
    if any(outcome == "quarantined" for _, outcome in done.outcomes):
        return False
    with writing(engine) as connection:
        connection.execute(
            update(t.quarantine)
            .where(t.quarantine.c.quarantine_id == row.quarantine_id)
            .values(requeued_at=now)
        )
    return True
