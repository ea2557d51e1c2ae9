"""The page routes: the list, a case, decisions, login, API documentation."""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, Field

from central_ingest.api.auth import require
from central_ingest.api.deps import Deps
from central_ingest.api.health import look
from central_ingest.cases import CaseState
from central_ingest.errors import CentreError, IllegalStep, NotFound, ReasonMissing
from central_ingest.pages import answers
from central_ingest.pages.filters import ListFilter, read_filter
from central_ingest.pages.labels import QUICK_REASONS, Label
from central_ingest.pages.maps import map_json
from central_ingest.store import database, queries
from central_ingest.store.access import LOCAL, Actor, Role
from central_ingest.store.commands import follow_up, list_suppressions, revoke
from central_ingest.store.database import Connection
from central_ingest.store.fleet import list_cameras
from central_ingest.store.policy import read_policy
from central_ingest.store.views import CaseSummary
from contract.messages import CameraState

PAGE_ROWS: Final = 40
IDS_MAX: Final = 100
_IDS = re.compile(r"\d{1,18}(,\d{1,18})*")
_LOCAL_PATH = re.compile(r"/(?![/\\])[^\s]*")

CaseId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class DecisionForm(BaseModel):
    """What a decision form sends; `sender` is `list` for a row's own buttons."""

    model_config = ConfigDict(frozen=True)

    action: str = Field(max_length=32)
    quick: str = Field(default="", max_length=32)
    text: str = Field(default="", max_length=500)
    sender: str = Field(default="case", max_length=8)


