"""How much evidence may wait on the disk, and for how long: checked every minute.

The store's own quota is exact and guards the reports; this one keeps a long outage of the centre
from filling the disk with pictures, and keeps no picture of the street beyond its days.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from edge_agent.config import Limits
from edge_agent.store import Store, WaitingPicture

log = logging.getLogger(__name__)

DAY_S = 86_400.0


def trim(store: Store, limits: Limits, now: datetime) -> int:
    """Give up what is too old or too much, and return how many. Raises StoreError."""
    waiting = store.pictures()
    ages_s = {one.sha256: _age_s(one, now) for one in waiting}
    gone = excess(waiting, ages_s, limits)
    for sha256 in gone:
        store.give_up_picture(sha256)
    if gone:
        log.warning("evidence: %d pictures were given up that waited too long or were too many "
                    "(limits.evidence_days, limits.evidence_bytes)", len(gone))  # fmt: skip
    return len(gone)


def excess(
    waiting: Sequence[WaitingPicture], ages_s: dict[str, float], limits: Limits
) -> tuple[str, ...]:
    """Name what must go: all that is too old, then in the given order until the rest fits."""
    too_old = [one for one in waiting if ages_s[one.sha256] > limits.evidence_days * DAY_S]
    left = [one for one in waiting if one not in too_old]
    over_bytes = sum(one.bytes for one in left) - limits.evidence_bytes
    too_many: list[WaitingPicture] = []
    for one in left:
        if over_bytes <= 0:
            break
        too_many.append(one)
        over_bytes -= one.bytes
    return tuple(one.sha256 for one in (*too_old, *too_many))


def _age_s(picture: WaitingPicture, now: datetime) -> float:
    """How long its file lies there; a file that is gone has no age, the uploader notices it."""
    try:
        return now.timestamp() - picture.path.stat().st_mtime
    except OSError:
        return 0.0
