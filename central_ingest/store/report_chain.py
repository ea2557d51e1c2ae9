"""An issue's reports: its sighting names the one that came last, each names the one before it.

A report is looked for seldom: when it comes again, or when somebody looks at its case. For an index
by issue, SQLite would change one page more for each report; the chain is written with rows that
change anyway. A report's key is higher than that of the one before it, so every chain ends.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select, text

from central_ingest.store import tables as t
from central_ingest.store.bulk import is_sqlite

# What comes again came lately: most walks end after a few steps. Of what lies further back, the
# whole chain is read once for all that is asked of it: else a flood would walk it each time.
_NEAR = 50
# From the newest report of an issue back to the revision that is asked for; 0 for all of them.
_WALK = (
    "WITH RECURSIVE walk(newest, asked, report_id, steps) AS ({asked}"
    " UNION ALL SELECT walk.newest, walk.asked, report.before_id, walk.steps + 1 FROM walk"
    " JOIN report ON report.report_id = walk.report_id WHERE report.revision <> walk.asked"
    " AND report.before_id IS NOT NULL AND (walk.asked = 0 OR walk.steps < {near}))"
    " SELECT walk.newest, report.issue_id, report.revision, report.body_sha256 FROM walk"
    " JOIN report ON report.report_id = walk.report_id AND walk.asked IN (0, report.revision)"
)
_ASKED_SQLITE = (
    "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),"
    " json_extract(value, '$[0]'), 1 FROM json_each(?)"
)
_ASKED_POSTGRESQL = (
    "SELECT newest, asked, newest, 1"
    " FROM unnest(%b::BIGINT[], %b::BIGINT[]) AS given(newest, asked)"
)
_NEXT = text(
    "SELECT nextval(pg_get_serial_sequence('report', 'report_id')) FROM generate_series(1, :many)"
)


def new_ids(connection: Connection, many: int) -> Iterator[int]:
    """Keys for so many reports, rising; those that are not used may be a gap."""
    if is_sqlite(connection):  # nobody else writes meanwhile
        newest = connection.execute(select(func.max(t.report.c.report_id))).scalar() or 0
        return iter(range(newest + 1, newest + 1 + many))
    return iter(connection.execute(_NEXT, {"many": many}).scalars().all())


def digests_of(
    connection: Connection, asked: Collection[tuple[int | None, int]]
) -> dict[tuple[int, int], str]:
    """The SHA-256 of the bodies of those of these reports that are held, and perhaps of others.

    Asked are pairs of the newest report of an issue and a revision; found are they by the integer
    of the issue's id and the revision.
    """
    rows = _walk(connection, asked)
    seen = {(row[0], row[2]) for row in rows}
    far = {newest for newest, revision in asked if (newest, revision) not in seen}
    rows += _walk(connection, [(newest, 0) for newest in far])
    if is_sqlite(connection):
        return {(int(row[1], 16), row[2]): row[3] for row in rows}
    return {(row[1].int, row[2]): row[3] for row in rows}


def _walk(
    connection: Connection, asked: Collection[tuple[int | None, int]]
) -> list[tuple[Any, ...]]:
    """Newest report, issue, revision and digest of what was found."""
    if not asked:
        return []
    given: tuple[Any, ...] = tuple(map(list, zip(*asked, strict=True)))
    statement = _ASKED_POSTGRESQL
    if is_sqlite(connection):
        statement, given = _ASKED_SQLITE, (json.dumps(list(asked)),)
    walk = _WALK.format(asked=statement, near=_NEAR)
    return [tuple(row) for row in connection.exec_driver_sql(walk, given)]


def kept_of(connection: Connection, issue_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """The rows of these issues' reports, in no order."""
    report, sighting = t.report.c, t.sighting.c
    chain = (
        select(sighting.newest_report_id.label("report_id"))
        .where(sighting.issue_id.in_(issue_ids))
        .cte("chain", recursive=True)
    )
    before = select(report.before_id).join(chain, report.report_id == chain.c.report_id)
    chain = chain.union_all(before.where(report.before_id.is_not(None)))
    return connection.execute(
        select(t.report).join(chain, report.report_id == chain.c.report_id)
    ).all()
