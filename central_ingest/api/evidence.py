"""Evidence over HTTP: agents send it by its hash, people read it, and each reading is logged.

Sending: `PUT /evidence/{sha256}` with Content-Type and Content-Length sends it whole. A sender
that was cut off asks `HEAD`: a 404 with `Upload-Offset: n` says that n bytes are here; it goes on
with `Content-Range: bytes n-last/total`. Answers: 201 stored, 200 was here already, 202 a part was
taken, 409 another byte is expected (`Upload-Offset` says which), 413 too large, 422 the bytes
differ from their name, size or type, 503 the same bytes are arriving on another connection or the
database is away: try again later.
"""

import re
from contextlib import ExitStack

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from central_ingest.api.auth import Authenticator, require
from central_ingest.api.deps import Deps
from central_ingest.errors import AccessError, NotFound
from central_ingest.evidence import Upload
from central_ingest.store.access import Actor, Role
from central_ingest.store.database import appending, reading, writing
from central_ingest.store.pictures import (
    Picture,
    Reading,
    get_picture,
    note_missing,
    note_reading,
    note_stored,
    part_of,
)

_RANGE = re.compile(r"^bytes (\d{1,15})-(\d{1,15})/(\d{1,15})$")
# A picture never changes; a browser may keep it for a while, so that a list is one look, not many.
_KEPT = "private, max-age=600, immutable"


def _announced(sha256: str, request: Request) -> Upload:
    """What the headers say. Raises HTTPException."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise HTTPException(411, "Content-Length was expected: the size of what is sent")
    part = request.headers.get("content-range")
    if part is None:
        return Upload(sha256, media_type, 0, int(length))
    match = _RANGE.match(part)
    if match is None:
        raise HTTPException(400, f"Content-Range {part[:80]!r}: 'bytes first-last/total' expected")
    first, last, total = (int(group) for group in match.groups())
    if not first <= last < total or last - first + 1 != int(length):
        raise HTTPException(400, f"Content-Range {part!r} does not fit Content-Length {length}")
    return Upload(sha256, media_type, first, total)


def _held(deps: Deps, sha256: str) -> Picture | None:
    """What is known of it, if its bytes are really here."""
    try:
        with reading(deps.engine) as connection:
            picture = get_picture(connection, sha256)
    except NotFound:
        return None
    if not deps.evidence.holds(sha256):
        with writing(deps.engine, part_of(sha256)) as connection:
            note_missing(connection, sha256, deps.now())
        return None
    return picture


def _finish(deps: Deps, upload: Upload, actor: Actor) -> None:
    deps.evidence.finish(upload)
    picture = Picture(upload.sha256, upload.media_type, upload.total)
    with writing(deps.engine, part_of(upload.sha256)) as connection:
        note_stored(connection, picture, actor.name, deps.now())


def _answer(status: int, sha256: str, received: int) -> Response:
    body = {"sha256": sha256, "received_bytes": received}
    return JSONResponse(body, status, headers={"Upload-Offset": str(received)})


async def _take(deps: Deps, request: Request, upload: Upload, actor: Actor) -> Response:
    with ExitStack() as stack:
        arriving = stack.enter_context(deps.evidence.receive(upload))
        async for chunk in request.stream():
            arriving.write(chunk)
    if arriving.received < upload.total:
        return _answer(202, upload.sha256, arriving.received)
    await run_in_threadpool(_finish, deps, upload, actor)
    return _answer(201, upload.sha256, upload.total)


def _show(deps: Deps, request: Request, sha256: str) -> Response:
    actor = require(deps, request, Role.READER)
    picture = _held(deps, sha256)
    if picture is None:
        raise NotFound(f"evidence {sha256} is not here")
    address = request.client.host if request.client else ""
    with appending(deps.engine) as connection:
        note_reading(connection, Reading(sha256, actor.name, deps.now(), address))
    return FileResponse(
        deps.evidence.path(sha256),
        media_type=picture.media_type,
        headers={"Cache-Control": _KEPT, "ETag": f'"{sha256}"'},
    )


def _ask(deps: Deps, sha256: str) -> Response:
    picture = _held(deps, sha256)
    if picture is not None:
        headers = {"Content-Length": str(picture.bytes), "Content-Type": picture.media_type}
        return Response(status_code=200, headers=headers)
    offset = deps.evidence.received_bytes(sha256)
    return Response(status_code=404, headers={"Upload-Offset": str(offset)})


def make_router(deps: Deps, authenticator: Authenticator) -> APIRouter:
    """The routes of evidence."""
    router = APIRouter(prefix="/evidence", tags=["evidence"])

    @router.put("/{sha256}")
    async def put(request: Request, sha256: str) -> Response:
        """Take a masked picture or clip in; repeating it changes nothing."""
        actor = await run_in_threadpool(authenticator.sender, request)
        upload = _announced(sha256, request)
        try:
            if await run_in_threadpool(_held, deps, sha256) is not None:
                async for _ in request.stream():
                    pass
                return _answer(200, sha256, upload.total)
            return await _take(deps, request, upload, actor)
        except ClientDisconnect:
            return Response(status_code=400)

    @router.head("/{sha256}")
    def ask(request: Request, sha256: str) -> Response:
        """Say whether it is here, else how many bytes of it are."""
        try:
            authenticator.sender(request)
        except AccessError:
            require(deps, request, Role.READER)
        return _ask(deps, sha256)

    @router.get("/{sha256}")
    def get(request: Request, sha256: str) -> Response:
        """Show it; who looked is remembered."""
        return _show(deps, request, sha256)

    return router
