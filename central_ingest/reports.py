"""A report as the centre files it: of what an agent said, that which decides anything here. Pure.

One flat value for both ways of reading (`parsing` at speed, the contract's own model for the rest),
small enough to be handed from one process to another at speed (`handover`).
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from central_ingest.dedup import Place
from central_ingest.errors import UnstorableReport
from central_ingest.parsing import INTEGER_MAX, LONG_TEXT_MAX, SHORT_TEXT_MAX, QuickReport
from contract.catalogue import Category, Family
from contract.messages import IssueReport, Phase, Severity


class Cell(Struct, frozen=True, gc=False, array_like=True):
    """The cell that the agent found."""

    code: str
    grid_version: str


class Component(Struct, frozen=True, gc=False, array_like=True):
    """The registered object that the issue belongs to."""

    id: str
    standard: str


class Evidence(Struct, frozen=True, gc=False, array_like=True):
    """One picture or clip, as `EvidenceRef` of the contract names it."""

    sha256: str
    kind: str
    media_type: str
    bytes: int
    moment: str | None
    captured_at: datetime | None


class Report(Struct, frozen=True, gc=False, array_like=True):
    """An issue as one camera sees it now.

    `captured_s` is when the frame was taken, in seconds since 1970 by the agent's clock;
    `clock_offset_s` is 0 where the agent knows none.
    """

    city: str
    agent_id: str
    camera_id: str
    outbox_id: UUID
    seq: int
    issue_id: UUID
    revision: int
    phase: Phase
    family: Family
    category: Category
    severity: Severity
    first_seen_at: datetime
    last_seen_at: datetime
    captured_s: float
    clock_offset_s: float
    box_xyxyn: tuple[float, float, float, float]
    score: float
    place: Place | None
    cell: Cell | None
    component: Component | None
    evidence: tuple[Evidence, ...]
    model_name: str
    model_sha256: str


def report_of(said: IssueReport | QuickReport) -> Report:
    """What the centre files of it. Raises UnstorableReport for what no table holds."""
    if isinstance(said, IssueReport):  # what is read quickly can be held
        _check_storable(said)
    at, part = said.position, said.component
    return Report(
        said.city,
        said.agent_id,
        said.camera_id,
        said.outbox_id,
        said.seq,
        said.issue_id,
        said.revision,
        said.phase,
        said.family,
        said.category,
        said.severity,
        said.first_seen_at,
        said.last_seen_at,
        said.captured_at.timestamp(),
        said.clock.offset_s if said.clock.synced else 0.0,
        said.box_xyxyn,
        said.score,
        Place(at.lon, at.lat, at.error_m) if at is not None else None,
        Cell(said.cells[0].code, said.cells[0].grid_version) if said.cells else None,
        Component(part.id, part.standard) if part is not None else None,
        tuple(
            Evidence(e.sha256, e.kind, e.media_type, e.bytes, e.moment, e.captured_at)
            for e in said.evidence
        ),
        said.model.name,
        said.model.sha256,
    )


def _check_storable(said: IssueReport) -> None:
    """What the contract allows and no table holds. Raises UnstorableReport naming the field."""
    for name in ("seq", "revision"):
        if getattr(said, name) > INTEGER_MAX:
            raise UnstorableReport(
                f"{name} {getattr(said, name)} is too large: at most {INTEGER_MAX} was expected"
            )
    for named in said.evidence:
        _check_text("evidence.media_type", named.media_type, SHORT_TEXT_MAX)
        if named.bytes > INTEGER_MAX:
            raise UnstorableReport(f"evidence.bytes {named.bytes} is too large")
    _check_text("model.name", said.model.name, LONG_TEXT_MAX)
    for cell in said.cells[:1]:
        _check_text("cells.grid_version", cell.grid_version, SHORT_TEXT_MAX)
    if (part := said.component) is not None:
        _check_text("component.id", part.id, SHORT_TEXT_MAX)
        _check_text("component.standard", part.standard, SHORT_TEXT_MAX)


def _check_text(name: str, value: str, longest: int) -> None:
    if len(value) > longest or "\0" in value:
        raise UnstorableReport(f"{name}: at most {longest} characters without NUL were expected")
