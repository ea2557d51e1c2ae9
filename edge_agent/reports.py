"""From a transition, its place and its evidence to the report that travels."""

from dataclasses import dataclass
from uuid import UUID

from contract.messages import (
    CellRef,
    ClockState,
    ComponentRef,
    EvidenceRef,
    FrameInfo,
    IssueReport,
    ModelRef,
    Position,
    Support,
)
from edge_agent.grid import Components, Grid
from edge_agent.issues import Transition
from edge_agent.place import CameraPlace


@dataclass(frozen=True, slots=True)
class Origin:
    """Who reports: the same for every report of a camera until something is configured anew."""

    city: str
    agent_id: str
    camera_id: str
    outbox_id: UUID
    model: ModelRef
    config_sha256: str
    preset_id: str | None = None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an issue is, as well as is known."""

    position: Position | None = None
    cells: tuple[CellRef, ...] = ()
    component: ComponentRef | None = None

    @classmethod
    def of(
        cls,
        transition: Transition,
        place: CameraPlace,
        grid: Grid | None = None,
        components: Components | None = None,
    ) -> "Whereabouts":
        """Look up what the camera's place, the grid and the components say about a box."""
        position = place.position(transition.family, transition.box_xyxyn)
        if position is None:
            return cls()
        return cls(
            position=position,
            cells=grid.lookup(position) if grid else (),
            component=components.nearest(transition.family, position) if components else None,
        )


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What held at the moment of one report."""

    seq: int
    clock: ClockState
    frame: FrameInfo
    evidence: tuple[EvidenceRef, ...] = ()


def report_of(
    transition: Transition, where: Whereabouts, origin: Origin, circumstances: Circumstances
) -> IssueReport:
    """Write the report. Raises ValueError (pydantic's) where it breaks the contract."""
    support = transition.support
    return IssueReport(
        city=origin.city,
        agent_id=origin.agent_id,
        camera_id=origin.camera_id,
        preset_id=origin.preset_id,
        outbox_id=origin.outbox_id,
        seq=circumstances.seq,
        issue_id=transition.issue_id,
        revision=transition.revision,
        phase=transition.phase,
        reason=transition.reason,
        reopened=transition.reopened,
        family=transition.family,
        category=transition.category,
        severity=transition.severity,
        first_seen_at=transition.first_seen_at,
        last_seen_at=transition.last_seen_at,
        captured_at=transition.captured_at,
        clock=circumstances.clock,
        frame=circumstances.frame,
        box_xyxyn=transition.box_xyxyn,
        score=transition.score,
        support=Support(
            seen=support.seen, visible=support.visible, window_s=round(support.window_s, 3)
        ),
        position=where.position,
        cells=where.cells,
        component=where.component,
        evidence=circumstances.evidence,
        model=origin.model,
        config_sha256=origin.config_sha256,
    )
