"""The messages between agents and the centre, version 1.0.

Producers are strict (`encode` refuses unknown fields), consumers are tolerant: unknown fields of
the same major version are kept, not refused. Times are UTC with milliseconds and `Z`, lengths
metres, boxes `xyxyn`: x1, y1, x2, y2 as fractions of the frame.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from contract.catalogue import Category, Family
from contract.topics import NAME_PATTERN

# A clock without battery begins in 1970; beyond these years sums and zones leave the calendar.
YEARS = (1970, 2199)


def _to_utc_milliseconds(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without zone was found; UTC with 'Z' was expected")
    first, last = YEARS
    # The zone may shift a time over a year's end: bounds first, so that no shift overflows.
    if not first - 1 <= value.year <= last + 1:
        raise ValueError(f"a time of the years {first} to {last} was expected")
    value = value.astimezone(UTC)
    if not first <= value.year <= last:
        raise ValueError(f"a time of the years {first} to {last} was expected")
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def format_utc(value: datetime) -> str:
    """Write a time as the contract writes it: `2026-11-21T08:30:00.000Z`."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


UtcTime = Annotated[
    datetime,
    AfterValidator(_to_utc_milliseconds),
    PlainSerializer(format_utc, return_type=str, when_used="json"),
]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Metres = Annotated[float, Field(ge=0)]
CellCode = Annotated[str, Field(pattern=r"^[0-9A-Z]{15}$")]


def _check_box(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    if x1 >= x2 or y1 >= y2:
        raise ValueError(f"box {box} is empty: x1 < x2 and y1 < y2 were expected")
    return box


COUNT_MAX = 2**63 - 1  # what databases hold
BoxXyxyn = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], AfterValidator(_check_box)]


class Value(BaseModel):
    """A frozen part of a message; fields it does not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class Phase(StrEnum):
    """What a report says about its issue."""

    RAISED = "raised"
    UPDATED = "updated"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"


class Reason(StrEnum):
    """Why an issue was withdrawn: by the world around it, not by its disappearance."""

    CAMERA_REMOVED = "camera_removed"
    ZONE_CHANGED = "zone_changed"
    VIEW_CHANGED = "view_changed"
    SUPPRESSED = "suppressed"
    RULE_CHANGED = "rule_changed"


class Severity(StrEnum):
    """How soon people must look."""

    NORMAL = "normal"
    URGENT = "urgent"


class ClockState(Value):
    """The gateway clock against the centre's, as far as receipts told."""

    offset_s: float
    error_s: Seconds
    synced: bool


class FrameInfo(Value):
    """The picture a report was judged on; sizes in pixels."""

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    stream: Literal["detect", "evidence"]


class Support(Value):
    """How often the place was seen, of how many visible looks, over how long."""

    seen: int = Field(ge=0)
    visible: int = Field(ge=0)
    window_s: Seconds


class Position(Value):
    """Where on the ground, with the error that the duplicate rules rely on."""

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    crs: Literal["CGCS2000"] = "CGCS2000"
    error_m: Metres
    method: Literal["homography", "camera_point"]


class CellRef(Value):
    """A unit grid cell, with the version of the grid it was looked up in."""

    code: CellCode
    grid_version: str


class ComponentRef(Value):
    """A registered component near the issue."""

    id: str
    standard: str
    distance_m: Metres


ShownMoment = Literal["raised", "cleared"]


class EvidenceRef(Value):
    """One masked picture or clip, named by the hash of its bytes.

    `moment`: whether it shows the issue or its absence; `captured_at`: when the picture was taken,
    or the clip begins. Absent: by the report that names it first.
    """

    sha256: Sha256
    kind: Literal["still", "still_marked", "clip"]
    media_type: str
    bytes: int = Field(gt=0)
    moment: ShownMoment | None = None
    captured_at: UtcTime | None = None


class ModelRef(Value):
    """The detector that judged."""

    name: str
    sha256: Sha256


class IssueReport(Value):
    """One message about an issue: raised, updated, cleared or withdrawn."""

    schema_: Literal["issue/1.0"] = Field(default="issue/1.0", alias="schema")
    city: Name
    agent_id: Name
    camera_id: Name
    preset_id: Name | None = None
    outbox_id: UUID
    seq: int = Field(ge=1)
    issue_id: UUID
    revision: int = Field(ge=1)
    phase: Phase
    reason: Reason | None = None
    reopened: bool = False
    family: Family
    category: Category
    severity: Severity
    first_seen_at: UtcTime
    last_seen_at: UtcTime
    captured_at: UtcTime
    clock: ClockState
    frame: FrameInfo
    box_xyxyn: BoxXyxyn
    score: Fraction
    support: Support
    position: Position | None = None
    cells: tuple[CellRef, ...] = ()
    component: ComponentRef | None = None
    evidence: tuple[EvidenceRef, ...] = ()
    model: ModelRef
    config_sha256: Sha256

    @model_validator(mode="after")
    def _agree(self) -> "IssueReport":
        if self.category.family is not self.family:
            raise ValueError(f"category {self.category} is not of family {self.family}")
        if (self.reason is not None) != (self.phase is Phase.WITHDRAWN):
            raise ValueError("a reason belongs to 'withdrawn', and only there")
        if self.reopened and self.phase is not Phase.RAISED:
            raise ValueError("only 'raised' can be reopened")
        if self.first_seen_at > self.last_seen_at:
            raise ValueError("first_seen_at lies after last_seen_at")
        return self


