"""The ingest benchmark: its arithmetic, and that it finds what went wrong."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.disk_probe import probing_disk
from benchmarks.ingest import (
    IngestBenchError,
    Ledger,
    Plan,
    Run,
    _result,
    held_against,
    measure_often,
    percentile,
)
from benchmarks.ingest_figures import failed, middle
from benchmarks.mqtt_load import Recording, topic_of
from benchmarks.traffic import Traffic, Truth
from central_ingest.packets import PacketReader

GOOD: dict[str, Any] = {
    "plan": {"database": "sqlite", "flood_per_s": 0},
    "committed_per_s": 10**6,
    "report_to_receipt_s": {"p99": 0.01},
    "lost": 0,
    "doubled_reports": 0,
    "quarantined": 0,
    "cases": 5,
    "cases_expected": 5,
}


HELD = {"reports": 100, "identities": 100, "cases": 40, "quarantined": 0, "flood": 0}


@pytest.mark.parametrize(
    ("flood", "held", "said"),
    [
        (0, {}, {"lost": 0, "passed_over": 0, "cases_expected": 40}),
        (0, {"reports": 97, "identities": 97}, {"lost": 3}),
        (0, {"reports": 101}, {"doubled_reports": 1}),
        # Of twenty that one agent poured in, fifteen were passed over, with their cases.
        (
            20, {"reports": 85, "flood": 5, "cases": 25},
            {"lost": 0, "passed_over": 15, "cases_expected": 25},
        ),
        # And one of the others' reports is missing, which the flood must not hide.
        (20, {"reports": 84, "flood": 5}, {"lost": 1, "passed_over": 15}),
    ],
)  # fmt: skip
def test_what_is_held_is_compared_with_what_was_sent(
    flood: int, held: dict[str, int], said: dict[str, int]
) -> None:
    found = held_against(Truth(problems=40, reports=100), flood, HELD | held)
    assert {name: found[name] for name in said} == said


@pytest.mark.parametrize(("p99s", "told"), [([2.0], 2.0), ([0.6, 9.0, 0.8], 0.8), ([3, 1], 3)])
def test_of_several_runs_the_one_in_the_middle_is_told_and_none_is_hidden(
    p99s: list[float], told: float
) -> None:
    runs = [
        GOOD | {"report_to_receipt_s": {"p99": p99}, "cpu_us_per_report": {"ingest": 1}}
        for p99 in p99s
    ]
    found = middle(runs)
    assert found["report_to_receipt_s"]["p99"] == told
    assert [one["report_to_receipt_s"]["p99"] for one in found["all_runs"]] == p99s


def test_several_runs_on_one_postgresql_are_refused() -> None:
    with pytest.raises(IngestBenchError, match="each run needs an empty PostgreSQL"):
        measure_often(Plan(database_url="postgresql://nowhere"), 2)


def test_only_what_the_centre_holds_counts_as_committed() -> None:
    outcome = held_against(Truth(problems=40, reports=100), 20, HELD | {"reports": 84, "flood": 5})
    run = Run(published=105, publish_s=9.0, all_receipted_s=10.0, late_s=0.0)
    found = _result(Plan(flood_per_s=2), run, Ledger([0, 0]), outcome)
    assert (found["published"], found["committed"], found["committed_per_s"]) == (105, 89, 9)


@pytest.mark.parametrize(("share", "value"), [(0.5, 51), (0.99, 100), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], share) == value


def test_a_receipt_counts_each_report_once() -> None:
    ledger = Ledger([4, 0])
    for seq in (5, 6, 5, 3):
        ledger.note_sent(0, seq, 0.0)
    for _ in range(2):
        ledger.note_receipt(0, b'{"ranges": [[3, 6]]}')
    assert (ledger.waiting, len(ledger.calm), ledger.receipts, ledger.repeats) == (0, 2, 2, 2)


def test_how_long_others_wait_is_parted_by_the_flood() -> None:
    ledger = Ledger([0, 0], flood_from_s=10)
    ledger.begin(100)
    for seq, at_s in ((1, 100.0), (2, 109.9), (3, 110.0)):
        ledger.note_sent(0, seq, at_s)
    ledger.note_sent(1, 1, 111.0)
    for agent in (0, 1):
        ledger.note_receipt(agent, b'{"ranges": [[1, 3]]}')
    assert (len(ledger.calm), len(ledger.flooded), ledger.waiting) == (2, 1, 0)


def test_receipts_are_counted_by_when_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger([0, 0])
    ledger.begin(100.0)
    for seq in range(1, 7):
        ledger.note_sent(0, seq, 100.0)
    for now_s, last in ((101.0, 2), (109.9, 3), (125.0, 6)):
        monkeypatch.setattr("benchmarks.ingest.time.perf_counter", lambda at=now_s: at)
        ledger.note_receipt(0, f'{{"ranges": [[1, {last}]]}}'.encode())
    assert ledger.parts == [3, 0, 3]


def test_the_disk_is_asked_while_something_is_measured(tmp_path: Path) -> None:
    ends_s = time.monotonic() + 20
    with probing_disk(tmp_path) as syncs_s:
        while not syncs_s and time.monotonic() < ends_s:
            threading.Event().wait(0.01)
    assert syncs_s
    assert min(syncs_s) > 0
    assert not list(tmp_path.iterdir())


def test_a_recording_holds_whole_packets_in_order() -> None:
    traffic = Traffic(3)
    sent = [*traffic.prefill(5), *(traffic.next() for _ in range(50))]
    recording = Recording(sent, [0] * 4)
    packets = b"".join(recording.packet(number) for number in range(len(recording)))
    found = list(PacketReader().feed(packets))
    assert [one.body for one in found] == [one.body for one in sent]
    assert [one.topic for one in found] == [topic_of(one.agent, "issue") for one in sent]
    assert [int(one.properties["seq"]) for one in found] == [one.seq for one in sent]
    assert [*recording.seqs] == [one.seq for one in sent]


def test_a_good_run_passes_its_floors() -> None:
    assert failed(GOOD) is None


def test_a_flood_is_not_asked_how_much_can_be_taken_in() -> None:
    flood = {"plan": {"database": "sqlite", "flood_per_s": 4000}, "committed_per_s": 1}
    assert failed(GOOD | flood) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"committed_per_s": 1}, "1 reports/s, at least"),
        ({"report_to_receipt_s": {"p99": 99}}, "p99 99 s"),
        ({"lost": 1}, "nothing lost"),
        ({"flood_p99_ratio": 2.5}, "a flood makes p99 2.5 times as long"),
        ({"doubled_reports": 1}, "nothing lost, doubled"),
        ({"cases": 6}, "6 cases, 5 expected"),
    ],
)
def test_what_lies_beyond_a_floor_is_named(changes: dict[str, Any], said: str) -> None:
    assert said in str(failed(GOOD | changes))
