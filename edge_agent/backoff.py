"""How long to wait before trying again."""

import random


def backoff_s(failures: int, first_s: float, longest_s: float) -> float:
    """Return the wait after the n-th failure in a row: doubling from first to longest, jittered.

    Jitter takes up to half away, so that what failed together does not come back together, and
    never adds, so that `longest_s` is a promise.
    """
    full_s = min(longest_s, first_s * 2.0 ** min(failures - 1, 20))
    return full_s * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, keeps no secret)
