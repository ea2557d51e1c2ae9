"""What could not be filed: people look at it, have it filed again, or discard it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from central_ingest.errors import NotFound
from central_ingest.intake import Delivery, Readable, read
from central_ingest.store import tables as t
from central_ingest.store.batches import file_batch
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules

_AT_ONCE = 200
_WAITS: ColumnElement[bool] = t.quarantine.c.requeued_at.is_(None)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that waits for somebody to look at it; it came so many times, lastly at `last_at`.

    `agent_id` is who sent it, by its topic, where that names an agent.
    """

    quarantine_id: int
    topic: str
    agent_id: str | None
    reason: str
    raw_bytes: int
    times: int
    first_at: datetime
    last_at: datetime


def list_quarantined(connection: Connection, at_most: int) -> list[Quarantined]:
    """The newest messages that wait, of each what is known beside its bytes."""
    q = t.quarantine.c
    query = (
        select(*(q[name] for name in Quarantined.__dataclass_fields__))
        .where(_WAITS)
        .order_by(q.quarantine_id.desc())
        .limit(at_most)
    )
    return [Quarantined(*row) for row in connection.execute(query)]


def raw_of(connection: Connection, quarantine_id: int) -> bytes:
    """A message's bytes as they came, cut off after the first MiB. Raises NotFound."""
    q = t.quarantine.c
    raw = connection.execute(select(q.raw).where(q.quarantine_id == quarantine_id)).scalar()
    if raw is None:
        raise NotFound(f"there is no message {quarantine_id} in quarantine")
    return bytes(raw)


def discard(connection: Connection, ids: Collection[int]) -> None:
    """Delete these messages that wait, all or none. Raises NotFound."""
    q = t.quarantine.c
    gone = delete(t.quarantine).where(_WAITS, q.quarantine_id.in_(ids)).returning(q.quarantine_id)
    found = set(connection.execute(gone).scalars())
    if missing := sorted(set(ids) - found):
        raise NotFound(f"no such message waits in quarantine: {', '.join(map(str, missing))}")


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
        .where(_WAITS, q.quarantine_id > after)
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
