"""The ingest's loop: take a batch, commit it, then receipt and PUBACK; beat; keep house.

A database that cannot be used now stops nothing: the batch is kept, not acknowledged, and tried
again with growing pauses, while the broker holds back what comes after it.
"""

import logging
import os
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import prometheus_client as prometheus
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from central_ingest.clock import Now
from central_ingest.config import IngestSettings
from central_ingest.errors import StoreUnavailable
from central_ingest.handover import Batch, messages_of
from central_ingest.intake import Readable, Unreadable
from central_ingest.reader import Reader
from central_ingest.receipts import PacedReceipts, receipt_body
from central_ingest.reports import Report
from central_ingest.store.batches import Filed, file_batch
from central_ingest.store.checkpoints import Checkpoints
from central_ingest.store.commands import any_due, take_due
from central_ingest.store.database import Engine, reading, writing
from central_ingest.store.filing import FilingRules
from central_ingest.store.fleet import WorkerBeat, beat
from central_ingest.store.housekeeping import HouseRules, keep_house
from central_ingest.store.memory import Memory
from contract.messages import encode
from contract.topics import Leaf

_log = logging.getLogger(__name__)
BEAT_S = 2.0
HOUSE_S = 60.0
COMMANDS_S = 1.0
_WAIT_S = 0.25
_RETRY_MAX_S = 5.0


