"""The web pages: the live list of cases, a case with its map and pictures, login, API docs."""

from pathlib import PurePath

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

from central_ingest.api.deps import Deps
from central_ingest.pages import arranging
from central_ingest.pages.assets import STATIC, require_assets
from central_ingest.pages.rendering import make_environment
from central_ingest.pages.routes import Pages, make_not_found, make_page_route, make_router


class _Assets(StaticFiles):
    """Static files; those asked for with their version may be kept for a year."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope.get("query_string", b"").startswith(b"v=")
        if versioned and PurePath(path).suffix in {".js", ".css", ".svg"}:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def install(app: FastAPI, deps: Deps) -> None:
    """Mount /static and the page routes; unknown addresses are answered in words.

    Raises RefusedToStart, naming the command to run, when the third-party assets were not built.
    """
    require_assets()
    app.mount("/static", _Assets(directory=STATIC), name="static")
    pages = Pages(deps, make_environment())
    app.include_router(make_router(pages))
    app.include_router(arranging.make_router(pages, make_page_route(pages)))
    app.add_exception_handler(404, make_not_found(pages))
