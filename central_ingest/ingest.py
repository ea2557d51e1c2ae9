"""The ingest's loop: take a batch, commit it, then receipt and PUBACK; beat; keep house.

A database that cannot be used now stops nothing: the batch is kept, not acknowledged, and tried
again with growing pauses, while the broker holds back what comes after it.
"""

import logging
import os
import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from queue import Empty, Full, Queue

import prometheus_client as prometheus
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from central_ingest.clock import Now
from central_ingest.config import IngestSettings
from central_ingest.errors import StoreUnavailable, SubscriberStopped
from central_ingest.fairness import Allowances
from central_ingest.intake import Readable, Unreadable, read
from central_ingest.receipts import PacedReceipts, receipt_body
from central_ingest.store.batches import REPORTS, Filed, file_batch
from central_ingest.store.checkpoints import Checkpoints
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
class Prepared:
    """A batch that was taken apart; `messages` lacks those of agents that pour in too much."""

    batch: Sequence[Received]
    messages: Sequence[Readable | Unreadable]
    captured_s: Sequence[float]


class Ingest:
    """One worker: owns a subscriber and writes to the database.

    While one batch is committed, the next one is taken apart on a thread of its own: the database
    works outside the interpreter then, and the two need not take turns at it line by line.
    """

    def __init__(
        self,
        engine: Engine,
        subscriber: Subscriber,
        settings: IngestSettings,
        rules: tuple[FilingRules, HouseRules],
        now: Now,
    ) -> None:
        self._engine = engine
        self._subscriber = subscriber
        self._settings = settings
        self._rules, self._house = rules
        self._now = now
        self._receipts = PacedReceipts(settings.receipt_ms / 1000)
        self._allowances = Allowances(settings.agent_per_s)
        self._committed: deque[tuple[float, Sequence[Received]]] = deque()
        self._started_at = now()
        self._metrics = IngestMetrics()
        self._checkpoints = Checkpoints(engine)
        self._prepared: Queue[Prepared | SubscriberStopped] = Queue(maxsize=1)
        self._free = threading.Event()  # whether the interpreter is: nothing is being decided
        self._next_beat_s = 0.0
        self._said = ""
        self._next_house_s = 0.0
        self._next_commands_s = 0.0

    def run(self, stopping: threading.Event, name: str) -> None:
        """Work until `stopping` is set; the batch under way is finished first.

        Raises SubscriberStopped, StoreError.
        """
        self._subscriber.start()
        self._checkpoints.start()
        reader = threading.Thread(target=self._prepare, args=(stopping,), name="reading")
        reader.start()
        try:
            while not stopping.is_set():
                self._free.set()
                try:
                    ready = self._prepared.get(timeout=self._wait_s)
                except Empty:
                    if not reader.is_alive() and not stopping.is_set():
                        raise SubscriberStopped(
                            "the reading thread ended by an error; ingest must start again"
                        ) from None
                    self._tell()
                else:
                    self._free.clear()
                    self._work(ready, stopping)
                self._look_after(name)
        finally:
            stopping.set()
            reader.join()
            self._subscriber.stop()
            self._checkpoints.stop()

    @property
    def _wait_s(self) -> float:
        """How long to wait for more; a receipt that waits for its pause shortens it."""
        return min(_WAIT_S, max(0.01, self._settings.receipt_ms / 1000))

    def _prepare(self, stopping: threading.Event) -> None:
        """Take batches apart until told to stop, one ahead of what is filed."""
        while not stopping.is_set():
            if not self._free.wait(_WAIT_S):
                continue
            try:
                ready: Prepared | SubscriberStopped = self._take_apart()
            except SubscriberStopped as error:
                ready = error
            while isinstance(ready, SubscriberStopped) or ready.batch:
                try:
                    self._prepared.put(ready, timeout=_WAIT_S)
                    break
                except Full:
                    if stopping.is_set():
                        return

    def _take_apart(self) -> Prepared:
        batch = self._subscriber.take(_WAIT_S)
        messages = [
            read(one.delivery, self._settings.body_max_bytes) for one in self._allowed(batch)
        ]
        captured_s = [
            message.message.captured_at.timestamp()
            for message in messages
            if isinstance(message, Readable) and isinstance(message.message, REPORTS)
        ]
        return Prepared(batch, messages, captured_s)

    def _allowed(self, batch: Sequence[Received]) -> Sequence[Received]:
        """Those of agents that have not used up what one agent may pour in."""
        now_s, left = time.monotonic(), dict[str, int]()
        wanted = Counter(one.delivery.topic for one in batch)
        for topic, times in wanted.items():
            left[topic] = self._granted(topic, times, now_s)
        if left == wanted:
            return batch
        kept = []
        for one in batch:
            if left[one.delivery.topic] > 0:
                left[one.delivery.topic] -= 1
                kept.append(one)
        return kept

    def _granted(self, topic: str, wanted: int, now_s: float) -> int:
        parts = topic.split("/", 4)
        if len(parts) < 5:
            return wanted
        # Of each kind: a flood of reports must not cost the word that its agent went offline.
        return self._allowances.take("/".join(parts[2:5]), wanted, now_s)

    def _work(self, ready: Prepared | SubscriberStopped, stopping: threading.Event) -> None:
        if isinstance(ready, SubscriberStopped):
            raise ready
        with self._metrics.commit_s.time():
            filed = self._commit(ready.messages, stopping)
        if filed is None:
            return
        self._receipts.add(filed.told)
        self._committed.append((time.monotonic(), ready.batch))
        self._tell()
        self._metrics.passed_over.inc(len(ready.batch) - len(ready.messages))
        self._metrics.count(filed, len(ready.messages), ready.captured_s, self._now())
        self._checkpoints.filed(len(ready.messages))

    def _tell(self) -> None:
        """Send the receipts that are due, then the PUBACKs of all batches that are receipted.

        Receipts first, on the same connection: the broker that has the PUBACK has the receipt, so
        a kill between the two costs a repeat, not a receipt. PUBACKs stay in order.
        """
        if not self._subscriber.connected:
            self._receipts.forget()
        now, now_s = self._now(), time.monotonic()
        due = [
            (outbox[0], receipt_body(outbox, told, now))
            for outbox, told in self._receipts.due(now_s)
        ]
        self._metrics.receipts.inc(self._subscriber.send_receipts(due))
        told_until_s = now_s - self._settings.receipt_ms / 1000
        while self._committed and (self._receipts.empty or self._committed[0][0] <= told_until_s):
            _, batch = self._committed.popleft()
            self._metrics.pubacks.inc(self._subscriber.acknowledge(batch))

    def _commit(
        self, messages: Sequence[Readable | Unreadable], stopping: threading.Event
    ) -> Filed | None:
        """The committed batch; None when asked to stop before the database could be used."""
        pause_s = 0.1
        while True:
            try:
                return file_batch(self._engine, messages, self._rules, self._now(), self._free.set)
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
            metrics=prometheus.generate_latest(self._metrics.registry).decode(),
        )
        with writing(self._engine, f"worker {name}") as connection:
            beat(connection, said)
