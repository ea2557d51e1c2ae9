"""Store → MQTT, receipts → store: one thread that connects, offers, and listens.

Promises 1 and 2 of docs/design: only what is committed is offered; PUBACK marks it *sent*; what
has no receipt is offered again on every connection and every 60 s, marked `replayed`. A broker or
centre that is killed at any instant costs a repeat, never a report.
"""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import ValidationError

from contract.messages import (
    AgentStatus,
    CameraHealth,
    ClockState,
    Command,
    Receipt,
    encode,
    format_utc,
)
from contract.pace import AHEAD_OF_RECEIPTS_MAX, OFFERS_AT_ONCE, OFFERS_PER_S
from contract.topics import (
    PROPERTY_OUTBOX_ID,
    PROPERTY_PUBLISHED_AT,
    PROPERTY_REPLAYED,
    PROPERTY_SEQ,
    AgentAddress,
    Leaf,
)
from edge_agent.backoff import backoff_s
from edge_agent.clock import Clock, Instant
from edge_agent.clock_offset import ClockOffset, better, clock_state
from edge_agent.config import Broker
from edge_agent.errors import DeliveryError, DeliveryRefused
from edge_agent.mqtt import FAILED, NO_SUBSCRIBERS, Connection, Wakeup
from edge_agent.pace import Pace
from edge_agent.store import Store, WaitingReport

log = logging.getLogger(__name__)

RECEIPT_WITHIN_S = 60.0
REFUSED_AGAIN_S = 5.0
STATUS_EVERY_S = 60.0
IDLE_S = 0.5
BACKOFF_FIRST_S = 0.5
BACKOFF_LONGEST_S = 5.0
BACKOFF_REFUSED_S = 30.0


class Reports(Protocol):
    """What the publisher tells and asks the rest of the agent."""

    def status(self, state: Literal["online", "offline"]) -> AgentStatus:
        """Describe the agent as of now."""
        ...

    def command(self, command: Command) -> None:
        """Carry out a command, or refuse it; `answers` will hold the answer."""
        ...

    def answers(self, limit: int) -> list[bytes]:
        """Take the answers to commands that wait to be sent."""
        ...


@dataclass(frozen=True, slots=True)
class BrokerState:
    """Whether the broker is there, and in words what is wrong."""

    connected: bool = False
    detail: str = "not connected yet"


class Publisher:
    """Publishes one agent's reports, status and health; `run` is its thread."""

    def __init__(
        self, address: AgentAddress, broker: Broker, store: Store, clock: Clock, reports: Reports
    ) -> None:
        self._address = address
        self._broker = broker
        self._store = store
        self._clock = clock
        self._reports = reports
        self._wakeup = Wakeup()
        self._lock = threading.Lock()
        self._health: dict[str, bytes] = {}
        self._health_due: set[str] = set()
        self._offset: ClockOffset | None = None
        self.state = BrokerState()
        self.replayed = 0
        self.receipted = 0

    def wake(self) -> None:
        """Tell it that the store holds something new."""
        self._wakeup.ring()

    def set_health(self, health: CameraHealth) -> None:
        """Publish a camera's health: now, and again on every connection."""
        with self._lock:
            self._health[health.camera_id] = encode(health)
            self._health_due.add(health.camera_id)
        self.wake()

    def clock_state(self) -> ClockState:
        """Return the gateway clock against the centre's, as far as receipts told."""
        return clock_state(self._offset, self._clock.now())

    def run(self, stop: threading.Event) -> None:
        """Keep one connection after another until `stop` (ring `wake` after setting it)."""
        failures = 0
        while not stop.is_set():
            try:
                connection = self._connect()
                failures = 0
                self._serve(connection, stop)
                return
            except DeliveryError as error:
                failures += 1
                self._become(BrokerState(connected=False, detail=str(error)))
                stop.wait(wait_s(failures, error))

    def close(self) -> None:
        """Give back what wakes it; after `run` has returned for the last time."""
        self._wakeup.close()

    def _connect(self) -> Connection:
        will = encode(self._reports.status("offline"))
        connection = Connection(self._broker, self._address, will=will)
        connection.subscribe((Leaf.RECEIPT, Leaf.COMMAND))
        self._store.offer_all_again()
        with self._lock:
            self._health_due = set(self._health)
        self._become(BrokerState(connected=True, detail=""))
        return connection

    def _serve(self, connection: Connection, stop: threading.Event) -> None:
        delivery = _Delivery(connection, self._store, self._clock)
        status_at: Instant | None = None
        try:
            while not stop.is_set():
                now = self._clock.now()
                due = status_at is None or now.seconds_since(status_at) >= STATUS_EVERY_S
                if due and connection.room > 0:
                    status = encode(self._reports.status("online"))
                    connection.publish(Leaf.STATUS, status, retain=True)
                    status_at = now
                self._say(connection)
                self.replayed += delivery.offer()
                connection.turn(0 if delivery.more else IDLE_S, self._wakeup)
                delivery.take_pubacks()
                self._note_trouble(delivery)
                self._listen(connection, delivery)
        finally:
            if stop.is_set():
                connection.close(encode(self._reports.status("offline")))
            else:
                connection.drop()

    def _say(self, connection: Connection) -> None:
        """Publish answers, and health, which lives in memory only, as far as the window goes."""
        for answer in self._reports.answers(connection.room):
            connection.publish(Leaf.RESULT, answer)
        while connection.room > 0:
            with self._lock:
                if not self._health_due:
                    return
                health = self._health[self._health_due.pop()]
            connection.publish(Leaf.HEALTH, health)

    def _listen(self, connection: Connection, delivery: "_Delivery") -> None:
        for message in connection.arrived():
            try:
                if message.leaf is Leaf.RECEIPT:
                    self._receipt(Receipt.model_validate_json(message.payload), delivery)
                elif message.leaf is Leaf.COMMAND:
                    self._reports.command(Command.model_validate_json(message.payload))
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False)[0]
                log.warning("unreadable %s ignored: %s", message.leaf, first)

    def _receipt(self, receipt: Receipt, delivery: "_Delivery") -> None:
        for refused in receipt.quarantined:
            log.warning("the centre quarantined report %d: %s", refused.seq, refused.reason)
        now = self._clock.now()
        settled = self._store.settle(receipt)
        self.receipted += len(settled)
        sent = delivery.settled(settled)
        if sent is not None:
            sample = ClockOffset.between(sent, now, receipt.centre_time)
            self._offset = better(self._offset, sample, now)

    def _note_trouble(self, delivery: "_Delivery") -> None:
        self._become(BrokerState(connected=True, detail=delivery.trouble))

    def _become(self, state: BrokerState) -> None:
        if state != self.state:
            self.state = state
            level = logging.INFO if state.connected and not state.detail else logging.WARNING
            shown = f"broker {self._broker.host}:{self._broker.port}"
            log.log(level, "%s", state.detail or f"{shown}: connected")


