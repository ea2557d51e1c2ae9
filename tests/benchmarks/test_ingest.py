"""The ingest benchmark: its arithmetic, and that it finds what went wrong."""

from typing import Any

import pytest

from benchmarks.ingest import Ledger, failed, percentile

GOOD: dict[str, Any] = {
    "plan": {"database": "sqlite"},
    "committed_per_s": 10**6,
    "report_to_receipt_s": {"p99": 0.01},
    "lost": 0,
    "doubled_reports": 0,
    "quarantined": 0,
    "cases": 5,
    "cases_expected": 5,
}


@pytest.mark.parametrize(("share", "value"), [(0.5, 51), (0.99, 100), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == value


def test_a_receipt_counts_each_report_once() -> None:
    ledger = Ledger({(0, 1): 0.0, (0, 2): 0.0})
    for _ in range(2):
        ledger.note_receipt(0, b'{"ranges": [[1, 2]]}')
    assert (ledger.waiting, len(ledger.latencies[0]), ledger.receipts) == (0, 2, 2)


def test_a_good_run_passes_its_floors() -> None:
    assert failed(GOOD) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"committed_per_s": 1}, "1 reports/s, at least"),
        ({"report_to_receipt_s": {"p99": 99}}, "p99 99 s"),
        ({"lost": 1}, "nothing lost"),
        ({"doubled_reports": 1}, "nothing lost, doubled"),
        ({"cases": 6}, "6 cases, 5 expected"),
    ],
)
def test_what_lies_beyond_a_floor_is_named(changes: dict[str, Any], said: str) -> None:
    assert said in str(failed(GOOD | changes))
