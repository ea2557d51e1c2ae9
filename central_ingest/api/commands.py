"""Commands to agents over HTTP: suppressions and their end, snapshots, rechecks, reloads."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from central_ingest.api.auth import require
from central_ingest.api.deps import Deps
from central_ingest.store.access import Role
from central_ingest.store.commands import Asked, ask, get_command, list_suppressions, revoke
from central_ingest.store.database import reading, writing
from central_ingest.store.views import CommandView, SuppressionView
from contract.messages import CommandKind, Name
from contract.topics import AgentAddress


class CommandWanted(BaseModel):
    """What an agent shall do now; `reload` concerns the whole agent, the others one camera."""

    city: Name
    agent_id: Name
    kind: Literal["snapshot", "recheck", "reload"]
    camera_id: Name | None = None
    issue_id: UUID | None = None


def make_router(deps: Deps) -> APIRouter:
    """The routes of commands."""
    router = APIRouter(prefix="/api", tags=["commands"])

    @router.get("/suppressions")
    def suppressions(request: Request) -> list[SuppressionView]:
        """The places at which agents raise nothing for now, the one that ends first in front."""
        require(deps, request, Role.READER)
        with reading(deps.engine) as connection:
            return list_suppressions(connection, deps.now())

    @router.delete("/suppressions/{suppression_id}", status_code=204)
    def end(request: Request, suppression_id: UUID) -> None:
        """Let the place be reported again."""
        actor = require(deps, request, Role.OFFICER)
        with writing(deps.engine) as connection:
            revoke(connection, suppression_id, actor.name, deps.now())

    @router.post("/commands", status_code=202)
    def command(request: Request, wanted: CommandWanted) -> CommandView:
        """Ask an agent for something now; its answer comes with `GET /api/commands/{id}`."""
        role = Role.ADMIN if wanted.kind == "reload" else Role.OFFICER
        actor = require(deps, request, role)
        asked = Asked(
            AgentAddress(wanted.city, wanted.agent_id),
            CommandKind(wanted.kind),
            wanted.camera_id,
            wanted.issue_id,
        )
        with writing(deps.engine) as connection:
            return get_command(connection, ask(connection, asked, actor.name, deps.now()))

    @router.get("/commands/{command_id}")
    def answer(request: Request, command_id: UUID) -> CommandView:
        """One command and, once there is one, its answer."""
        require(deps, request, Role.READER)
        with reading(deps.engine) as connection:
            return get_command(connection, command_id)

    return router
