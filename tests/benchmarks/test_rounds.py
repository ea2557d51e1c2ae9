"""Comparisons are interleaved, and a disturbed machine is told."""

from pathlib import Path
from time import process_time

import pytest

from benchmarks.rounds import OtherLoad, Rounds, interleaved, load_summary, percentile, spread


def test_every_round_begins_with_another_task() -> None:
    order: list[str] = []
    tasks = {name: lambda name=name: float(order.append(name) or 1) for name in "abc"}  # type: ignore[misc]
    interleaved(tasks, 3)
    assert "".join(order) == "abcbcacab"


def test_ratios_are_taken_within_a_round() -> None:
    # The second round was disturbed: both are half as fast, the ratio holds.
    rounds = Rounds({"ours": [100, 50, 99], "theirs": [50, 25, 50]})
    assert rounds.ratio("ours", "theirs")["low"] == pytest.approx(1.98)
    assert rounds.ratio("ours", "theirs")["high"] == 2
    assert rounds.figures()["ours"]["median"] == 99


def test_figures_have_four_digits() -> None:
    assert spread([1 / 3, 123_456.0, 2.0])["rounds"] == [0.3333, 123_500, 2.0]


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux's /proc")
def test_our_own_work_is_no_other_load() -> None:
    others, until = OtherLoad(), process_time() + 0.3
    while process_time() < until:
        pass
    share = others.share()
    assert share is not None
    assert 0 <= share <= 1


@pytest.mark.parametrize(
    ("shares", "disturbed"), [([0.01, 0.02], False), ([0.01, 0.3], True), ([None], False)]
)
def test_more_than_a_twentieth_of_the_machine_is_told(
    shares: list[float | None], *, disturbed: bool
) -> None:
    assert load_summary(shares)["disturbed"] is disturbed


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([float(v) for v in range(100)], 0.95) == 95
    assert percentile([7.0], 0.95) == 7
    assert percentile([], 0.95) == 0
