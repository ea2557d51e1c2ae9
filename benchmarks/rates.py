"""Rates of rare things with their intervals."""

from collections.abc import Callable
from math import exp, lgamma, log


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a Poisson mean of which `count` were seen (Garwood 1936)."""
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _solved(lambda mean: 1 - _at_most(count - 1, mean) - tail, count)
    high = _solved(lambda mean: tail - _at_most(count, mean), 3 * count + 30)
    return low, high


def _at_most(count: int, mean: float) -> float:
    """Probability of at most `count` events."""
    if mean == 0:
        return 1.0
    return sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count + 1))


def _solved(rising: Callable[[float], float], upper: float) -> float:
    """Where a rising function crosses zero, between 0 and `upper`, by bisection."""
    low, high = 0.0, float(upper)
    for _ in range(80):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
