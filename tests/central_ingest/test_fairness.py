"""Fairness: one agent's flood is bounded, and costs the others nothing."""

from hypothesis import given
from hypothesis import strategies as st

from central_ingest.config import IngestSettings
from central_ingest.fairness import Allowances
from contract.pace import AHEAD_OF_RECEIPTS_MAX, OFFERS_AT_ONCE, OFFERS_PER_S


def test_an_agent_may_burst_for_half_a_seconds_worth_and_no_more() -> None:
    allowances = Allowances(1000)
    assert sum(allowances.take("flood", 1, 5.0) for _ in range(2000)) == 500


def test_what_an_agent_sends_ahead_of_its_receipts_is_always_taken() -> None:
    assert Allowances(2).take("slow", AHEAD_OF_RECEIPTS_MAX, 5.0) == AHEAD_OF_RECEIPTS_MAX


@given(pauses_s=st.lists(st.floats(0, 3), max_size=80))
def test_an_agent_that_keeps_its_pace_is_never_passed_over(pauses_s: list[float]) -> None:
    allowances, now_s, room = Allowances(IngestSettings().agent_per_s), 0.0, 0.0
    for pause_s in pauses_s:  # between two batches of a centre that is now slow and now quick
        now_s += pause_s
        room = min(room, OFFERS_AT_ONCE) + pause_s * OFFERS_PER_S
        offered = min(int(room), AHEAD_OF_RECEIPTS_MAX)
        room -= offered
        assert allowances.take("steady", offered, now_s) == offered


def test_what_is_used_up_comes_back_with_time() -> None:
    allowances = Allowances(1000)
    allowances.take("flood", 2000, 5.0)
    assert allowances.take("flood", 2000, 5.25) == 250
    assert allowances.take("flood", 2000, 60.0) == 500


def test_a_flood_takes_nothing_from_others() -> None:
    allowances = Allowances(10)
    for _ in range(200):
        allowances.take("flood", 1, 5.0)
    assert allowances.take("quiet", 1, 5.0)


def test_agents_that_fell_silent_are_forgotten() -> None:
    allowances = Allowances(10)
    for number in range(30_000):
        allowances.take(f"agent-{number}", 1, number / 100)
    assert len(allowances._buckets) <= 10_001


def test_what_is_wanted_at_once_is_granted_as_far_as_it_goes() -> None:
    allowances = Allowances(10)
    assert [allowances.take("flood", wanted, 5.0) for wanted in (110, 110, 110)] == [110, 40, 0]