class IngestMetrics:
    """What the ingest counts; it travels to `/metrics` with each beat."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self.messages = prometheus.Counter(
            "gridwatch_ingest_messages",
            "Messages committed, by phase or kind and by outcome",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self.receipts = prometheus.Counter(
            "gridwatch_ingest_receipts", "Receipts sent", registry=self.registry
        )
        self.commands = prometheus.Counter(
            "gridwatch_ingest_commands", "Commands sent to agents", registry=self.registry
        )
        self.pubacks = prometheus.Counter(
            "gridwatch_ingest_pubacks", "PUBACKs sent", registry=self.registry
        )
        self.retries = prometheus.Counter(
            "gridwatch_ingest_batch_retries",
            "Batches tried again because the database could not be used",
            registry=self.registry,
        )
        self.passed_over = prometheus.Counter(
            "gridwatch_ingest_passed_over",
            "Messages beyond what one agent may pour in; their agent offers them again",
            registry=self.registry,
        )
        self.batch_size = prometheus.Histogram(
            "gridwatch_ingest_batch_messages",
            "Messages in one transaction",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2500, 5000, 10_000),
            registry=self.registry,
        )
        self.commit_s = prometheus.Histogram(
            "gridwatch_ingest_commit_seconds",
            "From taking a batch to its commit",
            registry=self.registry,
        )
        self.lag_s = Lags()
        self.registry.register(self.lag_s)
        self.connected = prometheus.Gauge(
            "gridwatch_ingest_connected", "Whether the broker answers", registry=self.registry
        )

    def count(
        self, filed: Filed, messages: int, captured_s: Sequence[float], now: datetime
    ) -> None:
        """Count one committed batch."""
        self.batch_size.observe(messages)
        for (kind, outcome), times in filed.outcomes.items():
            self.messages.labels(kind, outcome).inc(times)
        self.lag_s.observe(captured_s, now.timestamp())


class Lags(Collector):
    """A histogram of lags that is told of a whole batch at once."""

    _BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

    def __init__(self) -> None:
        self._times = [0] * (len(self._BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, captured_s: Sequence[float], now_s: float) -> None:
        """Count how long ago each of these moments is."""
        for at_s in captured_s:
            lag_s = max(0.0, now_s - at_s)
            self._times[bisect_left(self._BOUNDS_S, lag_s)] += 1
            self._sum_s += lag_s

    def collect(self) -> Iterable[Metric]:
        """What the registry shows of it."""
        bounds = [*map(str, self._BOUNDS_S), "+Inf"]
        buckets = list(zip(bounds, accumulate(map(float, self._times)), strict=True))
        yield HistogramMetricFamily(
            "gridwatch_ingest_lag_seconds",
            "From the frame that caused a report to its commit, by the clocks of agent and centre",
            buckets=buckets,
            sum_value=self._sum_s,
        )


@dataclass(frozen=True, slots=True)
class _Committed:
    """A batch of so many messages that may be acknowledged once its receipts are told."""

    at_s: float
    number: int
    messages: int


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
        self._receipts = PacedReceipts(settings.receipt_ms / 1000)
        self._committed: deque[_Committed] = deque()
        self._started_at = now()
        self._metrics = IngestMetrics()
        self._checkpoints = Checkpoints(engine)
        self._memory = Memory(settings.remembered_issues)
        self._next_beat_s = 0.0
        self._said = ""
        self._next_house_s = 0.0
        self._next_commands_s = 0.0

    def run(self, stopping: threading.Event, name: str) -> None:
        """Work until `stopping` is set; the batch under way is finished first.

        Raises SubscriberStopped, StoreError.
        """
        self._reader.start()
        self._checkpoints.start()
        try:
            while not stopping.is_set():
                if (batch := self._reader.take(self._wait_s)) is not None:
                    self._work(batch, stopping)
                else:
                    self._tell()
                self._look_after(name)
        finally:
            self._reader.stop()
            self._checkpoints.stop()

    @property
    def _wait_s(self) -> float:
        """How long to wait for more; a receipt that waits for its pause shortens it."""
        return min(_WAIT_S, max(0.01, self._settings.receipt_ms / 1000))

    def _work(self, batch: Batch, stopping: threading.Event) -> None:
        messages = messages_of(batch, self._settings.body_max_bytes)
        self._checkpoints.wait()
        with self._metrics.commit_s.time():
            filed = self._commit(messages, stopping)
        if filed is None:
            return
        self._checkpoints.filed(len(messages))  # goes on beside the rest of this
        self._receipts.add(filed.told)
        taken = len(messages) + batch.passed_over
        self._committed.append(_Committed(time.monotonic(), batch.number, taken))
        self._tell()
        captured_s = [
            one.message.captured_at.timestamp()
            for one in messages
            if isinstance(one, Readable) and isinstance(one.message, Report)
        ]
        self._metrics.passed_over.inc(batch.passed_over)
        self._metrics.count(filed, len(messages), captured_s, self._now())

    def _tell(self) -> None:
        """Send the receipts that are due, then the PUBACKs of all batches that are receipted.

        Receipts first, on the same connection: the broker that has the PUBACK has the receipt, so
        a kill between the two costs a repeat, not a receipt. PUBACKs stay in order.
        """
        if not self._reader.connected:
            self._receipts.forget()
        now, now_s = self._now(), time.monotonic()
        due = [
            (outbox[0].topic(Leaf.RECEIPT), receipt_body(outbox, told, now))
            for outbox, told in self._receipts.due(now_s)
        ]
        if due:
            self._reader.send(due)
            self._metrics.receipts.inc(len(due))
        told_until_s = now_s - self._settings.receipt_ms / 1000
        told = list[_Committed]()
        while self._committed and (self._receipts.empty or self._committed[0].at_s <= told_until_s):
            told.append(self._committed.popleft())
        if told:
            self._reader.acknowledge([batch.number for batch in told])
            self._metrics.pubacks.inc(sum(batch.messages for batch in told))

    def _commit(
        self, messages: Sequence[Readable | Unreadable], stopping: threading.Event
    ) -> Filed | None:
        """The committed batch; None when asked to stop before the database could be used."""
        pause_s = 0.1
        while True:
            try:
                return file_batch(
                    self._engine,
                    messages,
                    self._rules,
                    self._now(),
                    self._reader.ask,
                    self._memory,
                )
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
            if now_s >= self._next_beat_s or self._reader.detail != self._said:
                self._next_beat_s = now_s + BEAT_S
                self._beat(name)
            if now_s >= self._next_commands_s and self._reader.connected:
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
        with writing(self._engine, f"worker {name}") as connection:
            beat(connection, said)
