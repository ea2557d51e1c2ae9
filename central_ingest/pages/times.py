"""Times as people read them: local clock, exact UTC, and how long ago. Pure: `now` is given."""

from datetime import datetime, timedelta, tzinfo

from central_ingest.pages.labels import Label
from contract.messages import format_utc

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400


def utc_text(at: datetime) -> str:
    """Exact UTC, as the contract writes it."""
    return format_utc(at)


def local_text(at: datetime, zone: tzinfo, now: datetime) -> str:
    """Local clock time to the second; the date stands before it unless it is today's."""
    local = at.astimezone(zone)
    today = now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%m-%d %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d %H:%M}"


def full_local_text(at: datetime, zone: tzinfo) -> str:
    """Local date and time to the second, for records and print."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def relative(at: datetime, now: datetime) -> Label:
    """How long ago in whole units: seconds are "just now"; live.js keeps the same steps.

    A time up to a minute ahead (clocks differ) is "just now" too; beyond that it is named as ahead.
    """
    age_s = (now - at) // timedelta(seconds=1)
    if age_s <= -_MINUTE_S:
        return _quantity(-age_s, ("后", "from now"))
    if age_s < _MINUTE_S:
        return Label("刚刚", "just now")
    return _quantity(age_s, ("前", "ago"))


def _quantity(age_s: int, words: tuple[str, str]) -> Label:
    zh_end, en_end = words
    if age_s < _HOUR_S:
        count, zh, en = age_s // _MINUTE_S, "分钟", "min"
    elif age_s < _DAY_S:
        count, zh, en = age_s // _HOUR_S, "小时", "h"
    else:
        count, zh, en = age_s // _DAY_S, "天", "d"
    return Label(f"{count} {zh}{zh_end}", f"{count} {en} {en_end}")
