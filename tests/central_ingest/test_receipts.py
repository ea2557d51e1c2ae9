"""Receipts: what they hold, their pace, and their bytes, which are the contract's."""

from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest.receipts import PacedReceipts, Told, ranges_of, receipt_body, receipt_of
from contract.messages import encode
from contract.topics import AgentAddress

NOW = datetime(2026, 7, 1, 8, 30, 10, 123456, tzinfo=UTC)
OUTBOX = (AgentAddress("demo", "gw-01"), UUID(int=7))
OTHER = (AgentAddress("demo", "gw-02"), UUID(int=8))
SEQS = st.lists(st.integers(1, 60), max_size=80)


@given(SEQS)
def test_ranges_hold_exactly_the_numbers_given(seqs: list[int]) -> None:
    ranges = ranges_of(seqs)
    assert {n for first, last in ranges for n in range(first, last + 1)} == set(seqs)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))


@given(SEQS, st.sets(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=3))
def test_the_bytes_are_those_of_the_contract(seqs: list[int], evidence: set[str]) -> None:
    told = Told(seqs, {}, evidence)
    assert receipt_body(OUTBOX, told, NOW) == encode(receipt_of(OUTBOX, told, NOW))


def test_what_is_quarantined_is_named_with_its_reason() -> None:
    told = Told([1, 2], {2: "坏 no JSON"})
    body = receipt_body(OUTBOX, told, NOW).decode()
    assert '"quarantined":[{"seq":2,"reason":"坏 no JSON"}]' in body


def test_the_first_receipt_goes_at_once_and_the_next_ones_in_one_after_the_pause() -> None:
    paced = PacedReceipts(0.25)
    paced.add([(OUTBOX, Told([1]))])
    assert [told.seqs for _, told in paced.due(10.0)] == [[1]]
    paced.add([(OUTBOX, Told([2]))])
    paced.add([(OUTBOX, Told([3], {3: "bad"}, {"e"}))])
    assert paced.due(10.2) == []
    ((_, told),) = paced.due(10.25)
    assert (told.seqs, told.quarantined, told.evidence) == ([2, 3], {3: "bad"}, {"e"})
    assert paced.due(11.0) == []


def test_one_outbox_does_not_wait_for_another() -> None:
    paced = PacedReceipts(0.25)
    paced.add([(OUTBOX, Told([1]))])
    paced.due(10.0)
    paced.add([(OUTBOX, Told([2])), (OTHER, Told([1]))])
    assert [outbox for outbox, _ in paced.due(10.1)] == [OTHER]


@pytest.mark.parametrize("later_s", [0.0, 1.0])
def test_after_a_lost_connection_nothing_old_is_told(later_s: float) -> None:
    paced = PacedReceipts(0.25)
    paced.add([(OUTBOX, Told([1]))])
    paced.forget()
    assert paced.due(10.0 + later_s) == []
