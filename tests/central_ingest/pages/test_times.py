from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central_ingest.pages import times

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)  # 16:30 in Shanghai


@pytest.mark.parametrize(
    ("age_s", "zh", "en"),
    [
        (0, "刚刚", "just now"),
        (59.9, "刚刚", "just now"),
        (60, "1 分钟前", "1 min ago"),
        (3 * 60 + 5, "3 分钟前", "3 min ago"),
        (3599, "59 分钟前", "59 min ago"),
        (3600, "1 小时前", "1 h ago"),
        (86399, "23 小时前", "23 h ago"),
        (86400, "1 天前", "1 d ago"),
        (-30, "刚刚", "just now"),  # a gateway's clock a little ahead
        (-7200, "2 小时后", "2 h from now"),  # a deadline
    ],
)
def test_how_long_ago_is_told_in_whole_units(age_s: float, zh: str, en: str) -> None:
    label = times.relative(NOW - timedelta(seconds=age_s), NOW)
    assert (label.zh, label.en) == (zh, en)


@given(age_s=st.integers(-(10**8), 10**8))
@settings(derandomize=True, max_examples=200)
def test_how_long_ago_never_fails_and_counts_from_one(age_s: int) -> None:
    label = times.relative(NOW - timedelta(seconds=age_s), NOW)
    assert label.en == "just now" or int(label.en.split()[0]) >= 1


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 21, 8, 29, 5, tzinfo=UTC), "16:29:05"),
        (datetime(2026, 11, 20, 16, 0, 0, tzinfo=UTC), "00:00:00"),  # today there, not in UTC
        (datetime(2026, 11, 20, 15, 59, 0, tzinfo=UTC), "11-20 23:59"),
        (datetime(2025, 12, 31, 8, 0, 0, tzinfo=UTC), "2025-12-31 16:00"),
    ],
)
def test_local_time_names_the_date_only_when_it_is_not_today(at: datetime, text: str) -> None:
    assert times.local_text(at, SHANGHAI, NOW) == text


def test_the_exact_time_is_utc_as_the_contract_writes_it() -> None:
    at = datetime(2026, 11, 21, 16, 29, 5, 123456, tzinfo=SHANGHAI)
    assert times.utc_text(at) == "2026-11-21T08:29:05.123Z"
    assert times.full_local_text(at, SHANGHAI) == "2026-11-21 16:29:05"