class Canary(Value):
    """A synthetic report on the issue topic: receipted as any other, never a case."""

    schema_: Literal["canary/1.0"] = Field(default="canary/1.0", alias="schema")
    city: Name
    agent_id: Name
    outbox_id: UUID
    seq: int = Field(ge=1)
    made_at: UtcTime


class Quarantined(Value):
    """A report that the centre holds but could not read, with the reason in words."""

    seq: int = Field(ge=1)
    reason: str


class Receipt(Value):
    """The centre's word that it holds these ranges of reports, committed."""

    schema_: Literal["receipt/1.0"] = Field(default="receipt/1.0", alias="schema")
    agent_id: Name
    outbox_id: UUID
    ranges: tuple[tuple[int, int], ...]
    quarantined: tuple[Quarantined, ...] = ()
    centre_time: UtcTime
    evidence: tuple[Sha256, ...] = ()

    @model_validator(mode="after")
    def _ranges_rise(self) -> "Receipt":
        for first, last in self.ranges:
            if first < 1 or last < first:
                raise ValueError(f"range [{first}, {last}] is empty or starts below 1")
        return self


class AgentStatus(Value):
    """Retained, and set by the last will: is this agent there, and with what."""

    schema_: Literal["status/1.0"] = Field(default="status/1.0", alias="schema")
    city: Name
    agent_id: Name
    state: Literal["online", "offline"]
    since: UtcTime
    version: str
    outbox_id: UUID | None = None
    waiting_reports: int = Field(default=0, ge=0, le=COUNT_MAX)
    canary_receipted_at: UtcTime | None = None
    canary_trouble: str = ""
    cameras: tuple[Name, ...] = ()
    model: ModelRef | None = None
    config_sha256: Sha256 | None = None


class CameraState(StrEnum):
    """What keeps a camera from judging; `ok` judges."""

    OK = "ok"
    CONNECTING = "connecting"
    OFFLINE = "offline"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    BLURRED = "blurred"
    FROZEN = "frozen"
    COVERED = "covered"
    MOVED = "moved"
    SET_ASIDE = "set_aside"


class CameraHealth(Value):
    """One camera's health, sent on change and at a slow heartbeat."""

    schema_: Literal["health/1.0"] = Field(default="health/1.0", alias="schema")
    agent_id: Name
    camera_id: Name
    state: CameraState
    since: UtcTime
    detail: str = ""
    looks_per_s: float = Field(default=0, ge=0)
    interval_stretch: float = Field(default=1, ge=1)
    dropped_frames: int = Field(default=0, ge=0, le=COUNT_MAX)
    reconnects: int = Field(default=0, ge=0, le=COUNT_MAX)
    last_frame_at: UtcTime | None = None
    preset_id: Name | None = None
    picture: EvidenceRef | None = None


class CommandKind(StrEnum):
    """What the centre may ask of an agent. None can set an action, a URL or a file path."""

    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    SNAPSHOT = "snapshot"
    RECHECK = "recheck"
    RELOAD = "reload"


class Command(Value):
    """An order from the centre to one agent; void after `expires_at`.

    `suppress` needs camera, category, box and `until`: nothing of the category is raised at that
    place, or within `radius_m` of it, in the view `preset_id` of a camera that turns. `unsuppress`
    names its `command_id` as `suppression_id`. `snapshot` and `recheck` need the camera, and may
    name an issue.
    """

    schema_: Literal["command/1.0"] = Field(default="command/1.0", alias="schema")
    command_id: UUID
    kind: CommandKind
    issued_at: UtcTime
    expires_at: UtcTime
    camera_id: Name | None = None
    issue_id: UUID | None = None
    category: Category | None = None
    box_xyxyn: BoxXyxyn | None = None
    until: UtcTime | None = None
    radius_m: Metres | None = None
    preset_id: Name | None = None
    suppression_id: UUID | None = None


class CommandResult(Value):
    """An agent's answer to one command; `observation` is what a recheck saw of its issue."""

    schema_: Literal["result/1.0"] = Field(default="result/1.0", alias="schema")
    agent_id: Name
    command_id: UUID
    done_at: UtcTime
    ok: bool
    detail: str = ""
    evidence: tuple[EvidenceRef, ...] = ()
    observation: Literal["seen", "not_seen", "not_visible"] | None = None


def _unknown_fields(value: Any, path: str = "") -> list[str]:
    if isinstance(value, BaseModel):
        own = [f"{path}{name}" for name in value.model_extra or {}]
        return own + [
            found
            for name in type(value).model_fields
            for found in _unknown_fields(getattr(value, name), f"{path}{name}.")
        ]
    if isinstance(value, tuple):
        return [found for item in value for found in _unknown_fields(item, path)]
    return []


def encode(message: Value) -> bytes:
    """Write a message as the bytes that travel: the same value always gives the same bytes.

    Raises ValueError when the message holds fields that its version does not have.
    """
    if unknown := _unknown_fields(message):
        raise ValueError(f"{type(message).__name__} has unknown fields: {', '.join(unknown)}")
    return message.model_dump_json(by_alias=True).encode()
