"""Waiting grows, spreads and stays below its limit."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.backoff import backoff_s


@given(failures=st.integers(1, 10**6), first_s=st.floats(0.01, 10), factor=st.floats(1, 1000))
def test_the_wait_lies_between_half_and_the_limit(
    failures: int, first_s: float, factor: float
) -> None:
    wait_s = backoff_s(failures, first_s, first_s * factor)
    assert first_s / 2 <= wait_s <= first_s * factor


def test_the_wait_doubles_and_no_two_are_alike() -> None:
    assert backoff_s(1, 1, 100) <= 1
    assert 16 <= backoff_s(6, 1, 100) <= 32
    assert len({backoff_s(20, 1, 100) for _ in range(50)}) > 40
