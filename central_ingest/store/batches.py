"""A batch of messages: what is filed, what is quarantined, what is receipted.

SQLite, with one writer at a time, files it in one transaction. On PostgreSQL each family's reports
are a part, and what is no report another: families never meet, neither in an issue nor in a case,
so they are filed side by side, by one worker and by several. Parts of which a batch has little
share a transaction, for its statements cost the same however little they carry.

Guarantee (promise 3): receipts are returned only after the transaction that holds each report, or
its quarantine, has committed; they may be told when the log was flushed after it. One message that
cannot be filed is quarantined, and the rest of its batch is filed all the same.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, update
from sqlalchemy.exc import CompileError, DataError, IntegrityError

from central_ingest.errors import ConflictingReport, ForeignCity, UnstorableReport
from central_ingest.intake import SEQ_MAX, Readable, Unreadable, place_of
from central_ingest.receipts import Outbox, Told
from central_ingest.reports import Report
from central_ingest.store import tables as t
from central_ingest.store.bulk import insert_new
from central_ingest.store.database import Engine, PartTaken, writing
from central_ingest.store.enrolments import cities_of
from central_ingest.store.filing import Filing, FilingRules
from central_ingest.store.fleet import hold_canary, hold_health, hold_result, hold_status
from central_ingest.store.memory import Memory
from contract.messages import (
    AgentStatus,
    CameraHealth,
    Canary,
    CommandResult,
)
from contract.topics import AgentAddress

# What one message can cause by its content; a database that fails as a whole is none of these.
_OF_ONE_MESSAGE = (
    ConflictingReport,
    IntegrityError,
    DataError,
    CompileError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)
_NO_REPORTS = "no reports"
_AT_ONCE = 2  # transactions: while one waits for the database, the other one decides
_ENOUGH = 250  # messages of a transaction; below it statements cost more than what they carry
_Share = tuple[tuple[str, ...], list[Readable | Unreadable]]
_RAW_MAX = 1 << 20
_REASON_MAX = 500


@dataclass(frozen=True, slots=True)
class Filed:
    """What a committed batch did, and what agents may now be told.

    `outcomes` counts pairs of phase (or kind of message) and outcome.
    """

    told: tuple[tuple[Outbox, Told], ...]
    outcomes: Counter[tuple[str, str]]


class _Batch:
    """One try at a batch, in one transaction."""

    def __init__(self, connection: Connection, job: "_Job") -> None:
        self._connection = connection
        self._filing = Filing(connection, job.rules, job.now, job.memory)
        self._now = job.now
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.told: dict[Outbox, Told] = {}
        self._told_by: dict[tuple[str, str, int], Told] = {}

    def file(self, messages: Sequence[Readable | Unreadable]) -> None:
        messages = self._of_their_city(messages)
        self._filing.prepare(
            [
                one.message
                for one in messages
                if isinstance(one, Readable) and isinstance(one.message, Report)
            ]
        )
        for message in messages:
            if isinstance(message, Unreadable):
                self._quarantine(message)
            elif isinstance(message.message, Report):
                self._file_report(message, message.message)
            elif isinstance(message.message, Canary):
                self._hold_canary(message, message.message)
            else:
                self._hold(message.message)
        self._filing.write()

    def committed(self) -> None:
        self._filing.committed()

    def _of_their_city(
        self, messages: Sequence[Readable | Unreadable]
    ) -> list[Readable | Unreadable]:
        """Refuse what an enrolled agent says as one of another city: not every broker does."""
        readable = [one for one in messages if isinstance(one, Readable)]
        cities = cities_of(self._connection, {one.address.agent_id for one in readable})
        return [
            one
            if isinstance(one, Unreadable)
            or (city := cities.get(one.address.agent_id)) in (None, one.address.city)
            else _failed(one, _foreign(one, city))
            for one in messages
        ]

    @property
    def _here(self) -> frozenset[str]:
        return self._filing.desk.evidence_here

    def _file_report(self, message: Readable, report: Report) -> None:
        try:
            outcome = self._filing.take(report, message.delivery.body, message.sha256)
        except (ConflictingReport, UnstorableReport) as error:
            self._quarantine(_failed(message, error))
            return
        told = self._told(message.address, report.outbox_id)
        told.seqs.append(report.seq)
        if report.evidence:
            told.evidence.update(n.sha256 for n in report.evidence if n.sha256 in self._here)
        self.outcomes[report.phase, outcome] += 1

    def _hold_canary(self, message: Readable, canary: Canary) -> None:
        if canary.seq > SEQ_MAX:
            self._quarantine(_failed(message, UnstorableReport(f"seq {canary.seq} is too large")))
            return
        hold_canary(self._connection, canary, self._now)
        self._told(message.address, canary.outbox_id).seqs.append(canary.seq)
        self.outcomes["canary", "held"] += 1

    def _hold(self, message: AgentStatus | CameraHealth | CommandResult) -> None:
        if isinstance(message, AgentStatus):
            hold_status(self._connection, message, self._now)
            self.outcomes["status", "held"] += 1
        elif isinstance(message, CameraHealth):
            hold_health(self._connection, message, self._now)
            self.outcomes["health", "held"] += 1
        else:
            hold_result(self._connection, message, self._now)
            self.outcomes["result", "held"] += 1

    def _quarantine(self, message: Unreadable) -> None:
        hold_quarantined(self._connection, message, self._now)
        self.outcomes["unreadable", "quarantined"] += 1
        if message.address is not None and message.place is not None:
            told = self._told(message.address, message.place.outbox_id)
            told.seqs.append(message.place.seq)
            told.quarantined[message.place.seq] = message.reason

    def _told(self, address: AgentAddress, outbox_id: UUID) -> Told:
        # What these keys are made of tells its hash a lot sooner than what they stand for.
        key = (address.city, address.agent_id, outbox_id.int)
        if (told := self._told_by.get(key)) is None:
            told = self._told_by[key] = self.told[address, outbox_id] = Told()
        return told


def file_batch(  # noqa: PLR0913 -- what is filed, by which rules, and how the ingest does so
    engine: Engine,
    messages: Sequence[Readable | Unreadable],
    rules: FilingRules,
    now: datetime,
    at_commit: Callable[[], None] = lambda: None,
    memory: Memory | None = None,
    *,
    durable: bool = True,
) -> Filed:
    """File every message, in few transactions where none of them is poison.

    What cannot be filed as a whole is filed in halves, so that what one message causes
    sends it alone into quarantine. `at_commit` is called before each commit, during which the
    interpreter is free. `memory`, of use on SQLite, is the same one from batch to batch. Without
    `durable`, nobody may be told before the log was flushed. Raises StoreUnavailable; what was
    committed before stands.
    """
    if engine.dialect.name == "sqlite":
        return _file_share(_Job(engine, rules, now, at_commit, durable, memory), (), messages)
    job = _Job(engine, rules, now, at_commit, durable)
    shares = _shares(_parts(messages))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        tried = list(threads.map(partial(_try_share, job), shares))
        # What another worker files now comes last.
        taken = [share for share, filed in zip(shares, tried, strict=True) if filed is None]
        then = list(threads.map(lambda share: _file_share(job, *share), taken))
    return _joined([*filter(None, tried), *then])


def _parts(messages: Iterable[Readable | Unreadable]) -> dict[str, list[Readable | Unreadable]]:
    """The messages of each part, in the order of their coming."""
    parts: dict[str, list[Readable | Unreadable]] = {}
    for one in messages:
        report = one.message if isinstance(one, Readable) else None
        part = report.family.value if isinstance(report, Report) else _NO_REPORTS
        parts.setdefault(part, []).append(one)
    return parts


def _shares(parts: Mapping[str, list[Readable | Unreadable]]) -> list[_Share]:
    """The parts, so many together that each transaction has enough to do."""
    shares: list[_Share] = []
    names: tuple[str, ...] = ()
    messages: list[Readable | Unreadable] = []
    for name in sorted(parts):
        names, messages = (*names, name), messages + parts[name]
        if len(messages) >= _ENOUGH:
            shares.append((names, messages))
            names, messages = (), []
    if names and shares:
        before = shares.pop()
        names, messages = before[0] + names, before[1] + messages
    return [*shares, (names, messages)] if names else shares


@dataclass(frozen=True, slots=True)
class _Job:
    """What all transactions of a batch share."""

    engine: Engine
    rules: FilingRules
    now: datetime
    at_commit: Callable[[], None]
    durable: bool
    memory: Memory | None = None


def _try_share(job: _Job, share: _Share) -> Filed | None:
    """File these parts, unless another worker files one of the same name now."""
    try:
        return _file_share(job, *share, wait=False)
    except PartTaken:
        return None


def _file_share(
    job: _Job,
    parts: tuple[str, ...],
    messages: Sequence[Readable | Unreadable],
    *,
    wait: bool = True,
) -> Filed:
    try:
        with writing(job.engine, *parts, wait=wait, durable=job.durable) as connection:
            batch = _Batch(connection, job)
            batch.file(messages)
            job.at_commit()
        batch.committed()
    except _OF_ONE_MESSAGE as error:
        if len(messages) == 1:
            (only,) = messages
            if isinstance(only, Unreadable):
                raise
            return _file_share(job, parts, [_failed(only, error)])
        middle = len(messages) // 2
        return _joined(_file_share(job, parts, h) for h in (messages[:middle], messages[middle:]))
    return Filed(tuple(batch.told.items()), batch.outcomes)


def _joined(parts: Iterable[Filed]) -> Filed:
    told: dict[Outbox, Told] = {}
    outcomes: Counter[tuple[str, str]] = Counter()
    for part in parts:
        outcomes += part.outcomes
        for outbox, held in part.told:
            told.setdefault(outbox, Told()).add(held)
    return Filed(tuple(told.items()), outcomes)


def hold_quarantined(connection: Connection, message: Unreadable, now: datetime) -> None:
    """Keep what could not be read, once however often it comes, with the newest reason."""
    delivery, place = message.delivery, message.place
    mark = hashlib.sha256(delivery.topic.encode() + b"\0" + delivery.body).hexdigest()
    values = {
        "fingerprint": mark,
        "topic": delivery.topic[:1000],
        "agent_id": message.address.agent_id if message.address else None,
        "outbox_id": place.outbox_id if place else None,
        "seq": place.seq if place else None,
        "reason": message.reason,
        "raw": delivery.body[:_RAW_MAX],
        "raw_bytes": len(delivery.body),
        "times": 1,
        "first_at": now,
        "last_at": now,
    }
    if not insert_new(connection, t.quarantine, values):
        row = t.quarantine.c
        connection.execute(
            update(t.quarantine)
            .where(row.fingerprint == mark)
            .values(times=row.times + 1, last_at=now, reason=message.reason)
        )


def _foreign(readable: Readable, city: str | None) -> ForeignCity:
    address = readable.address
    return ForeignCity(
        f"agent {address.agent_id} is enrolled in city {city}, the topic is of {address.city}; "
        "correct the agent's city, or enrol it there"
    )


def _failed(readable: Readable, error: BaseException) -> Unreadable:
    message = readable.message
    known = isinstance(error, ConflictingReport | ForeignCity | UnstorableReport)
    said = str(error) if known else f"cannot be filed: {error!r}"
    place = place_of(message) if isinstance(message, Report | Canary) else None
    if place is not None and place.seq > SEQ_MAX:
        place = None
    return Unreadable(readable.delivery, said[:_REASON_MAX], readable.address, place)
