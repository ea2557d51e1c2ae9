"""The ingest's loop: take a batch, commit it, have it told; beat; keep house.

A database that cannot be used now stops nothing: the batch is kept, not acknowledged, and tried
again with growing pauses, while the broker holds back what comes after it.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

import prometheus_client as prometheus

from central_ingest.clock import Now
from central_ingest.config import IngestSettings
from central_ingest.errors import StoreUnavailable
from central_ingest.handover import Batch
from central_ingest.ingest_metrics import IngestMetrics
from central_ingest.intake import Readable, Unreadable
from central_ingest.reader import Reader
from central_ingest.reports import Report
from central_ingest.store.batches import Filed, file_batch
from central_ingest.store.commands import any_due, take_due
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules
from central_ingest.store.fleet import WorkerBeat, beat, leave
from central_ingest.store.housekeeping import HouseRules, keep_house
from central_ingest.store.memory import Memory
from central_ingest.store.server_log import ServerLog
from central_ingest.store.write_ahead_log import WriteAheadLog
from central_ingest.telling import Committed, Telling
from contract.messages import encode
from contract.topics import Leaf

_log = logging.getLogger(__name__)
BEAT_S = 2.0
HOUSE_S = 60.0
COMMANDS_S = 1.0
_WARNING_S = 60.0
_WAIT_S = 0.25
_RETRY_MAX_S = 5.0


class Ingest:
    """One worker: takes what a reader hands over and writes it to the database."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        settings: IngestSettings,
        rules: tuple[FilingRules, HouseRules],
        now: Now,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._settings = settings
        self._rules, self._house = rules
        self._now = now
        self._started_at = now()
        self._metrics = IngestMetrics()
        sqlite = engine.dialect.name == "sqlite"
        self._log = WriteAheadLog(engine) if sqlite else ServerLog(engine)
        self._telling = Telling(reader, settings.receipt_ms / 1000, self._metrics, now)
        self._memory = Memory(settings.remembered_issues)
        self._next_beat_s = 0.0
        self._said = ""
        self._next_house_s = 0.0
        self._next_commands_s = 0.0
        self._quarantined = 0
        self._next_warning_s = 0.0

    def run(self, stopping: threading.Event, name: str) -> None:
        """Work until `stopping` is set; the batch under way is finished first.

        Raises SubscriberStopped, StoreError.
        """
        self._log.start()
        self._reader.start()
        self._telling.start()
        try:
            while not stopping.is_set():
                if (batch := self._reader.take(_WAIT_S)) is not None:
                    self._work(batch, stopping)
                self._telling.check()
                self._look_after(name)
        finally:
            self._telling.stop()
            self._reader.stop()
            self._log.stop()
        self._telling.check()
        self._leave(name)

    def _work(self, batch: Batch, stopping: threading.Event) -> None:
        messages = batch.messages
        with self._metrics.commit_s.time():
            done = self._commit(messages, stopping)
        if done is None:
            return
        filed, flush = done
        self._log.filed(len(messages))
        taken = len(messages) + batch.passed_over
        self._telling.add(Committed(batch.number, taken, filed.told, time.monotonic(), flush))
        captured_s = [
            one.message.captured_s
            for one in messages
            if isinstance(one, Readable) and isinstance(one.message, Report)
        ]
        self._metrics.passed_over.inc(batch.passed_over)
        self._metrics.count(filed, len(messages), captured_s, self._now())
        self._quarantined += filed.outcomes["unreadable", "quarantined"]
        self._warn()

    def _warn(self) -> None:
        """Say what was quarantined, once in a while: what is hostile must not fill the log."""
        if self._quarantined and time.monotonic() >= self._next_warning_s:
            _log.warning(
                "%d messages quarantined; `central-ingest quarantine list` says of whom and why",
                self._quarantined,
            )
            self._quarantined, self._next_warning_s = 0, time.monotonic() + _WARNING_S

    def _commit(
        self, messages: Sequence[Readable | Unreadable], stopping: threading.Event
    ) -> tuple[Filed, Callable[[], None]] | None:
        """The committed batch, and what brings it to disk.

        None when asked to stop before the database could be used.
        """
        pause_s, waited = 0.1, False
        while True:
            try:
                flush = self._log.wait()
                filed = file_batch(
                    self._engine,
                    messages,
                    self._rules,
                    self._now(),
                    self._reader.ask,
                    self._memory,
                    durable=False,
                )
            except StoreUnavailable as error:
                _log.error("%d messages wait: %s", len(messages), error)
                self._metrics.retries.inc()
                waited = True
            else:
                if waited:
                    _log.warning("the database works again: %d messages filed", len(messages))
                return filed, flush
            if stopping.wait(pause_s):
                return None
            pause_s = min(2 * pause_s, _RETRY_MAX_S)

    def _look_after(self, name: str) -> None:
        """Beat and keep house when it is time; a database that is away is tried again later."""
        now_s = time.monotonic()
        try:
            if now_s >= self._next_beat_s or self._reader.detail != self._said:
                self._next_beat_s = now_s + BEAT_S
                self._beat(name)
            if now_s >= self._next_commands_s and self._reader.connected:
                self._next_commands_s = now_s + COMMANDS_S
                self._offer_commands()
            if now_s >= self._next_house_s:
                self._next_house_s = now_s + HOUSE_S
                # Lost with the machine, it is done again.
                with writing(self._engine, durable=False) as connection:
                    keep_house(connection, self._house, self._now())
        except StoreUnavailable as error:
            _log.warning("%s", error)

    def _offer_commands(self) -> None:
        """Send the commands that wait for agents which are there, and for their answer."""
        with reading(self._engine) as connection:
            if not any_due(connection, self._now()):
                return
        with writing(self._engine) as connection:
            due = take_due(connection, self._now())
        self._reader.send([(to.topic(Leaf.COMMAND), encode(command)) for to, command in due])
        self._metrics.commands.inc(len(due))

    def _beat(self, name: str) -> None:
        self._metrics.connected.set(self._reader.connected)
        self._said = self._reader.detail
        said = WorkerBeat(
            name=name,
            pid=os.getpid(),
            started_at=self._started_at,
            beat_at=self._now(),
            connected=self._reader.connected,
            detail=self._said,
            metrics=prometheus.generate_latest(self._metrics.registry).decode(),
        )
        with writing(self._engine, f"worker {name}", durable=False) as connection:
            beat(connection, said)

    def _leave(self, name: str) -> None:
        """Say that nothing is filed any more: who moves the database needs not wait."""
        try:
            with writing(self._engine, f"worker {name}", durable=False) as connection:
                leave(connection, name, self._now())
        except StoreUnavailable as error:
            _log.warning("%s", error)
