"""How fast and how often an agent offers reports, so that it never drowns a centre that returns."""

import random

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


class Patience:
    """When to offer again what has no receipt: the longer the centre is silent, the more rarely."""

    def __init__(self) -> None:
        self._since: Instant | None = None

    def offered(self, now: Instant) -> None:
        """Note that an answer is waited for."""
        if self._since is None:
            self._since = now

    def heard(self, now: Instant, *, waiting: bool) -> None:
        """Note a receipt; `waiting` says whether others are still waited for."""
        self._since = now if waiting else None

    def silent_s(self, now: Instant) -> float:
        """How long the centre has been waited for."""
        return now.seconds_since(self._since) if self._since is not None else 0.0

    def wait_s(self, now: Instant, shortest_s: float, longest_s: float) -> float:
        """Half to whole of how long it was silent already, within these bounds.

        So the waits double about, and what went silent together does not come back together.
        """
        full_s = min(longest_s, self.silent_s(now))
        return max(shortest_s, full_s * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads load
