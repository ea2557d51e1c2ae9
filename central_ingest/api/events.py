"""Changes of cases as server-sent events, in the order in which they were committed.

An event's id is its change: a browser that comes back says the last one it saw (Last-Event-ID) and
misses nothing. The database is the source, so every process serves every change.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from central_ingest.api.auth import require
from central_ingest.api.deps import Deps
from central_ingest.errors import StoreUnavailable
from central_ingest.store.access import Role
from central_ingest.store.database import reading
from central_ingest.store.queries import changes_since, last_change_id
from central_ingest.store.views import Change
from contract.messages import format_utc

POLL_S = 0.4
SILENCE_S = 15.0
# Then the browser comes back by itself, and its login is checked again.
LASTS_S = 600.0
_AT_ONCE = 200


def write_event(change: Change) -> str:
    """One change as one event."""
    data = {"case_id": change.case_id, "kind": change.kind, "at": format_utc(change.at)}
    return f"id: {change.change_id}\nevent: case\ndata: {json.dumps(data)}\n\n"


def _start(deps: Deps, request: Request) -> int:
    """The change after which to begin: the last one seen, else the newest.

    One beyond the newest was seen before a server lost it, and will be told anew.
    """
    require(deps, request, Role.READER)
    seen = request.headers.get("last-event-id", "")
    with reading(deps.engine) as connection:
        newest = last_change_id(connection)
    if seen.isascii() and seen.isdigit() and len(seen) < 19:
        return min(int(seen), newest)
    return newest


def _read(deps: Deps, seen: int) -> list[Change]:
    with reading(deps.engine) as connection:
        return changes_since(connection, seen, _AT_ONCE)


async def stream(deps: Deps, request: Request, seen: int) -> AsyncIterator[str]:
    """Events after `seen`, until the browser leaves, the server stops or it is time to return."""
    ends_s = time.monotonic() + LASTS_S
    # So soon that a browser whose stream has lasted is back before the page says "lost".
    yield "retry: 1000\n\n"
    spoke_s = 0.0
    while time.monotonic() < ends_s and not deps.stopping.is_set():
        try:
            changes = await run_in_threadpool(_read, deps, seen)
        except StoreUnavailable:
            return
        if changes:
            seen = changes[-1].change_id
            yield "".join(write_event(change) for change in changes)
            spoke_s = time.monotonic()
        elif time.monotonic() - spoke_s > SILENCE_S:
            yield ": still here\n\n"
            spoke_s = time.monotonic()
        if len(changes) < _AT_ONCE:
            await asyncio.sleep(POLL_S)
        if await request.is_disconnected():
            return


def make_router(deps: Deps) -> APIRouter:
    """The route of events."""
    router = APIRouter(prefix="/api", tags=["cases"])

    @router.get("/events", response_class=StreamingResponse)
    async def events(request: Request) -> StreamingResponse:
        """Every change of a case, as it is committed: event `case` with case_id, kind and at."""
        seen = await run_in_threadpool(_start, deps, request)
        return StreamingResponse(
            stream(deps, request, seen),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router
