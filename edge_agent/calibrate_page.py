"""The calibration page on a small HTTP server of its own, for this machine's browser only.

It listens on 127.0.0.1 under an address that nobody can guess, and takes commands only as JSON
from its own page: another user of the gateway and another page in the browser stay outside.
"""

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from edge_agent.calibration import Calibration, Json
from edge_agent.errors import AgentError, ConfigError

HOST = "127.0.0.1"
OUR_NAMES = frozenset({"127.0.0.1", "localhost"})
BODY_MAX_BYTES = 1_000_000
FOLDER = Path(__file__).parent / "page"
FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "calibrate.js": ("calibrate.js", "text/javascript; charset=utf-8"),
    "calibrate.css": ("calibrate.css", "text/css; charset=utf-8"),
}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
TakePicture = Callable[[], bytes]


@dataclass(slots=True)
class Shown:
    """The masked picture that is being calibrated, as JPEG; a new one on request."""

    take: TakePicture
    jpeg: bytes = b""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """Take a new picture. Raises CameraError; the old one then stays."""
        with self.lock:
            self.jpeg = self.take()


class CalibratePage:
    """Serves one calibration until it is closed."""

    def __init__(self, calibration: Calibration, take: TakePicture, port: int = 0) -> None:
        """Take the first picture and listen. Raises CameraError, and ConfigError for the port."""
        self.shown = Shown(take)
        self.shown.renew()
        token = secrets.token_urlsafe(16)
        served = {"root": f"/{token}/", "calibration": calibration, "shown": self.shown}
        handler = type("Handler", (_Handler,), served)
        try:
            self._server = ThreadingHTTPServer((HOST, port), handler)
        except OSError as error:
            raise ConfigError(
                f"端口被占用。 calibrate: cannot listen on {HOST}:{port} ({error.strerror}); "
                "choose another --port"
            ) from None
        self._server.daemon_threads = True
        self.address = f"http://{HOST}:{self._server.server_port}/{token}/"

    def serve(self) -> None:
        """Serve until `close`."""
        self._server.serve_forever(0.1)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; the class is made anew for each page, with what it serves."""

    root: str
    calibration: Calibration
    shown: Shown

    def do_GET(self) -> None:
        """Serve the page, its picture and its state."""
        name = self._name()
        if name is None:
            return
        if name == "picture.jpg":
            self._send(HTTPStatus.OK, "image/jpeg", self.shown.jpeg)
        elif name == "state.json":
            self._json(HTTPStatus.OK, self.calibration.state())
        elif name in FILES:
            file, content_type = FILES[name]
            self._send(HTTPStatus.OK, content_type, (FOLDER / file).read_bytes())
        else:
            self._json(HTTPStatus.NOT_FOUND, {"problem": "no such page"})

    def do_POST(self) -> None:
        """Carry out what the page asks for."""
        name = self._name()
        if name is None:
            return
        body = self._body()
        if body is None or name not in {"fit", "where", "picture", "save"}:
            self._json(HTTPStatus.BAD_REQUEST, {"problem": "JSON of the page was expected"})
            return
        try:
            self._json(HTTPStatus.OK, self._act(name, body))
        except AgentError as error:
            self._json(HTTPStatus.UNPROCESSABLE_ENTITY, {"problem": str(error)})

    def _act(self, name: str, body: Json) -> Json:
        if name == "fit":
            return self.calibration.fit(body.get("points"))
        if name == "where":
            return self.calibration.where(body)
        if name == "save":
            return self.calibration.save(body, self.shown.jpeg, datetime.now(UTC))
        self.shown.renew()
        return {}

    def _name(self) -> str | None:
        """The part of the address after ours; None, and answered, where it is not ours."""
        host = (self.headers.get("host") or "").rpartition(":")[0]
        path = self.path.partition("?")[0]
        if host not in OUR_NAMES or not path.startswith(self.root):
            self._json(HTTPStatus.NOT_FOUND, {"problem": "use the address that was printed"})
            return None
        return path.removeprefix(self.root)

    def _body(self) -> Json | None:
        size = self.headers.get("content-length") or ""
        is_json = self.headers.get("content-type") == "application/json"
        if not is_json or not size.isdigit() or int(size) > BODY_MAX_BYTES:
            return None
        try:
            body = json.loads(self.rfile.read(int(size)))
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    def _json(self, status: HTTPStatus, value: Json) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        self._send(status, "application/json; charset=utf-8", body)

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Leave the terminal to what the operator must read."""
