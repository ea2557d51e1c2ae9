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

# From the newest report of an issue back to the revision that is asked for.
_WALK = (
    "WITH RECURSIVE walk(report_id, asked) AS (SELECT * FROM %s"
    " UNION ALL SELECT report.before_id, walk.asked FROM walk"
    " JOIN report ON report.report_id = walk.report_id"
    " WHERE report.revision <> walk.asked AND report.before_id IS NOT NULL)"
    " SELECT report.issue_id, report.revision, report.body_sha256 FROM walk"
    " JOIN report ON report.report_id = walk.report_id AND report.revision = walk.asked"
)
_WALK_SQLITE = _WALK % (
    "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"
)
_WALK_POSTGRESQL = _WALK % "unnest(%b::BIGINT[], %b::BIGINT[])"
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
    connection: Connection, asked: Sequence[tuple[int | None, int]]
) -> dict[tuple[int, int], str]:
    """The SHA-256 of the bodies of those of these reports that are held.

    Asked are pairs of the newest report of an issue and a revision; found are they by the integer
    of the issue's id and the revision.
    """
    if not asked:
        return {}
    if is_sqlite(connection):
        found = connection.exec_driver_sql(_WALK_SQLITE, (json.dumps(asked),))
        return {(int(row[0], 16), row[1]): row[2] for row in found}
    newest, revisions = zip(*asked, strict=True)
    found = connection.exec_driver_sql(_WALK_POSTGRESQL, (list(newest), list(revisions)))
    return {(row[0].int, row[1]): row[2] for row in found}


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
