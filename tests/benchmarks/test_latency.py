"""A report is timed from its frame to its receipt, whatever range the receipt names."""

import json

from benchmarks.latency import Heard


def report(seq: int, phase: str = "raised") -> bytes:
    captured = "2026-01-01T00:00:10.000Z"
    return json.dumps({"seq": seq, "phase": phase, "captured_at": captured}).encode()


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
