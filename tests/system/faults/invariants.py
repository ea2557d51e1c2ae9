"""What must hold at the end: the agents' ledgers against what the centre holds.

1. Every report of a ledger is held, once, and in no quarantine; nothing is held that no ledger has.
2. Every issue is one sighting, at its highest revision, whatever order it came in.
3. Every problem is one case, with a sighting of each of its two agents; no number is used twice.
4. No report waits at an agent any more, and none was given up.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from simulated_agent import CITY, Script, problems_of
from sqlalchemy import Engine, text

from edge_agent.ledger import standing

Report = tuple[UUID, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many reports and cases there are, and what is wrong, in words."""

    reports: int
    lost: int
    doubled: int
    cases: int
    wrong: tuple[str, ...]


def held_reports(engine: Engine) -> Counter[Report]:
    """How often the centre holds each report of a simulated agent."""
    rows = _rows(engine, "SELECT issue_id, revision FROM report WHERE agent_id LIKE 'gw-_'")
    return Counter((_uuid(row[0]), int(row[1])) for row in rows)


def judge(engine: Engine, folders: Sequence[Path], reports_each: int) -> Verdict:
    """Compare what the agents in `folders` wrote down with what the centre holds."""
    ledger = set[Report]().union(*(standing(folder / "ledger.jsonl") for folder in folders))
    # In the order in which a report moves, so that none is missed on its way.
    waiting = set[Report]().union(*(_waiting_reports(folder) for folder in folders))
    held = held_reports(engine)
    lost, extra = ledger - set(held) - waiting, set(held) - ledger
    problems = problems_of(reports_each) * ((len(folders) + 1) // 2)
    cases = _cases(engine)
    findings = {
        f"the ledgers hold {len(ledger)} reports, {reports_each * len(folders)} were made":
            len(ledger) != reports_each * len(folders),
        f"lost: {sorted(lost)[:3]} and so on, {len(lost)} in all": bool(lost),
        f"held though in no ledger: {sorted(extra)[:3]}": bool(extra),
        f"held twice: {[one for one, times in held.items() if times > 1][:3]}":
            max(held.values(), default=0) > 1,
        f"in quarantine: {_quarantined(engine)}": bool(_quarantined(engine)),
        f"sightings: {_wrong_sightings(engine, held)[:3]}": bool(_wrong_sightings(engine, held)),
        f"{len(cases)} cases, {problems} problems": len(cases) != problems,
        f"cases without both sides: {[c for c, n in cases.items() if n != 2][:3]}":
            any(n != 2 for n in cases.values()),
        f"still waiting: {[_waiting(folder) for folder in folders]}":
            any(_waiting(folder) != (0, "0") for folder in folders),
    }  # fmt: skip
    return Verdict(
        reports=len(ledger),
        lost=len(lost),
        doubled=max(0, len(cases) - problems) + sum(held.values()) - len(held),
        cases=len(cases),
        wrong=tuple(said for said, is_so in findings.items() if is_so),
    )


def _cases(engine: Engine) -> Counter[str]:
    """The numbers of the simulated agents' cases, and how many sightings each has."""
    rows = _rows(
        engine,
        'SELECT "case".number FROM sighting JOIN "case" USING (case_id)'
        " WHERE sighting.agent_id LIKE 'gw-_'",
    )
    return Counter(row[0] for row in rows)


def _wrong_sightings(engine: Engine, held: Counter[Report]) -> list[str]:
    """Issues whose sighting is not at the highest revision that is held."""
    highest: dict[UUID, int] = {}
    for issue_id, revision in held:
        highest[issue_id] = max(revision, highest.get(issue_id, 0))
    rows = _rows(engine, "SELECT issue_id, revision FROM sighting WHERE agent_id LIKE 'gw-_'")
    shown = {_uuid(row[0]): int(row[1]) for row in rows}
    return [
        f"{issue_id}: revision {shown.get(issue_id)} is shown, {revision} is held"
        for issue_id, revision in highest.items()
        if shown.get(issue_id) != revision
    ]


def _quarantined(engine: Engine) -> list[Any]:
    """Reasons of quarantined messages that came in a simulated agent's name and from its outbox."""
    topics = [f"gridwatch/1/{CITY}/{Script(number).agent_id}/issue" for number in range(10)]
    rows = _rows(engine, "SELECT topic, reason FROM quarantine WHERE reason LIKE '%another body%'")
    return [row.reason for row in rows if row.topic in topics]


def _waiting(folder: Path) -> tuple[int, str]:
    """Reports in an agent's outbox, and how many it gave up."""
    with closing(sqlite3.connect(f"file:{folder / 'agent.db'}?mode=ro", uri=True)) as connection:
        waiting = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    return waiting, meta["given_up_reports"]


def _waiting_reports(folder: Path) -> set[Report]:
    """What an agent still keeps: late at the end of a run, but not lost."""
    with closing(sqlite3.connect(f"file:{folder / 'agent.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT issue_id, revision FROM outbox").fetchall()
    return {(UUID(issue_id), revision) for issue_id, revision in rows}


def _rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(query)))


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
