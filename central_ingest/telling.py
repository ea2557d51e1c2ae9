"""What was committed → to disk, then receipts, then PUBACKs; beside the filing that goes on.

Nobody is told of what the disk does not have. The thread here waits for it, however long, and the
next batches are committed meanwhile, up to what the broker sends without PUBACKs. One wait serves
all batches that were committed before it began. What a database's server may have lost is
forgotten: the broker sends it again.
"""

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from central_ingest.clock import Now
from central_ingest.errors import StoreUnavailable
from central_ingest.ingest_metrics import IngestMetrics
from central_ingest.reader import Reader
from central_ingest.receipts import Outbox, PacedReceipts, Told, receipt_body
from contract.topics import Leaf

_log = logging.getLogger(__name__)
_SHORTEST_WAIT_S = 0.01


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch of so many messages, by the number that the reader knows it by.

    `flush` brings it to disk, and others that were committed before it is called. It raises
    StoreUnavailable where they may be lost, and StoreError where the worker must end.
    """

    number: int
    messages: int
    told: tuple[tuple[Outbox, Told], ...]
    at_s: float
    flush: Callable[[], None]


class Telling:
    """One thread; it works from `start` to `stop`, or until the disk refuses."""

    def __init__(
        self,
        reader: Reader,
        pause_s: float,
        metrics: IngestMetrics,
        now: Now,
    ) -> None:
        """An agent is told every `pause_s` at most."""
        self._reader = reader
        self._pause_s = pause_s
        self._metrics = metrics
        self._now = now
        self._committed: SimpleQueue[Committed | None] = SimpleQueue()  # None: there is no more
        self._receipts = PacedReceipts(pause_s)
        # Their messages' PUBACKs wait for their receipts, each since so many seconds.
        self._flushed: deque[tuple[float, Committed]] = deque()
        self._thread = ThreadPoolExecutor(1, "telling")
        self._work: Future[None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._work = self._thread.submit(self._run)

    def stop(self) -> None:
        """Tell everything that was committed, without pauses, and end."""
        self._committed.put(None)
        self._thread.shutdown()

    def add(self, committed: Committed) -> None:
        """Have this told when the disk has it; the order stays."""
        self._committed.put(committed)

    def check(self) -> None:
        """Raises what the thread ended by: StoreError where the disk refused."""
        if self._work is not None and self._work.done():
            self._work.result()

    def _run(self) -> None:
        ended = False
        while not ended:
            taken = self._take()
            ended = None in taken
            batches = [one for one in taken if one is not None]
            for flush, together in itertools.groupby(batches, lambda one: one.flush):
                self._bring_to_disk(flush, list(together))
            # What waits for its pause is told at the end.
            self._tell(time.monotonic() + (self._pause_s if ended else 0.0))

    def _take(self) -> list[Committed | None]:
        """What was committed since the last time; empty when a receipt's pause may be over."""
        waiting = not self._receipts.empty or self._flushed
        try:
            wait_s = max(_SHORTEST_WAIT_S, self._pause_s) if waiting else None
            taken = [self._committed.get(timeout=wait_s)]
        except Empty:
            return []
        while not self._committed.empty():  # nobody else takes
            taken.append(self._committed.get())
        return taken

    def _bring_to_disk(self, flush: Callable[[], None], batches: list[Committed]) -> None:
        try:
            flush()
        except StoreUnavailable as error:
            messages = sum(batch.messages for batch in batches)
            _log.warning("%d messages are asked for again, they may be lost: %s", messages, error)
            self._metrics.forgotten.inc(messages)
            self._reader.forget([batch.number for batch in batches])
            return
        now_s = time.monotonic()
        for batch in batches:
            self._metrics.flush_s.observe(now_s - batch.at_s)
            self._receipts.add(batch.told)
            self._flushed.append((now_s, batch))

    def _tell(self, now_s: float) -> None:
        """Send the receipts that are due, then the PUBACKs of all batches that are receipted.

        Receipts first, on the same connection: the broker that has the PUBACK has the receipt, so
        a kill between the two costs a repeat, not a receipt. PUBACKs stay in order.
        """
        if not self._reader.connected:
            self._receipts.forget()
        now = self._now()
        due = [
            (outbox[0].topic(Leaf.RECEIPT), receipt_body(outbox, told, now))
            for outbox, told in self._receipts.due(now_s)
        ]
        if due:
            self._reader.send(due)
            self._metrics.receipts.inc(len(due))
        receipted = list[Committed]()
        while self._flushed and (
            self._receipts.empty or self._flushed[0][0] <= now_s - self._pause_s
        ):
            receipted.append(self._flushed.popleft()[1])
        if receipted:
            self._reader.acknowledge([batch.number for batch in receipted])
            self._metrics.pubacks.inc(sum(batch.messages for batch in receipted))
