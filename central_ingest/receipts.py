"""What agents are told that the centre holds: gathered per outbox, paced, written as bytes. Pure.

An agent that reports seldom gets each receipt at once; one that reports much gets a receipt every
`pause_s`, which holds all that was committed meanwhile. An agent sends a bounded number of reports
ahead of its receipts, so their pace also bounds what one agent can pour in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from contract.messages import Quarantined, Receipt, encode, format_utc
from contract.topics import AgentAddress

Outbox = tuple[AgentAddress, UUID]


@dataclass(slots=True)
class Told:
    """What one agent's outbox is told: seqs held, those of them in quarantine, evidence held."""

    seqs: list[int] = field(default_factory=list)
    quarantined: dict[int, str] = field(default_factory=dict)
    evidence: set[str] = field(default_factory=set)

    def add(self, other: "Told") -> None:
        """Let this hold what the other holds too."""
        self.seqs += other.seqs
        self.quarantined |= other.quarantined
        self.evidence |= other.evidence


class PacedReceipts:
    """What is committed and not yet told."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._waiting: dict[Outbox, Told] = {}
        self._last_s: dict[Outbox, float] = {}

    def add(self, told: Iterable[tuple[Outbox, Told]]) -> None:
        """Remember what was committed."""
        for outbox, held in told:
            self._waiting.setdefault(outbox, Told()).add(held)

    def due(self, now_s: float) -> list[tuple[Outbox, Told]]:
        """Hand out what may be told now; the rest waits for its pause to end."""
        ready = [
            (outbox, held)
            for outbox, held in self._waiting.items()
            if now_s - self._last_s.get(outbox, -self._pause_s) >= self._pause_s
        ]
        # Only those that were told within the pause are remembered: nothing grows for ever.
        self._last_s = {o: at_s for o, at_s in self._last_s.items() if now_s - at_s < self._pause_s}
        for outbox, _ in ready:
            del self._waiting[outbox]
            self._last_s[outbox] = now_s
        return ready

    @property
    def empty(self) -> bool:
        """Whether everything committed was told."""
        return not self._waiting

    def forget(self) -> None:
        """Drop what waits: the connection ended, and agents offer again what nobody receipted."""
        self._waiting.clear()


def ranges_of(seqs: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Rising, separate ranges that hold exactly these numbers."""
    ranges: list[tuple[int, int]] = []
    for seq in sorted(set(seqs)):
        if ranges and ranges[-1][1] == seq - 1:
            ranges[-1] = (ranges[-1][0], seq)
        else:
            ranges.append((seq, seq))
    return tuple(ranges)


def receipt_of(outbox: Outbox, told: Told, now: datetime) -> Receipt:
    """The receipt as the contract has it."""
    address, outbox_id = outbox
    return Receipt(
        agent_id=address.agent_id,
        outbox_id=outbox_id,
        ranges=ranges_of(told.seqs),
        quarantined=tuple(
            Quarantined(seq=seq, reason=reason) for seq, reason in sorted(told.quarantined.items())
        ),
        centre_time=now,
        evidence=tuple(sorted(told.evidence)),
    )


def receipt_body(outbox: Outbox, told: Told, now: datetime) -> bytes:
    """The bytes of `receipt_of`, the plain ones without the cost of a model."""
    if told.quarantined:
        return encode(receipt_of(outbox, told, now))
    address, outbox_id = outbox
    return msgspec.json.encode(
        {
            "schema": "receipt/1.0",
            "agent_id": address.agent_id,
            "outbox_id": outbox_id,
            "ranges": ranges_of(told.seqs),
            "quarantined": (),
            "centre_time": format_utc(now),
            "evidence": sorted(told.evidence),
        }
    )
