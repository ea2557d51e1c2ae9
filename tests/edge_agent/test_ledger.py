"""The fault tests' book: what stands in it must reach the centre."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from contract.messages import IssueReport
from edge_agent.errors import StoreError
from edge_agent.ledger import Ledger, standing

EXAMPLE = Path(__file__).parents[2] / "contract" / "examples" / "issue-1.0-raised.json"


def report(seq: int) -> IssueReport:
    base = IssueReport.model_validate(json.loads(EXAMPLE.read_text()))
    return base.model_copy(update={"seq": seq, "issue_id": UUID(int=seq), "revision": 1})


def held(path: Path) -> set[int]:
    return {issue_id.int for issue_id, _ in standing(path)}


def test_what_was_committed_stands(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.intend([report(1), report(2)])
    ledger.intend([report(3)])
    ledger.reconcile(next_seq=4)
    assert held(tmp_path / "ledger.jsonl") == {1, 2, 3}


def test_a_transaction_that_never_was_is_void_and_its_numbers_are_used_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.intend([report(1)])
    ledger.intend([report(2), report(3)])
    ledger.reconcile(next_seq=2)
    assert held(path) == {1}
    ledger.intend([report(2)])
    assert held(path) == {1, 2}


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).intend([report(1)])
    with path.open("a") as file:
        file.write('{"seq": 2, "issue')
    assert held(path) == {1}
    Ledger(path).reconcile(next_seq=2)
    Ledger(path).intend([report(2)])
    assert held(path) == {1, 2}


def test_more_than_the_last_transaction_missing_is_a_loss(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.intend([report(1)])
    ledger.intend([report(2)])
    with pytest.raises(StoreError, match=r"reports \[1, 2\] were committed before"):
        ledger.reconcile(next_seq=1)


def test_no_ledger_yet_holds_nothing(tmp_path: Path) -> None:
    assert standing(tmp_path / "none.jsonl") == set()
