"""How fast an agent offers reports, so that the centre never has to pass one over. Pure."""

from edge_agent.clock import Instant


class Pace:
    """A bucket: `per_s` a second, and at most `at_once` after a rest."""

    def __init__(self, per_s: float, at_once: int, now: Instant) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._left = float(at_once)
        self._at = now

    def room(self, now: Instant) -> int:
        """How many may go at `now`, which never lies before the last one asked about."""
        self._left = min(self._at_once, self._left + now.seconds_since(self._at) * self._per_s)
        self._at = now
        return int(self._left)

    def took(self, count: int) -> None:
        """Note that so many went."""
        self._left -= count