@dataclass(frozen=True, slots=True)
class Said:
    """What the page tells about a step that was just tried."""

    label: Label
    kind: str = "status"
    status: int = 200


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads through `deps`, renders through `environment`."""

    deps: Deps
    environment: Environment

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Render a page or fragment; nobody may keep it, since it shows what people may see."""
        values = {"now": self.deps.now(), "zone": UTC, "who": None, "live": False} | values
        values.setdefault("can_log_out", False)
        html = self.environment.get_template(template).render(values)
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})

    def person(self, request: Request) -> dict[str, Any]:
        """What templates know about who asks. Raises NotAuthenticated, NotAllowed."""
        actor = require(self.deps, request, Role.READER)
        return {
            "who": actor.name,
            "may_decide": actor.may(Role.OFFICER),
            "can_log_out": actor != LOCAL,
        }

    def list_page(self, request: Request) -> HTMLResponse:
        """The list of cases, filtered by the address."""
        person = self.person(request)
        wanted = read_filter(request.query_params)
        with database.reading(self.deps.engine) as connection:
            cases = _page(connection, wanted, None)
            values: dict[str, Any] = {
                "counts": queries.count_by_state(connection),
                "zone": _zone(connection),
                "degraded": look(connection, self.deps.now()).degraded,
            }
        return self.render(
            "list.html",
            **person,
            **values,
            filter=wanted,
            cases=cases[:PAGE_ROWS],
            after=_after(cases),
            live=True,
        )

    def notice(self, request: Request) -> HTMLResponse:
        """What keeps new cases from appearing; nothing when all is well."""
        require(self.deps, request, Role.READER)
        with database.reading(self.deps.engine) as connection:
            health = look(connection, self.deps.now())
        return self.render("notice.html", degraded=health.degraded)

    def rows(self, request: Request) -> HTMLResponse:
        """Rows to merge: those of `ids`; those after `after`; or the first page, to catch up."""
        person = self.person(request)
        wanted = read_filter(request.query_params)
        ids, after = request.query_params.get("ids", ""), request.query_params.get("after", "")
        with database.reading(self.deps.engine) as connection:
            if _IDS.fullmatch(ids):
                found = _by_ids(connection, [int(text) for text in ids.split(",")[:IDS_MAX]])
                rows, next_after = [(case, wanted.matches(case)) for case in found], None
            else:
                cases = _page(connection, wanted, int(after) if _IDS.fullmatch(after) else None)
                rows = [(case, True) for case in cases[:PAGE_ROWS]]
                next_after = _after(cases) if after else None
            counts = None if after else queries.count_by_state(connection)
            zone = _zone(connection)
        return self.render(
            "rows.html",
            **person,
            cases=rows,
            filter=wanted,
            after=next_after,
            counts=counts,
            zone=zone,
            said=None,
        )

    def case(self, request: Request, case_id: int, said: Said | None = None) -> HTMLResponse:
        """A case's page, or (to merge) its parts with what is said about the last step."""
        person = self.person(request)
        with database.reading(self.deps.engine) as connection:
            detail = queries.get_case(connection, case_id)
            next_case = _next_pending(connection, case_id)
            zone = _zone(connection)
        live = said is not None or request.url.path.endswith("/live")
        return self.render(
            "case_live.html" if live else "case.html",
            said.status if said else 200,
            **person,
            detail=detail,
            map_json=map_json(detail),
            next_case=next_case,
            zone=zone,
            live=not live,
            said=said.label if said else None,
            said_kind=said.kind if said else None,
        )

    def suppressions(self, request: Request) -> HTMLResponse:
        """The places at which agents raise nothing for now."""
        person = self.person(request)
        with database.reading(self.deps.engine) as connection:
            held = list_suppressions(connection, self.deps.now())
            zone = _zone(connection)
        return self.render("suppressions.html", **person, held=held, zone=zone)

    def cameras(self, request: Request) -> HTMLResponse:
        """How every camera is, those in trouble first."""
        person = self.person(request)
        with database.reading(self.deps.engine) as connection:
            found = list_cameras(connection)
            zone = _zone(connection)
        found.sort(key=lambda camera: (camera.state is CameraState.OK, camera.camera_id))
        return self.render("cameras.html", **person, cameras=found, zone=zone)

    def one_row(self, request: Request, case_id: int, said: Said) -> HTMLResponse:
        """One row to merge, with what is said about the last step."""
        wanted = read_filter(request.query_params)
        with database.reading(self.deps.engine) as connection:
            case = queries.get_summary(connection, case_id)
            counts = queries.count_by_state(connection)
            zone = _zone(connection)
        return self.render(
            "rows.html",
            said.status,
            **self.person(request),
            cases=[(case, wanted.matches(case))],
            filter=wanted,
            after=None,
            counts=counts,
            zone=zone,
            said=said.label,
            said_kind=said.kind,
        )

    def decide(self, actor: Actor, case_id: int, sent: DecisionForm) -> Said:
        """Let the case take the step, or say in words why it cannot. Raises NotFound."""
        action, reason = sent.action, reason_text(sent.quick, sent.text)
        now: datetime = self.deps.now()
        try:
            with database.writing(self.deps.engine) as connection:
                case = queries.decide(connection, case_id, action, actor.name, reason, now)
                told = follow_up(connection, case_id, (action, sent.quick), actor.name, now)
        except IllegalStep:
            with database.reading(self.deps.engine) as connection:
                state = queries.get_summary(connection, case_id).state
            return Said(answers.illegal(action, state), "error", 409)
        except ReasonMissing:
            return Said(answers.REASON_MISSING, "error", 422)
        return Said(answers.decided(case.number, case.state, agents_told=told))


def _zone(connection: Connection) -> ZoneInfo:
    return ZoneInfo(read_policy(connection).calendar.timezone)


def _page(connection: Connection, wanted: ListFilter, after: int | None) -> list[CaseSummary]:
    """One page and one case more, which tells whether there is another page."""
    return queries.list_cases(
        connection,
        states=wanted.states,
        category=wanted.category,
        cell=wanted.cell,
        presence=wanted.presence,
        limit=PAGE_ROWS + 1,
        after=after,
    )


def _after(cases: list[CaseSummary]) -> str | None:
    return str(cases[PAGE_ROWS - 1].case_id) if len(cases) > PAGE_ROWS else None


def _next_pending(connection: Connection, case_id: int) -> CaseSummary | None:
    """The case to look at next: the newest pending one before this, else the newest of all."""
    for after in (case_id, None):
        found = queries.list_cases(connection, states=(CaseState.PENDING,), limit=2, after=after)
        others = [case for case in found if case.case_id != case_id]
        if others:
            return others[0]
    return None


def _by_ids(connection: Connection, ids: list[int]) -> list[CaseSummary]:
    """Newest first, so that rows are inserted in the list's order; unknown ids are left out."""
    found = []
    for case_id in sorted(set(ids), reverse=True):
        try:
            found.append(queries.get_summary(connection, case_id))
        except NotFound:
            continue
    return found


