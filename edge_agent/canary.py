"""A synthetic report an hour, from end to end: when its receipt stays away, the way is broken.

It takes the way of every report, through store, broker and centre, but never becomes a case. So a
quiet street and a dead line look different, to the agent (here) and to the centre, which misses it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contract.messages import Canary, format_utc
from edge_agent.clock import Instant
from edge_agent.config import AgentInfo
from edge_agent.store import Store

log = logging.getLogger(__name__)

EVERY_S = 3600.0
RECEIPT_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class CanaryNow:
    """What is wrong with the way to the centre, in words, and when it last worked."""

    trouble: str = ""
    receipted_at: datetime | None = None


class CanaryWatch:
    """Puts canaries into the store and waits for their receipts; `tick` it every few seconds."""

    def __init__(self, agent: AgentInfo, store: Store) -> None:
        self._agent = agent
        self._store = store
        self._made: Instant | None = None
        self._waits = False
        self.now = CanaryNow()

    def tick(self, now: Instant) -> bool:
        """Look for the receipt, raise or end the alarm; returns whether a canary was put out.

        Never more than one waits. One that an earlier process left behind counts from this
        process's start.
        """
        waits = self._store.canary_waits()
        if self._made is None and waits:
            self._made, self._waits = now, True
        if self._waits and not waits:
            self._become(CanaryNow("", now.utc))
        self._waits = waits
        if waits:
            self._judge(now)
            return False
        if self._made is not None and now.seconds_since(self._made) < EVERY_S:
            return False
        self._store.add_canary(lambda outbox_id, seq: self._canary(outbox_id, seq, now))
        self._made, self._waits = now, True
        return True

    def _judge(self, now: Instant) -> None:
        waited_s = now.seconds_since(self._made) if self._made else 0.0
        if waited_s < RECEIPT_WITHIN_S:
            return
        since = format_utc(now.utc - timedelta(seconds=waited_s))
        self._become(
            CanaryNow(
                f"no receipt since {since} for the hourly test report: reports do not reach the "
                "centre; look at broker and ingest",
                self.now.receipted_at,
            )
        )

    def _become(self, state: CanaryNow) -> None:
        if state.trouble != self.now.trouble:
            level = logging.WARNING if state.trouble else logging.INFO
            log.log(level, "%s", state.trouble or "the hourly test report was receipted again")
        self.now = state

    def _canary(self, outbox_id: UUID, seq: int, now: Instant) -> Canary:
        return Canary(
            city=self._agent.city,
            agent_id=self._agent.id,
            outbox_id=outbox_id,
            seq=seq,
            made_at=now.utc,
        )
