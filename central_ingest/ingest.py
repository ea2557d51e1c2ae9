"""The ingest's loop: take a batch, commit it, then receipt and PUBACK; beat; keep house.

A database that cannot be used now stops nothing: the batch is kept, not acknowledged, and tried
again with growing pauses, while the broker holds back what comes after it.
"""

import logging
import os
import threading
import time
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from central_ingest.clock import Now
from central_ingest.errors import StoreUnavailable
from central_ingest.intake import Readable, Unreadable, read
from central_ingest.store.batches import REPORTS, Filed, file_batch
from central_ingest.store.commands import any_due, take_due
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules
from central_ingest.store.fleet import WorkerBeat, beat
from central_ingest.store.housekeeping import HouseRules, keep_house
from central_ingest.subscriber import Received, Subscriber

_log = logging.getLogger(__name__)
BEAT_S = 2.0
HOUSE_S = 60.0
COMMANDS_S = 1.0
_TAKE_WAIT_S = 0.25
_RETRY_MAX_S = 5.0


class IngestMetrics:
    """What the ingest counts; it travels to `/metrics` with each beat."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "gridwatch_ingest_messages",
            "Messages committed, by phase or kind and by outcome",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self.receipts = Counter(
            "gridwatch_ingest_receipts", "Receipts sent", registry=self.registry
        )
        self.commands = Counter(
            "gridwatch_ingest_commands", "Commands sent to agents", registry=self.registry
        )
        self.pubacks = Counter("gridwatch_ingest_pubacks", "PUBACKs sent", registry=self.registry)
        self.retries = Counter(
            "gridwatch_ingest_batch_retries",
            "Batches tried again because the database could not be used",
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "gridwatch_ingest_batch_messages",
            "Messages in one transaction",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
            registry=self.registry,
        )
        self.commit_s = Histogram(
            "gridwatch_ingest_commit_seconds",
            "From taking a batch to its commit",
            registry=self.registry,
        )
        self.lag_s = Histogram(
            "gridwatch_ingest_lag_seconds",
            "From the frame that caused a report to its commit, by the clocks of agent and centre",
            buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
            registry=self.registry,
        )
        self.connected = Gauge(
            "gridwatch_ingest_connected", "Whether the broker answers", registry=self.registry
        )

    def count(self, filed: Filed, messages: Sequence[Readable | Unreadable], now: datetime) -> None:
        """Count one committed batch."""
        self.batch_size.observe(len(messages))
        for (kind, outcome), times in filed.outcomes.items():
            self.messages.labels(kind, outcome).inc(times)
        for message in messages:
            if isinstance(message, Readable) and isinstance(message.message, REPORTS):
                lag = (now - message.message.captured_at).total_seconds()
                self.lag_s.observe(max(0.0, lag))


class Ingest:
    """One worker: owns a subscriber and writes to the database."""

    def __init__(
        self,
        engine: Engine,
        subscriber: Subscriber,
        rules: FilingRules,
        house: HouseRules,
        now: Now,
    ) -> None:
        self._engine = engine
        self._subscriber = subscriber
        self._rules = rules
        self._house = house
        self._now = now
        self._started_at = now()
        self._metrics = IngestMetrics()
        self._next_beat_s = 0.0
        self._said = ""
        self._next_house_s = 0.0
        self._next_commands_s = 0.0

    def run(self, stopping: threading.Event, name: str, body_max_bytes: int) -> None:
        """Work until `stopping` is set; the batch under way is finished first."""
        self._subscriber.start()
        try:
            while not stopping.is_set():
                if batch := self._subscriber.take(_TAKE_WAIT_S):
                    self._work(batch, body_max_bytes, stopping)
                self._look_after(name)
        finally:
            self._subscriber.stop()

    def _work(
        self, batch: Sequence[Received], body_max_bytes: int, stopping: threading.Event
    ) -> None:
        messages = [read(one.delivery, body_max_bytes) for one in batch]
        with self._metrics.commit_s.time():
            filed = self._commit(messages, stopping)
        if filed is None:
            return
        # Receipts first, on the same connection: the broker that has the PUBACK has the receipt,
        # so a kill between the two costs a repeat, not a receipt.
        self._metrics.receipts.inc(self._subscriber.send_receipts(filed.receipts))
        self._metrics.pubacks.inc(self._subscriber.acknowledge(batch))
        self._metrics.count(filed, messages, self._now())

    def _commit(
        self, messages: Sequence[Readable | Unreadable], stopping: threading.Event
    ) -> Filed | None:
        """The committed batch; None when asked to stop before the database could be used."""
        pause_s = 0.1
        while True:
            try:
                return file_batch(self._engine, messages, self._rules, self._now())
            except StoreUnavailable as error:
                _log.error("%d messages wait: %s", len(messages), error)
                self._metrics.retries.inc()
            if stopping.wait(pause_s):
                return None
            pause_s = min(2 * pause_s, _RETRY_MAX_S)

    def _look_after(self, name: str) -> None:
        """Beat and keep house when it is time; a database that is away is tried again later."""
        now_s = time.monotonic()
        try:
            if now_s >= self._next_beat_s or self._subscriber.detail != self._said:
                self._next_beat_s = now_s + BEAT_S
                self._beat(name)
            if now_s >= self._next_commands_s and self._subscriber.connected:
                self._next_commands_s = now_s + COMMANDS_S
                self._offer_commands()
            if now_s >= self._next_house_s:
                self._next_house_s = now_s + HOUSE_S
                with writing(self._engine) as connection:
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
        self._metrics.commands.inc(self._subscriber.send_commands(due))

    def _beat(self, name: str) -> None:
        self._metrics.connected.set(self._subscriber.connected)
        self._said = self._subscriber.detail
        said = WorkerBeat(
            name=name,
            pid=os.getpid(),
            started_at=self._started_at,
            beat_at=self._now(),
            connected=self._subscriber.connected,
            detail=self._said,
            metrics=generate_latest(self._metrics.registry).decode(),
        )
        with writing(self._engine) as connection:
            beat(connection, said)
