"""What pages and API show: frozen values, read from the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from central_ingest.cases import CaseState, Presence
from contract.catalogue import Category, Family
from contract.messages import CameraState, CommandKind, Phase, Severity, ShownMoment

EvidenceState = Literal["present", "pending", "lost"]


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """One picture or clip of a sighting, and whether its bytes are here.

    `moment` says whether it shows the issue or its absence, `captured_at` when it was taken, or
    when a clip begins; older agents say neither.
    """

    sha256: str
    kind: str
    media_type: str
    bytes: int
    state: EvidenceState
    moment: ShownMoment | None = None
    captured_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """One line of a list of cases.

    `error_m` is the radius of the position's error. `still` is the picture to show first.
    `deadline_at` is set when the case is filed.
    """

    case_id: int
    number: str
    category: Category
    family: Family
    severity: Severity
    state: CaseState
    presence: Presence
    cell_code: str | None
    grid_version: str | None
    cell_official: bool
    lon: float | None
    lat: float | None
    error_m: float | None
    opened_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    deadline_at: datetime | None
    sighting_count: int
    cameras: tuple[str, ...]
    still: EvidenceView | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SightingView:
    """One camera's issue, and why it belongs to its case, in words with the numbers."""

    issue_id: UUID
    agent_id: str
    camera_id: str
    phase: Phase
    category: Category
    revision: int
    first_seen_at: datetime
    last_seen_at: datetime
    lon: float | None
    lat: float | None
    error_m: float | None
    box_xyxyn: tuple[float, float, float, float]
    score: float
    model_name: str
    model_sha256: str
    evidence: tuple[EvidenceView, ...]
    linked_because: str


@dataclass(frozen=True, slots=True)
class DecisionView:
    """Who did what with a case, when and why; `detail` says what changed."""

    at: datetime
    who: str
    action: str
    reason: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class ProposalView:
    """What the centre suggests but does not do by itself.

    `merge` names the other case; `void` has none. `settled_at` is set once a person answered.
    """

    proposal_id: int
    kind: Literal["merge", "void"]
    other_case_id: int | None
    other_number: str | None
    because: str
    made_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class CaseLink:
    """Another case, by key and number."""

    case_id: int
    number: str


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """Everything about one case; `actions` are the steps that its state allows now.

    `merged_into` is where its sightings went; `recurs_of` the case that was closed here before.
    """

    summary: CaseSummary
    sightings: tuple[SightingView, ...]
    decisions: tuple[DecisionView, ...]
    proposals: tuple[ProposalView, ...]
    actions: tuple[str, ...]
    merged_into: CaseLink | None = None
    recurs_of: CaseLink | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one case, in the order in which changes were committed."""

    change_id: int
    case_id: int
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CellView:
    """One unit grid cell; `polygon` is GeoJSON geometry."""

    code: str
    grid_version: str
    official: bool
    polygon: dict[str, object]


@dataclass(frozen=True, slots=True)
class AgentView:
    """What an agent last said about itself."""

    city: str
    agent_id: str
    state: str
    since: datetime
    version: str
    waiting_reports: int
    last_heard_at: datetime


@dataclass(frozen=True, slots=True)
class CameraView:
    """What an agent last said about one of its cameras.

    `picture_sha256` names the masked picture of what a camera shows that was moved.
    """

    agent_id: str
    camera_id: str
    state: CameraState
    since: datetime
    detail: str
    looks_per_s: float
    last_heard_at: datetime
    preset_id: str | None = None
    picture_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SuppressionView:
    """A place at which an agent raises nothing of a category; `suppression_id` revokes it.

    `holds_at_agent` is false while the agent has not answered yet.
    """

    suppression_id: UUID
    case_id: int | None
    case_number: str | None
    city: str
    agent_id: str
    camera_id: str
    category: Category
    asked_by: str
    asked_at: datetime
    until: datetime
    holds_at_agent: bool


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command to an agent and, once there is one, its answer; `evidence` are hashes."""

    command_id: UUID
    agent_id: str
    kind: CommandKind
    asked_by: str
    issued_at: datetime
    expires_at: datetime
    offered_at: datetime | None
    answered_at: datetime | None
    ok: bool | None
    answer: str
    evidence: list[str]
    observation: str | None
