"""A centre as the uploader sees it: PUT and GET over HTTP."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CentreServer:
    """Answers with the codes it is told to, then with 201; remembers what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.held: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.headers.append(dict(self.headers))
                code = outer.answers.pop(0) if outer.answers else 201
                if code == 201:
                    outer.held[self.path] = body
                self.send_response(code)
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
