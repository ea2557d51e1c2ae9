"""Pictures that wait too long, or are too many, are given up: clips before stills, old first."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.messages import EvidenceRef
from edge_agent.config import Limits
from edge_agent.evidence import evidence_of
from edge_agent.evidence_limits import trim
from edge_agent.store import Evidence, GivenUp, Store

NOW = datetime(2026, 7, 1, tzinfo=UTC)
LIMITS = Limits(evidence_bytes=1000, evidence_days=2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, 10_000_000) as opened:
        yield opened


def keep(
    store: Store, mark: int, *, size: int = 300, clip: bool = False, days: float = 0
) -> EvidenceRef:
    kind = ("clip", "video/mp4") if clip else ("still", "image/jpeg")
    made: Evidence = evidence_of(bytes([mark]) * size, *kind, "raised", NOW)  # type: ignore[arg-type]
    store.commit("cam-01", b"{}", (), [made])
    written = (NOW - timedelta(days=days)).timestamp()
    os.utime(store._spool.path(made.ref.sha256), (written, written))
    return made.ref


def left(store: Store) -> list[str]:
    return [one.sha256 for one in store.pictures()]


def test_what_fits_and_is_young_stays(store: Store) -> None:
    keep(store, 1)
    keep(store, 2, days=1.9)
    assert trim(store, LIMITS, NOW) == 0
    assert len(left(store)) == 2


def test_what_waited_too_long_goes_and_is_counted(store: Store) -> None:
    keep(store, 1, days=2.1)
    young = keep(store, 2)
    assert trim(store, LIMITS, NOW) == 1
    assert left(store) == [young.sha256]
    assert store.counts().given_up == GivenUp(reports=0, evidence=1)


def test_beyond_the_bytes_clips_go_before_stills_and_the_oldest_first(store: Store) -> None:
    stills = [keep(store, mark) for mark in (1, 2)]
    clips = [keep(store, mark, clip=True) for mark in (3, 4)]
    assert trim(store, LIMITS, NOW) == 1
    assert left(store) == [clips[1].sha256, stills[0].sha256, stills[1].sha256]
    assert trim(store, Limits(evidence_bytes=300), NOW) == 2
    assert left(store) == [stills[1].sha256]


def test_stills_are_uploaded_before_clips(store: Store) -> None:
    clip, still = keep(store, 1, clip=True), keep(store, 2)
    first = store.next_picture()
    assert first is not None
    assert first.sha256 == still.sha256
    store.uploaded(still.sha256)
    second = store.next_picture()
    assert second is not None
    assert second.sha256 == clip.sha256


def test_a_picture_whose_file_is_gone_is_left_to_the_uploader(store: Store) -> None:
    gone = keep(store, 1, days=9)
    store._spool.path(gone.sha256).unlink()
    assert trim(store, LIMITS, NOW) == 0


def test_at_the_stores_own_quota_clips_go_before_stills(tmp_path: Path) -> None:
    with Store(tmp_path / "small", 2_000) as store:
        still = keep(store, 1, size=800)
        keep(store, 2, size=800, clip=True)
        newest = keep(store, 3, size=800)
        assert left(store) == [still.sha256, newest.sha256]