class _Delivery:
    """The reports of one connection between their offer and their receipt."""

    def __init__(self, connection: Connection, store: Store, clock: Clock) -> None:
        self._connection = connection
        self._store = store
        self._clock = clock
        self._in_flight: dict[int, int] = {}
        self._unreceipted: OrderedDict[int, Instant] = OrderedDict()
        self._pace = Pace(OFFERS_PER_S, OFFERS_AT_ONCE, clock.now())
        self.more = False
        self.trouble = ""

    def offer(self) -> int:
        """Offer what is due, as far as the window goes; returns how much of it was a repeat."""
        now = self._clock.now()
        self._forget_unreceipted(now)
        unreceipted = AHEAD_OF_RECEIPTS_MAX - len(self._unreceipted)
        room = min(self._connection.room, unreceipted, self._pace.room(now))
        due = self._store.due(now.monotonic_s, room) if room > 0 else []
        self.more = 0 < room == len(due)
        if due:
            self._store.offered([r.seq for r in due], now.monotonic_s + RECEIPT_WITHIN_S)
        for report in due:
            self._publish(report, now)
        self._pace.took(len(due))
        return sum(report.tries > 0 for report in due)

    def take_pubacks(self) -> None:
        """Mark as sent what the broker took for somebody, and as not sent what it did not."""
        sent: list[int] = []
        refused: list[int] = []
        for answer in self._connection.pubacks():
            seq = self._in_flight.pop(answer.mid, None)
            if seq is None:
                continue
            self.trouble = _trouble(answer.code)
            if not self.trouble:
                sent.append(seq)
                continue
            refused.append(seq)
            self._unreceipted.pop(seq, None)
        if sent:
            self._store.sent(sent)
        if refused:
            again_s = self._clock.now().monotonic_s + REFUSED_AGAIN_S
            self._store.refused(refused, again_s)

    def settled(self, seqs: list[int]) -> Instant | None:
        """Forget receipted reports; returns when the last of them was offered here, if any was."""
        left = [at for seq in seqs if (at := self._unreceipted.pop(seq, None)) is not None]
        return max(left, key=lambda at: at.monotonic_s, default=None)

    def _forget_unreceipted(self, now: Instant) -> None:
        """Make room for those whose receipt is overdue; the store has them due again."""
        while self._unreceipted:
            seq, offered = next(iter(self._unreceipted.items()))
            if now.seconds_since(offered) < RECEIPT_WITHIN_S:
                return
            del self._unreceipted[seq]

    def _publish(self, report: WaitingReport, now: Instant) -> None:
        properties = (
            (PROPERTY_PUBLISHED_AT, format_utc(now.utc)),
            (PROPERTY_REPLAYED, "true" if report.tries else "false"),
            (PROPERTY_OUTBOX_ID, str(self._store.outbox_id)),
            (PROPERTY_SEQ, str(report.seq)),
        )
        mid = self._connection.publish(Leaf.ISSUE, report.body, properties=properties)
        self._in_flight[mid] = report.seq
        self._unreceipted[report.seq] = now
        self._unreceipted.move_to_end(report.seq)


def _trouble(puback: int) -> str:
    """Say what a PUBACK's reason code means; empty when the broker took the report for somebody."""
    if puback == NO_SUBSCRIBERS:
        return "the centre is not subscribed; reports wait here"
    if puback >= FAILED:
        return f"reports are refused (reason code {puback:#04x}); check the broker's ACL"
    return ""


def wait_s(failures: int, error: DeliveryError) -> float:
    """Return how long to wait after the n-th failure in a row."""
    if isinstance(error, DeliveryRefused):
        return backoff_s(1, BACKOFF_REFUSED_S, BACKOFF_REFUSED_S)
    return backoff_s(failures, BACKOFF_FIRST_S, BACKOFF_LONGEST_S)


def try_broker(broker: Broker, address: AgentAddress) -> None:
    """Connect and subscribe as the agent would, beside it. Raises DeliveryError."""
    connection = Connection(broker, address, will=None, suffix="-check")
    connection.subscribe((Leaf.RECEIPT, Leaf.COMMAND))
    connection.close()
