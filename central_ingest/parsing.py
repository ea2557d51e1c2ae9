"""Reports → values at speed. Pure.

The contract's pydantic models stay the authority. What is read here is the canonical form that
agents of ours write; whatever this refuses, the contract's own model reads or refuses, so both
ways accept the same messages with the same values (held by tests/central_ingest/test_parsing.py).
A report costs about 5 µs here, and 40 µs there. What is read here every table holds, too.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from contract.catalogue import Category, Family
from contract.messages import YEARS, IssueReport, Phase, Reason, Severity

# What tables hold.
SHORT_TEXT_MAX, LONG_TEXT_MAX, INTEGER_MAX = 64, 128, 2**63 - 1
# `\Z` where the contract has `$`, which in Python would also match before a last line feed.
_Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Time = Annotated[datetime, Meta(tz=True)]
_Short = Annotated[str, Meta(max_length=SHORT_TEXT_MAX)]
_Long = Annotated[str, Meta(max_length=LONG_TEXT_MAX)]
# Digits beyond microseconds are rounded by msgspec and cut off by the contract. That differs where
# nines carry over into the milliseconds.
_NINES, _FINER = b"999", re.compile(rb"\d:\d\d\.\d{7}")
_Fraction = Annotated[float, Meta(ge=0, le=1)]
_NotNegative = Annotated[float, Meta(ge=0, le=1e300)]
_Finite = Annotated[float, Meta(ge=-1e300, le=1e300)]
_Positive = Annotated[int, Meta(ge=1, le=INTEGER_MAX)]
_Count = Annotated[int, Meta(ge=0)]


class QuickClock(Struct, frozen=True, gc=False):
    """`ClockState` of the contract."""

    offset_s: _Finite
    error_s: _NotNegative
    synced: bool


class QuickFrame(Struct, frozen=True, gc=False):
    """`FrameInfo` of the contract."""

    width: _Positive
    height: _Positive
    stream: Literal["detect", "evidence"]


class QuickSupport(Struct, frozen=True, gc=False):
    """`Support` of the contract."""

    seen: _Count
    visible: _Count
    window_s: _NotNegative


class QuickPosition(Struct, frozen=True, gc=False):
    """`Position` of the contract."""

    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    error_m: _NotNegative
    method: Literal["homography", "camera_point"]
    crs: Literal["CGCS2000"] = "CGCS2000"


class QuickCell(Struct, frozen=True, gc=False):
    """`CellRef` of the contract."""

    code: _Short
    grid_version: _Short

    def __post_init__(self) -> None:
        if not _is_code(self.code):
            raise ValueError("no code of a cell")


class QuickComponent(Struct, frozen=True, gc=False):
    """`ComponentRef` of the contract."""

    id: _Short
    standard: _Short
    distance_m: _NotNegative


class QuickEvidence(Struct, frozen=True, gc=False):
    """`EvidenceRef` of the contract."""

    sha256: _Sha256
    kind: Literal["still", "still_marked", "clip"]
    media_type: _Short
    bytes: _Positive
    moment: Literal["raised", "cleared"] | None = None
    captured_at: _Time | None = None

    def __post_init__(self) -> None:
        if self.captured_at is not None and not _is_canonical(self.captured_at):
            raise ValueError("a time that is not in the canonical form")


class QuickModel(Struct, frozen=True, gc=False):
    """`ModelRef` of the contract."""

    name: _Long
    sha256: _Short

    def __post_init__(self) -> None:
        if not _is_sha256(self.sha256):
            raise ValueError("no sha256")


class QuickReport(Struct, frozen=True, gc=False, kw_only=True):
    """`IssueReport` of the contract, in its canonical form; unknown fields are passed over."""

    schema_: Literal["issue/1.0"] = field(default="issue/1.0", name="schema")
    city: _Short
    agent_id: _Short
    camera_id: _Short
    preset_id: _Short | None = None
    outbox_id: UUID
    seq: _Positive
    issue_id: UUID
    revision: _Positive
    phase: Phase
    reason: Reason | None = None
    reopened: bool = False
    family: Family
    category: Category
    severity: Severity
    first_seen_at: _Time
    last_seen_at: _Time
    captured_at: _Time
    clock: QuickClock
    frame: QuickFrame
    box_xyxyn: tuple[_Fraction, _Fraction, _Fraction, _Fraction]
    score: _Fraction
    support: QuickSupport
    position: QuickPosition | None = None
    cells: tuple[QuickCell, ...] = ()
    component: QuickComponent | None = None
    evidence: tuple[QuickEvidence, ...] = ()
    model: QuickModel
    config_sha256: _Short

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box_xyxyn
        agree = (
            x1 < x2
            and y1 < y2
            and _is_name(self.city)
            and _is_name(self.agent_id)
            and _is_name(self.camera_id)
            and (self.preset_id is None or _is_name(self.preset_id))
            and _is_sha256(self.config_sha256)
            and self.category.family is self.family
            and (self.reason is None) == (self.phase is not Phase.WITHDRAWN)
            and (not self.reopened or self.phase is Phase.RAISED)
            and self.first_seen_at <= self.last_seen_at
            and _is_canonical(self.first_seen_at)
            and _is_canonical(self.last_seen_at)
            and _is_canonical(self.captured_at)
        )
        if not agree:
            raise ValueError("not in the canonical form")


def _is_canonical(time: datetime) -> bool:
    """Whether a time is of UTC, in whole milliseconds, of the years that the contract knows."""
    known = YEARS[0] <= time.year <= YEARS[1]
    return time.tzinfo is UTC and time.microsecond % 1000 == 0 and known


# A city has few names, cells, models and settings, and each of them comes again and again. Only
# short texts get here, so that nobody can fill the memory with what is remembered.
@lru_cache(maxsize=20_000)
def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text) is not None


@lru_cache(maxsize=20_000)
def _is_code(text: str) -> bool:
    return re.fullmatch(r"[0-9A-Z]{15}", text) is not None


@lru_cache(maxsize=20_000)
def _is_sha256(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


Report = IssueReport | QuickReport
_decoder = msgspec.json.Decoder(QuickReport)


def read_quickly(body: bytes) -> QuickReport | None:
    """Return the report where its body is canonical, else None: then the contract decides."""
    if _NINES in body and _FINER.search(body) is not None:
        return None
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
