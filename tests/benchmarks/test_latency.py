"""A report is timed from its frame to its receipt, whatever range the receipt names."""

import json
import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.latency import Heard, Reader
from tests.edge_agent.conftest import wait_until


def report(seq: int, phase: str = "raised", **more: Any) -> bytes:
    more = {"issue_id": f"i{seq}", "evidence": []} | more
    captured = "2026-01-01T00:00:10.000Z"
    return json.dumps({"seq": seq, "phase": phase, "captured_at": captured} | more).encode()


def test_a_receipt_times_every_report_in_its_range_once() -> None:
    heard, captured_s = Heard(), 1767225610.0
    for seq in (1, 2):
        heard.take("gridwatch/1/bench/gw-1/issue", report(seq), captured_s + 0.05)
    heard.take("gridwatch/1/bench/gw-1/issue", report(3, "cleared"), captured_s + 0.05)
    for at_s, last in ((0.08, 1), (0.12, 3)):
        body = json.dumps({"ranges": [[1, last]]}).encode()
        heard.take("gridwatch/1/bench/gw-1/receipt", body, captured_s + at_s)
    times = heard.since_capture_ms(heard.receipted_s, captured_s - 1)
    assert [round(ms) for ms in times] == [80, 120]
    assert [round(ms) for ms in heard.since_capture_ms(heard.published_s, 0)] == [50, 50]


def test_what_was_captured_before_the_measurement_does_not_count() -> None:
    heard, captured_s = Heard(), 1767225610.0
    heard.take("gridwatch/1/bench/gw-1/issue", report(1), captured_s)
    assert heard.since_capture_ms(heard.published_s, captured_s + 1) == []


def test_the_stills_of_a_report_are_timed_by_the_first_report_that_names_them() -> None:
    heard, captured_s = Heard(), 1767225610.0
    heard.take("gridwatch/1/bench/gw-1/issue", report(1, issue_id="a"), captured_s + 0.05)
    for seq, at_s in ((2, 0.9), (3, 1.4)):
        body = report(seq, "updated", issue_id="a", evidence=[{"kind": "still"}])
        heard.take("gridwatch/1/bench/gw-1/issue", body, captured_s + at_s)
    assert [round(ms) for ms in heard.issues_ms(heard.shown_s, 0)] == [900]
    assert heard.issues_ms(heard.shown_s, captured_s + 1) == []


def test_a_case_counts_from_the_moment_at_which_it_can_be_read(tmp_path: Path) -> None:
    database, heard, issue = tmp_path / "centre.db", Heard(), UUID(int=7)
    with sqlite3.connect(database) as writer:
        writer.execute("CREATE TABLE sighting (issue_id CHAR(32))")
    reader = Reader(database, heard)
    with sqlite3.connect(database) as writer:
        writer.execute("INSERT INTO sighting VALUES (?)", (issue.hex,))
    wait_until(lambda: str(issue) in heard.filed_s, "it is read")
    reader.close()
