"""Network addresses as they may be shown."""

import re

_USERINFO = re.compile(r"(?<=://).*@")
_LIVE = re.compile(r"^[a-z][a-z0-9+.-]*://")


def is_live(url: str) -> bool:
    """Say whether this is a network address: such a stream has its own pace and no end."""
    return bool(_LIVE.match(url))


def redacted(url: str) -> str:
    """Return the address without user, password and query, fit for messages and logs."""
    without_query = url.partition("?")[0] if is_live(url) else url
    return _USERINFO.sub("", without_query)
