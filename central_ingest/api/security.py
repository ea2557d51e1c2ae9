"""What every request and answer must pass: host names, origins, and strict headers."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central_ingest.config import LOOPBACK, HttpSettings

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Evidence has its own limit; everything else is a form or a little JSON.
BODY_MAX_BYTES = 1 << 20
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared with, not bound to
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def host_names(settings: HttpSettings) -> frozenset[str] | None:
    """The names under which browsers may ask; None where any is allowed.

    A page of another site can make its own name point at us (DNS rebinding), so on loopback, where
    nobody may have to log in, only known names are answered.
    """
    names = {*settings.hosts, *LOOPBACK}
    if settings.public_url:
        names.add(urlsplit(settings.public_url).hostname or "")
    if settings.loopback or settings.hosts or settings.public_url:
        return frozenset({*names, settings.host} - _ANY)
    return None


def host_of(value: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{value}").hostname or ""
    except ValueError:
        return ""


def _too_large(headers: Headers) -> bool:
    """Whether a body is larger than forms and JSON may be, or does not say how large it is."""
    length = headers.get("content-length", "0")
    known = length.isascii() and length.isdigit() and "transfer-encoding" not in headers
    return not known or int(length) > BODY_MAX_BYTES


class Guard:
    """ASGI middleware: refuses foreign hosts and sites and large bodies, adds headers."""

    def __init__(self, app: ASGIApp, names: Iterable[str] | None) -> None:
        self._app = app
        self._names = None if names is None else frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(Headers(scope=scope), scope["method"], scope["path"])
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers, method: str, path: str) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if self._names is not None and host_of(host) not in self._names:
            known = f"host {host[:100]!r} is not a name of this centre: add it to http.hosts\n"
            return PlainTextResponse(known, 421)
        if method in _SAFE_METHODS:
            return None
        if not path.startswith("/evidence/") and _too_large(headers):
            return PlainTextResponse(f"at most {BODY_MAX_BYTES} announced bytes are taken\n", 413)
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if site not in {"same-origin", "none"} or (foreign and site != "same-origin"):
            return PlainTextResponse("a change asked for by another site is refused\n", 403)
        return None
