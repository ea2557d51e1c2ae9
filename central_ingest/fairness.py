"""How much one agent may pour in of a kind, so that the others' reports stay quick. Pure.

A bucket an agent and kind: `per_s` a second, and half a second's worth at once, or what an agent
sends ahead of its receipts where that is more. What comes beyond is passed over: it is not held
and gets no receipt, so its agent keeps it and offers it again.
"""

from dataclasses import dataclass

from contract.pace import AHEAD_OF_RECEIPTS_MAX

_BURST_S = 0.5
_KEPT_MAX = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Allowances:
    """The buckets of all agents that were heard lately."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._buckets: dict[str, _Bucket] = {}

    def take(self, agent_id: str, wanted: int, now_s: float) -> int:
        """How many more reports of this agent may be filed at `now_s` (any rising clock)."""
        full = max(AHEAD_OF_RECEIPTS_MAX, self._per_s * _BURST_S)
        bucket = self._buckets.get(agent_id)
        if bucket is None:
            self._drop_full(now_s)
            bucket = self._buckets[agent_id] = _Bucket(full, now_s)
        bucket.left = min(full, bucket.left + (now_s - bucket.at_s) * self._per_s)
        bucket.at_s = now_s
        granted = min(wanted, int(bucket.left))
        bucket.left -= granted
        return granted

    def _drop_full(self, now_s: float) -> None:
        """Forget agents that were silent long enough to have a full bucket again."""
        if len(self._buckets) < _KEPT_MAX:
            return
        self._buckets = {
            agent: bucket
            for agent, bucket in self._buckets.items()
            if now_s - bucket.at_s < max(_BURST_S, AHEAD_OF_RECEIPTS_MAX / self._per_s)
        }
