"""What the ingest counts; it travels to `/metrics` with each beat."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate

import prometheus_client as prometheus
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from central_ingest.store.batches import Filed


class IngestMetrics:
    """The counters of one worker."""

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
        self.forgotten = prometheus.Counter(
            "gridwatch_ingest_forgotten",
            "Messages that the database's server may have lost; the broker sends them again",
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
        self.flush_s = prometheus.Histogram(
            "gridwatch_ingest_flush_seconds",
            "From a batch's commit until the disk has it",
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
