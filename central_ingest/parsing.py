"""Reports → values at speed. Pure.

The contract's pydantic models stay the authority. What is read here is the canonical form that
agents of ours write; whatever this refuses, the contract's own model reads or refuses, so both
ways accept the same messages with the same values (held by tests/central_ingest/test_parsing.py).
A report costs about 5 µs here, and 40 µs there.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from contract.catalogue import Category, Family
from contract.messages import YEARS, IssueReport, Phase, Reason, Severity

# `\Z` where the contract has `$`, which in Python would also match before a last line feed.
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")]
_Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Code = Annotated[str, Meta(pattern=r"^[0-9A-Z]{15}\Z")]
_Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")]
# In canonical form times sort as texts do.
_FIRST, _BEYOND = str(YEARS[0]), str(YEARS[1] + 1)
_Fraction = Annotated[float, Meta(ge=0, le=1)]
_NotNegative = Annotated[float, Meta(ge=0, le=1e300)]
_Finite = Annotated[float, Meta(ge=-1e300, le=1e300)]
_Positive = Annotated[int, Meta(ge=1)]
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

    code: _Code
    grid_version: str


class QuickComponent(Struct, frozen=True, gc=False):
    """`ComponentRef` of the contract."""

    id: str
    standard: str
    distance_m: _NotNegative


class QuickEvidence(Struct, frozen=True, gc=False):
    """`EvidenceRef` of the contract."""

    sha256: _Sha256
    kind: Literal["still", "still_marked", "clip"]
    media_type: str
    bytes: _Positive
    moment: Literal["raised", "cleared"] | None = None
    captured_text: _Time | None = field(default=None, name="captured_at")

    def __post_init__(self) -> None:
        if self.captured_text is not None:
            datetime.fromisoformat(self.captured_text)
            if not _FIRST <= self.captured_text < _BEYOND:
                raise ValueError("a year that the contract does not know")

    @property
    def captured_at(self) -> datetime | None:
        """When the picture was taken, or the clip begins."""
        return datetime.fromisoformat(self.captured_text) if self.captured_text else None


class QuickModel(Struct, frozen=True, gc=False):
    """`ModelRef` of the contract."""

    name: str
    sha256: _Sha256


class QuickReport(Struct, frozen=True, gc=False, kw_only=True):
    """`IssueReport` of the contract, in its canonical form; unknown fields are passed over."""

    schema_: Literal["issue/1.0"] = field(default="issue/1.0", name="schema")
    city: _Name
    agent_id: _Name
    camera_id: _Name
    preset_id: _Name | None = None
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
    first_seen_text: _Time = field(name="first_seen_at")
    last_seen_text: _Time = field(name="last_seen_at")
    captured_text: _Time = field(name="captured_at")
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
    config_sha256: _Sha256

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box_xyxyn
        agree = (
            x1 < x2
            and y1 < y2
            and self.category.family is self.family
            and (self.reason is None) == (self.phase is not Phase.WITHDRAWN)
            and (not self.reopened or self.phase is Phase.RAISED)
            and datetime.fromisoformat(self.captured_text) is not None
            and self.first_seen_at <= self.last_seen_at
            and all(
                _FIRST <= text < _BEYOND
                for text in (self.first_seen_text, self.last_seen_text, self.captured_text)
            )
        )
        if not agree:
            raise ValueError("not in the canonical form")

    @property
    def first_seen_at(self) -> datetime:
        """When the issue began."""
        return datetime.fromisoformat(self.first_seen_text)

    @property
    def last_seen_at(self) -> datetime:
        """When the issue was last seen."""
        return datetime.fromisoformat(self.last_seen_text)

    @property
    def captured_at(self) -> datetime:
        """When the frame that caused this report was taken."""
        return datetime.fromisoformat(self.captured_text)


Report = IssueReport | QuickReport
_decoder = msgspec.json.Decoder(QuickReport)


def read_quickly(body: bytes) -> QuickReport | None:
    """Return the report where its body is canonical, else None: then the contract decides."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
