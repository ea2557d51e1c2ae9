"""Issues whose next report will most likely change nothing that lists show, and the memory of them.

Most reports see again what is known. Whether one changes more is told by a few values of its issue
and case, which stay the same until somebody changes the case; and everybody who changes one notes
it (`change`). So what was read or written of an issue holds from batch to batch, and is forgotten
when a change of its case is found that was not one's own.

The memory is for SQLite, whose one writer sees all changes before its own: on PostgreSQL other
workers file at the same time, often reports of the same issues.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from central_ingest.cases import LIVE
from central_ingest.dedup import Place
from central_ingest.reports import Component, Report
from central_ingest.store import tables as t
from central_ingest.store.bulk import select_rows
from contract.catalogue import Category, Family
from contract.messages import Severity

# So many changed cases are looked for among the issues; beyond, all is forgotten at once.
_CHANGED_MAX: Final = 500


class SeenAgain(Struct, gc=False):
    """An issue that is seen again: its case need not be read.

    The revision is the newest one, the report that which came last; the rest is what a report
    repeats that changes nothing of what lists show. The case has a cell, and, if `pictured`, a
    picture.
    """

    case_id: int
    revision: int
    newest_report_id: int | None
    pictured: bool
    agent_id: str
    camera_id: str
    family: Family
    category: Category
    severity: Severity
    first_seen_at: datetime
    place: Place | None
    component: Component | None

    @classmethod
    def of(
        cls,
        report: Report,
        case_id: int,
        newest: tuple[int, int | None],
        *,
        pictured: bool,
    ) -> "SeenAgain":
        """What a report says, once its case shows it; `newest` is a revision and a report."""
        return cls(
            case_id, *newest, pictured, sys.intern(report.agent_id), sys.intern(report.camera_id),
            report.family, report.category, report.severity, report.first_seen_at, report.place,
            report.component,
        )  # fmt: skip

    def holds(self, report: Report) -> bool:
        """Whether a report changes nothing of what lists show of its case."""
        return (
            report.phase in LIVE
            and report.place == self.place
            and report.category is self.category
            and report.severity is self.severity
            and report.first_seen_at == self.first_seen_at
            and report.component == self.component
            and (self.pictured or not report.evidence)
            and report.camera_id == self.camera_id
            and report.agent_id == self.agent_id
            and report.family is self.family
        )


class Memory:
    """`issues_max` of the issues that were filed, by the integers of their ids.

    A batch works on them as they are. So all are forgotten should it not commit.
    """

    def __init__(self, issues_max: int) -> None:
        self._issues_max = issues_max
        self._held: OrderedDict[int, SeenAgain] = OrderedDict()
        # Changes up to this one are known, or one's own; None while a batch is under way.
        self._told_until: int | None = None

    def begin(self, connection: Connection) -> None:
        """Forget the issues of cases that others changed; first thing in a transaction."""
        since, self._told_until = self._told_until, None
        if since is None:
            self._held.clear()
        elif newest_change(connection) > since:
            self._forget_changed(connection, since)

    def _forget_changed(self, connection: Connection, since: int) -> None:
        rows = connection.exec_driver_sql(
            "SELECT DISTINCT case_id FROM change WHERE change_id > ? LIMIT ?",
            (since, _CHANGED_MAX + 1),
        )
        cases = [row[0] for row in rows]
        if len(cases) > _CHANGED_MAX:
            self._held.clear()
            return
        # Where people moved an issue, its case of now was changed too.
        for row in select_rows(connection, t.sighting, ("issue_id",), "case_id {keys}", cases):
            self._held.pop(row[0].int, None)

    def recall(self, number: int) -> SeenAgain | None:
        """What is remembered of an issue, by the integer of its id."""
        return self._held.get(number)

    def committed(
        self, kept: Mapping[int, SeenAgain], gone: Iterable[int], newest_change: int
    ) -> None:
        """After the commit: remember these, and forget those; the oldest give way.

        `newest_change` is that of the transaction.
        """
        self._held.update(kept)
        for number in gone:
            self._held.pop(number, None)
        for _ in range(len(self._held) - self._issues_max):
            self._held.popitem(last=False)
        self._told_until = newest_change


def newest_change(connection: Connection) -> int:
    """The number of the newest change; 0 where there was none."""
    found = connection.exec_driver_sql("SELECT max(change_id) FROM change").scalar()
    return int(found or 0)
