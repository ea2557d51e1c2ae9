"""Who asks: sessions of people, bearer tokens of programs and agents, `local` where it is open."""

import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from central_ingest.api.deps import Deps
from central_ingest.clock import Now
from central_ingest.config import HttpSettings
from central_ingest.errors import NotAllowed, NotAuthenticated
from central_ingest.store import access
from central_ingest.store.access import LOCAL, Actor, Role
from central_ingest.store.database import Engine, reading, writing

COOKIE = "gridwatch_session"
FAILURES_MAX = 10
FAILURES_WITHIN = timedelta(minutes=5)


class Authenticator:
    """Finds the actor of a request."""

    def __init__(self, engine: Engine, settings: HttpSettings, now: Now) -> None:
        self._engine = engine
        self._loopback = settings.loopback
        self._now = now

    def actor(self, request: Request) -> Actor:
        """Who asks. Raises NotAuthenticated."""
        secret = _bearer(request)
        cookie = request.cookies.get(COOKIE)
        with reading(self._engine) as connection:
            if secret is not None:
                return access.actor_of_token(connection, secret)
            if self._loopback and access.is_open(connection):
                return LOCAL
            if cookie is None:
                raise NotAuthenticated("log in, or send a bearer token")
            return access.actor_of_session(connection, cookie, self._now())

    def sender(self, request: Request) -> Actor:
        """Who sends evidence: an agent with its token, or anybody local before any was enrolled.

        Raises NotAuthenticated, NotAllowed.
        """
        if _bearer(request) is None:
            with reading(self._engine) as connection:
                if access.agents_enrolled(connection):
                    raise NotAuthenticated("evidence is taken with an agent's bearer token only")
        actor = self.actor(request)
        if not actor.may(Role.AGENT) and actor != LOCAL:
            raise NotAllowed(f"{actor.name} is no agent; evidence is sent by enrolled agents")
        return actor


def _bearer(request: Request) -> str | None:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def require(deps: Deps, request: Request, role: Role) -> Actor:
    """The actor, if their role suffices. Raises NotAuthenticated, NotAllowed."""
    actor = deps.actor(request)
    if not actor.may(role):
        raise NotAllowed(f"{actor.name} is {actor.role.value}; this needs {role.value}")
    return actor


class _Failures:
    """Slows down guessing: so many wrong passwords from one address, then it must wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[tuple[datetime, str]] = deque(maxlen=10_000)

    def too_many(self, address: str, now: datetime) -> bool:
        with self._lock:
            while self._seen and now - self._seen[0][0] > FAILURES_WITHIN:
                self._seen.popleft()
            return sum(seen == address for _, seen in self._seen) >= FAILURES_MAX

    def note(self, address: str, now: datetime) -> None:
        with self._lock:
            self._seen.append((now, address))


class Credentials(BaseModel):
    """A name and its password."""

    username: str = Field(max_length=64)
    password: str = Field(max_length=256)


class Me(BaseModel):
    """Who is logged in."""

    name: str
    role: Role


class _Door:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._failures = _Failures()

    def log_in(self, request: Request, given: Credentials) -> str:
        """The secret of a new session. Raises NotAuthenticated."""
        address = request.client.host if request.client else ""
        now = self._deps.now()
        if self._failures.too_many(address, now):
            raise NotAuthenticated("too many wrong passwords from this address; wait five minutes")
        with reading(self._deps.engine) as connection:
            stored = access.password_hash(connection, given.username)
        if not access.password_matches(stored, given.password):
            self._failures.note(address, now)
            raise NotAuthenticated("user name or password is wrong")
        lasts = timedelta(hours=self._deps.settings.session_h)
        with writing(self._deps.engine) as connection:
            return access.open_session(connection, given.username, now, lasts)

    def log_out(self, request: Request) -> None:
        if secret := request.cookies.get(COOKIE):
            with writing(self._deps.engine) as connection:
                access.close_session(connection, secret)

    def give(self, request: Request, response: Response, secret: str) -> None:
        public = self._deps.settings.public_url or ""
        response.set_cookie(
            COOKIE,
            secret,
            max_age=int(self._deps.settings.session_h * 3600),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https" or public.startswith("https:"),
        )


def make_router(deps: Deps) -> APIRouter:
    """Log in and out, as a form (with redirects) and as JSON."""
    router, door = APIRouter(tags=["access"]), _Door(deps)

    @router.post("/login", include_in_schema=False)
    def log_in_form(
        request: Request,
        username: Annotated[str, Form(max_length=64)],
        password: Annotated[str, Form(max_length=256)],
        next_path: Annotated[str, Form(alias="next", max_length=500)] = "/",
    ) -> Response:
        local = next_path.startswith("/") and not next_path.startswith(("//", "/\\"))
        try:
            secret = door.log_in(request, Credentials(username=username, password=password))
        except NotAuthenticated:
            return RedirectResponse("/login?problem=wrong", 303)
        response = RedirectResponse(next_path if local else "/", 303)
        door.give(request, response, secret)
        return response

    @router.post("/logout", include_in_schema=False)
    def log_out_form(request: Request) -> Response:
        door.log_out(request)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE)
        return response

    @router.post("/api/session")
    def log_in(request: Request, given: Credentials) -> Response:
        """Log in: the answer sets the session cookie."""
        secret = door.log_in(request, given)
        response = JSONResponse({"name": given.username})
        door.give(request, response, secret)
        return response

    @router.delete("/api/session", status_code=204)
    def log_out(request: Request, response: Response) -> None:
        """Log out."""
        door.log_out(request)
        response.delete_cookie(COOKIE)

    @router.get("/api/me")
    def me(request: Request) -> Me:
        """Who is logged in."""
        actor = deps.actor(request)
        return Me(name=actor.name, role=actor.role)

    return router