def reason_text(quick: str, text: str) -> str | None:
    """The reason as it is stored: the quick reason in both languages, then the person's words."""
    parts = [str(QUICK_REASONS[quick])] if quick in QUICK_REASONS else []
    if text.strip():
        parts.append(text.strip())
    return "：".join(parts) or None


def _decide(pages: Pages, request: Request, case_id: int, sent: DecisionForm) -> Response:
    actor = require(pages.deps, request, Role.OFFICER)
    said = pages.decide(actor, case_id, sent)
    if not wants_fragment(request):
        return RedirectResponse(f"/cases/{case_id}", 303)
    if sent.sender == "list":
        return pages.one_row(request, case_id, said)
    return pages.case(request, case_id, said)


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks, which merges parts into the page."""
    return request.headers.get("HX-Request") == "true"


def make_page_route(pages: Pages) -> type[APIRoute]:
    """A route class that turns errors into pages in both languages, here and nowhere else."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                try:
                    return await handle(request)
                except (CentreError, RequestValidationError) as error:
                    return _error_page(pages, request, error)

            return answer

    return PageRoute


def _error_page(pages: Pages, request: Request, error: Exception) -> Response:
    problem = answers.NO_SUCH_PAGE if _wrong_address(error) else answers.problem_of(error)
    if problem.status == 401 and not wants_fragment(request):
        where = request.url.path if request.method == "GET" else "/"
        return RedirectResponse(f"/login?next={where}", 303)
    if wants_fragment(request):
        return pages.render("flash.html", problem.status, said=problem.said, said_kind="error")
    return pages.render("error.html", problem.status, said=problem.said, advice=problem.advice)


def _wrong_address(error: Exception) -> bool:
    """Whether what stands in the path cannot be a case's number."""
    return isinstance(error, RequestValidationError) and any(
        wrong["loc"][0] == "path" for wrong in error.errors()
    )


def make_not_found(pages: Pages) -> Callable[[Request, Exception], Coroutine[Any, Any, Response]]:
    """What answers an address that nothing stands behind: words for people, JSON for programs."""

    async def not_found(request: Request, error: Exception) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"detail": getattr(error, "detail", "Not Found")}, 404)
        problem = answers.NO_SUCH_PAGE
        return pages.render("error.html", 404, said=problem.said, advice=problem.advice)

    return not_found


def make_router(pages: Pages) -> APIRouter:
    """All page routes."""
    router = APIRouter(
        route_class=make_page_route(pages),
        default_response_class=HTMLResponse,
        include_in_schema=False,
    )
    router.add_api_route("/", pages.list_page, methods=["GET", "HEAD"], response_model=None)
    router.add_api_route("/notice", pages.notice, methods=["GET"], response_model=None)
    router.add_api_route("/cases/rows", pages.rows, methods=["GET"], response_model=None)

    @router.get("/cases/{case_id}", response_model=None)
    @router.get("/cases/{case_id}/live", response_model=None)
    def case(request: Request, case_id: CaseId) -> Response:
        return pages.case(request, case_id)

    @router.post("/cases/{case_id}/decisions", response_model=None)
    def decide(
        request: Request, case_id: CaseId, sent: Annotated[DecisionForm, Form()]
    ) -> Response:
        return _decide(pages, request, case_id, sent)

    router.add_api_route("/cameras", pages.cameras, methods=["GET"], response_model=None)
    router.add_api_route("/suppressions", pages.suppressions, methods=["GET"], response_model=None)

    @router.post("/suppressions/{suppression_id}/end", response_model=None)
    def end_suppression(request: Request, suppression_id: UUID) -> Response:
        actor = require(pages.deps, request, Role.OFFICER)
        with database.writing(pages.deps.engine) as connection:
            revoke(connection, suppression_id, actor.name, pages.deps.now())
        return RedirectResponse("/suppressions", 303)

    @router.get("/login", response_model=None)
    def login(next: str = "/", problem: str = "") -> Response:  # noqa: A002 - the address names it
        path = next if _LOCAL_PATH.fullmatch(next) else "/"
        return pages.render("login.html", next=path, problem=answers.LOGIN_PROBLEMS.get(problem))

    @router.get("/docs", response_model=None)
    def docs(request: Request) -> Response:
        return pages.render("docs.html", **pages.person(request))

    return router
