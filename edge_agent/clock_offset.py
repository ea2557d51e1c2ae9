"""The gateway's clock against the centre's, from receipts; pure."""

from dataclasses import dataclass
from datetime import datetime

from contract.messages import ClockState
from edge_agent.clock import Instant

# A sample serves until a better one comes, or for so long; crystals drift about 1 s a day.
SAMPLE_VALID_S = 600.0
# Beyond this nobody answers for the offset any more.
SYNCED_S = 3600.0
DRIFT = 2e-5
UNKNOWN_ERROR_S = 3600.0


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Centre minus gateway in seconds, good to `error_s` when it was `measured`."""

    offset_s: float
    error_s: float
    measured: Instant

    @classmethod
    def between(cls, sent: Instant, received: Instant, centre_time: datetime) -> "ClockOffset":
        """Bound the offset: the centre's time lies between a report's leaving and its receipt.

        The middle is the estimate and half the round trip its error (as NTP does, RFC 5905).
        """
        half_s = received.seconds_since(sent) / 2
        offset_s = (centre_time - received.utc).total_seconds() + half_s
        return cls(offset_s, half_s, received)

    def error_at(self, now: Instant) -> float:
        """Return the error now: what was measured, and the drift since."""
        return self.error_s + DRIFT * now.seconds_since(self.measured)


def better(known: ClockOffset | None, sample: ClockOffset, now: Instant) -> ClockOffset:
    """Choose between what is known and a new sample."""
    if known is None or now.seconds_since(known.measured) > SAMPLE_VALID_S:
        return sample
    return sample if sample.error_s <= known.error_at(now) else known


def clock_state(known: ClockOffset | None, now: Instant) -> ClockState:
    """Say it in the contract's words; without a recent receipt nothing is promised."""
    if known is None:
        return ClockState(offset_s=0.0, error_s=UNKNOWN_ERROR_S, synced=False)
    return ClockState(
        offset_s=round(known.offset_s, 3),
        error_s=round(known.error_at(now), 3),
        synced=now.seconds_since(known.measured) <= SYNCED_S,
    )
