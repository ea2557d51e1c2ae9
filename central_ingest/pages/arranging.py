"""The page routes of merges, splits and answers to proposals."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from central_ingest.api.auth import require
from central_ingest.errors import IllegalStep, NotFound, ReasonMissing
from central_ingest.pages import answers
from central_ingest.pages.labels import Label
from central_ingest.pages.routes import CaseId, Pages, Said, wants_fragment
from central_ingest.store.access import Role
from central_ingest.store.arranging import Arranging
from central_ingest.store.database import writing
from central_ingest.store.queries import find_case
from central_ingest.store.views import CaseSummary


class MergeForm(BaseModel):
    """The number of the case that remains, and why."""

    model_config = ConfigDict(frozen=True)

    into: str = Field(max_length=64)
    text: str = Field(default="", max_length=500)


class SplitForm(BaseModel):
    """The sightings that are another problem, and why."""

    model_config = ConfigDict(frozen=True)

    issue: tuple[UUID, ...] = ()
    text: str = Field(default="", max_length=500)


class AnswerForm(BaseModel):
    """`accept` or `dismiss`."""

    model_config = ConfigDict(frozen=True)

    answer: str = Field(max_length=16)


def make_router(pages: Pages, route: type[APIRoute]) -> APIRouter:
    """The routes; `route` turns errors into pages."""
    router = APIRouter(route_class=route, include_in_schema=False)

    @router.post("/cases/{case_id}/merge", response_model=None)
    def merge(request: Request, case_id: CaseId, sent: Annotated[MergeForm, Form()]) -> Response:
        def work(held: Arranging, number: Callable[[str], int]) -> Label:
            return answers.merged(held.merge(case_id, number(sent.into)).number)

        return _answer(pages, request, (case_id, sent.text), work)

    @router.post("/cases/{case_id}/split", response_model=None)
    def split(request: Request, case_id: CaseId, sent: Annotated[SplitForm, Form()]) -> Response:
        def work(held: Arranging, _number: Callable[[str], int]) -> Label:
            return answers.split_off(held.split(case_id, sent.issue).number)

        return _answer(pages, request, (case_id, sent.text), work)

    @router.post("/cases/{case_id}/proposals/{proposal_id}", response_model=None)
    def propose(
        request: Request, case_id: CaseId, proposal_id: CaseId, sent: Annotated[AnswerForm, Form()]
    ) -> Response:
        def work(held: Arranging, _number: Callable[[str], int]) -> Label:
            accept = sent.answer == "accept"
            kept: CaseSummary = held.answer(proposal_id, accept=accept)
            return answers.answered(kept.number, accept=accept)

        return _answer(pages, request, (case_id, ""), work)

    return router


def _answer(
    pages: Pages,
    request: Request,
    asked: tuple[int, str],
    work: Callable[[Arranging, Callable[[str], int]], Label],
) -> Response:
    """Do it, or say in words why it cannot be done; then show the case again."""
    actor = require(pages.deps, request, Role.OFFICER)
    case_id, reason = asked
    deps = pages.deps
    try:
        with writing(deps.engine) as connection:
            held = Arranging(connection, deps.filing, actor.name, reason, deps.now())
            said = Said(work(held, lambda number: find_case(connection, number)))
    except ReasonMissing:
        said = Said(answers.REASON_MISSING, "error", 422)
    except IllegalStep:
        said = Said(answers.CANNOT_ARRANGE, "error", 409)
    except NotFound:
        said = Said(answers.NO_SUCH_NUMBER, "error", 404)
    if not wants_fragment(request):
        return RedirectResponse(f"/cases/{case_id}", 303)
    return pages.case(request, case_id, said)
