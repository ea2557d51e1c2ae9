"""Cases over HTTP: list, one, decisions; agents and cameras beside them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from central_ingest.api.auth import require
from central_ingest.api.deps import Deps
from central_ingest.cases import OPEN_STATES, CaseState, Presence
from central_ingest.store.access import Role
from central_ingest.store.commands import follow_up
from central_ingest.store.database import reading, writing
from central_ingest.store.fleet import list_agents, list_cameras
from central_ingest.store.queries import LIMIT_MAX, decide, get_case, list_cases, reports_of
from central_ingest.store.views import AgentView, CameraView, CaseDetail, CaseSummary
from contract.catalogue import Category
from contract.messages import CellCode


class CasePage(BaseModel):
    """One page of cases, urgent first, then newest; ask again with `after` until it is null."""

    cases: list[CaseSummary]
    after: int | None


class CaseFilter(BaseModel):
    """Which cases; without `state` the open ones."""

    state: list[CaseState] = Field(default=list(OPEN_STATES))
    category: Category | None = None
    cell: CellCode | None = None
    presence: Presence | None = None
    limit: int = Field(default=50, ge=1, le=LIMIT_MAX)
    after: int | None = Field(default=None, ge=1, lt=2**63)


class CaseReports(BaseModel):
    """A case's reports as agents sent them, in the order in which they came."""

    reports: list[dict[str, Any]]


class Step(BaseModel):
    """One step of a case, such as `confirm`, or `reject` with its reason.

    Rejected with the reason code `not_an_issue` or `permitted`, the agents raise nothing of the
    kind at the case's places for a while.
    """

    action: str = Field(max_length=32)
    reason: str | None = Field(default=None, max_length=1000)
    reason_code: Literal["not_an_issue", "permitted"] | None = None


class Fleet(BaseModel):
    """Agents and their cameras, as they last spoke."""

    agents: list[AgentView]
    cameras: list[CameraView]


def make_router(deps: Deps) -> APIRouter:
    """The routes of cases."""
    router = APIRouter(prefix="/api", tags=["cases"])

    @router.get("/cases")
    def cases(request: Request, wanted: Annotated[CaseFilter, Query()]) -> CasePage:
        """Cases, urgent first, then newest first."""
        require(deps, request, Role.READER)
        with reading(deps.engine) as connection:
            found = list_cases(
                connection,
                states=wanted.state,
                category=wanted.category,
                cell=wanted.cell,
                presence=wanted.presence,
                limit=wanted.limit,
                after=wanted.after,
            )
        return CasePage(
            cases=found, after=found[-1].case_id if len(found) == wanted.limit else None
        )

    @router.get("/cases/{case_id}")
    def case(request: Request, case_id: int) -> CaseDetail:
        """One case with its sightings, decisions and proposals."""
        require(deps, request, Role.READER)
        with reading(deps.engine) as connection:
            return get_case(connection, case_id)

    @router.get("/cases/{case_id}/reports")
    def reports(request: Request, case_id: int) -> CaseReports:
        """What agents reported about a case, word for word."""
        require(deps, request, Role.READER)
        with reading(deps.engine) as connection:
            return CaseReports(reports=reports_of(connection, case_id))

    @router.post("/cases/{case_id}/decisions")
    def take_step(request: Request, case_id: int, step: Step) -> CaseSummary:
        """Let a case take one step; who and when are remembered."""
        actor = require(deps, request, Role.OFFICER)
        now = deps.now()
        with writing(deps.engine) as connection:
            case = decide(connection, case_id, step.action, actor.name, step.reason, now)
            follow_up(connection, case_id, (step.action, step.reason_code), actor.name, now)
            return case

    @router.get("/fleet")
    def fleet(request: Request) -> Fleet:
        """Agents and cameras, as they last spoke."""
        require(deps, request, Role.READER)
        with reading(deps.engine) as connection:
            return Fleet(agents=list_agents(connection), cameras=list_cameras(connection))

    return router
