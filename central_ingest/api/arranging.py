"""Merges, splits and answers to proposals over HTTP."""

from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from central_ingest.api.auth import require
from central_ingest.api.deps import Deps
from central_ingest.store.access import Role
from central_ingest.store.arranging import Arranging
from central_ingest.store.database import writing
from central_ingest.store.views import CaseSummary


class _Asked(BaseModel):
    """What is asked for changes much: a key that is mistyped must not be passed over."""

    model_config = ConfigDict(extra="forbid")


class Merge(_Asked):
    """Move everything into another case; this one is void then."""

    into: int = Field(ge=1, lt=2**63, strict=True)
    reason: str | None = Field(default=None, max_length=1000)


class Split(_Asked):
    """Take these sightings out into a new case."""

    issue_ids: list[UUID] = Field(min_length=1, max_length=100)
    reason: str = Field(max_length=1000)


class Answer(_Asked):
    """Do what is proposed, or say that it is wrong."""

    accept: bool = Field(strict=True)
    reason: str | None = Field(default=None, max_length=1000)


def make_router(deps: Deps) -> APIRouter:
    """The routes of what belongs together."""
    router = APIRouter(prefix="/api", tags=["cases"])

    @router.post("/cases/{case_id}/merge")
    def merge(request: Request, case_id: int, sent: Merge) -> CaseSummary:
        """Merge a case into another one; who, when and why are remembered in both."""
        actor = require(deps, request, Role.OFFICER)
        with writing(deps.engine) as held:
            work = Arranging(held, deps.filing, actor.name, sent.reason, deps.now())
            return work.merge(case_id, sent.into)

    @router.post("/cases/{case_id}/split")
    def split(request: Request, case_id: int, sent: Split) -> CaseSummary:
        """Split sightings off into a new case; the centre never joins them again."""
        actor = require(deps, request, Role.OFFICER)
        with writing(deps.engine) as held:
            work = Arranging(held, deps.filing, actor.name, sent.reason, deps.now())
            return work.split(case_id, sent.issue_ids)

    @router.post("/proposals/{proposal_id}")
    def answer(request: Request, proposal_id: int, sent: Answer) -> CaseSummary:
        """Accept or dismiss what the centre proposed."""
        actor = require(deps, request, Role.OFFICER)
        with writing(deps.engine) as held:
            work = Arranging(held, deps.filing, actor.name, sent.reason, deps.now())
            return work.answer(proposal_id, accept=sent.accept)

    return router
