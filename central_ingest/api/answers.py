"""The centre's errors as HTTP answers, translated here and nowhere else."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ExceptionHandler

from central_ingest import errors

STATUS: dict[type[errors.CentreError], int] = {
    errors.NotFound: 404,
    errors.StoreUnavailable: 503,
    errors.IllegalStep: 409,
    errors.ReasonMissing: 422,
    errors.EvidenceMismatch: 422,
    errors.EvidenceTooLarge: 413,
    errors.EvidenceOutOfStep: 409,
    errors.EvidenceBusy: 503,
    errors.EvidenceAway: 503,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
}


_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}


def _handler(status: int) -> ExceptionHandler:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        del request
        headers = dict(_HEADERS.get(status, {}))
        if isinstance(error, errors.EvidenceOutOfStep):
            headers["Upload-Offset"] = str(error.received_bytes)
        return JSONResponse({"detail": str(error)}, status, headers=headers)

    return answer


def install(app: FastAPI) -> None:
    """Let each of the centre's errors answer with its status and its message."""
    for kind, status in STATUS.items():
        app.add_exception_handler(kind, _handler(status))
