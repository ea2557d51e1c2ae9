"""Actions on the spot: what calls for them, what they get, and that they delay nobody."""

import http.server
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contract import messages
from contract.messages import IssueReport
from edge_agent.action_config import Action
from edge_agent.actions import WAITING_MAX, Actions, environment
from edge_agent.clock import Instant
from tests.edge_agent.street import START

EXAMPLE = Path(messages.__file__).parent / "examples" / "issue-1.0-raised.json"
Until = Callable[..., None]


class Watch:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Instant:
        return self.at


def report(**changes: Any) -> IssueReport:
    return IssueReport.model_validate(json.loads(EXAMPLE.read_text()) | changes)


def action(**more: Any) -> Action:
    values = {"id": "call", "command": ["true"], "every_s": 60} | more
    return Action.model_validate(values)


def program(folder: Path, text: str) -> list[str]:
    path = folder / "program.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def test_a_program_is_given_the_report_and_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAM01_SUB", "rtsp://admin:hunter2@camera")
    out = tmp_path / "out.json"
    argv = program(
        tmp_path,
        "import json, os, sys\n"
        f"json.dump([json.load(sys.stdin), dict(os.environ)], open({str(out)!r}, 'w'))\n",
    )
    actions = Actions((), Watch())
    actions.act(action(command=argv), report())
    told, env = json.loads(out.read_text())
    assert told == json.loads(messages.encode(report()))
    assert (env["GRIDWATCH_CAMERA"], env["GRIDWATCH_CATEGORY"]) == ("cam-01", "street_vendor")
    assert "hunter2" not in json.dumps(env)
    assert actions.counts.done == 1


def test_no_shell_reads_what_a_program_is_given(tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = f"import sys; open({str(out)!r}, 'w').write(sys.argv[1])\n"
    argv = [*program(tmp_path, text), "$(touch x); `touch y` && touch z"]
    Actions((), Watch()).act(action(command=argv), report())
    assert out.read_text() == "$(touch x); `touch y` && touch z"
    assert {path.name for path in tmp_path.iterdir()} == {"program.py", "out"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit('no loudspeaker')", "ended with 1, saying: no loudspeaker"),
        ("import time; time.sleep(60)", "did not end within 0.3 s"),
    ],
)
def test_a_program_that_fails_or_hangs_is_counted_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, said: str
) -> None:
    actions = Actions((), Watch())
    actions.act(
        action(command=program(tmp_path, text), timeout_s=0.3 if "sleep" in text else 20), report()
    )
    assert actions.counts.failed == 1
    assert said in caplog.text


def test_a_program_that_is_not_there_is_named(caplog: pytest.LogCaptureFixture) -> None:
    actions = Actions((), Watch())
    actions.act(action(command=["/no/such/program"]), report())
    assert "action call: /no/such/program: No such file" in caplog.text
    assert actions.counts.failed == 1


class Listener(http.server.BaseHTTPRequestHandler):
    told: list[tuple[str, str | None, Any]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.told.append((self.path, self.headers["authorization"], json.loads(body)))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Callable[[int], tuple[str, list[Any]]]]:
    servers = []

    def listen(status: int) -> tuple[str, list[Any]]:
        told: list[Any] = []
        handler = type("Handler", (Listener,), {"told": told, "status": status})
        server = http.server.HTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", told

    yield listen
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_webhook_is_told_with_its_secret_and_the_secret_is_not_logged(
    listener: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address, told = listener(200)
    monkeypatch.setenv("HOOK", "s3cret")
    hook = {"url": address + "/raised", "token": "${secret:HOOK}"}
    actions = Actions((), Watch())
    actions.act(action(command=None, webhook=hook), report())
    ((path, bearer, body),) = told
    assert (path, bearer, body["issue_id"]) == (
        "/raised", "Bearer s3cret", str(report().issue_id),
    )  # fmt: skip
    assert actions.counts.done == 1
    assert "s3cret" not in caplog.text


def test_a_webhook_that_refuses_or_is_away_is_counted_and_told(
    listener: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address, _ = listener(503)
    actions = Actions((), Watch())
    actions.act(action(command=None, webhook={"url": address}), report())
    actions.act(action(command=None, webhook={"url": "http://127.0.0.1:1"}), report())
    assert actions.counts.failed == 2
    assert "answered 503" in caplog.text
    assert "ConnectError" in caplog.text


@pytest.mark.parametrize(
    ("settings", "changes", "calls"),
    [
        ({}, {}, True),
        ({}, {"phase": "updated"}, False),
        ({"on": ["cleared"]}, {"phase": "cleared"}, True),
        ({"categories": ["bin_overflow"]}, {}, False),
        ({"categories": ["street_vendor"]}, {}, True),
        ({"cameras": ["cam-09"]}, {}, False),
        ({"cameras": ["cam-01"]}, {}, True),
    ],
)
def test_an_action_is_called_for_by_phase_category_and_camera(
    settings: dict[str, Any],
    changes: dict[str, Any],
    calls: bool,  # noqa: FBT001 - a table's column
) -> None:
    actions = Actions((action(**settings),), Watch())
    actions.offer(report(**changes))
    assert actions._due.qsize() == calls


def test_an_action_is_not_repeated_too_soon_for_one_camera() -> None:
    watch = Watch()
    actions = Actions((action(every_s=60),), watch)
    for seconds in (0, 30, 59, 60, 61):
        watch.at = START.plus(seconds)
        actions.offer(report())
    actions.offer(report(camera_id="cam-02"))
    assert actions._due.qsize() == 3
    assert actions.counts.skipped == 3


def test_a_full_queue_delays_nobody() -> None:
    actions = Actions((action(every_s=0.001),), Watch())
    for number in range(WAITING_MAX + 5):
        actions.offer(report(camera_id=f"cam-{number}"))
    assert actions._due.qsize() == WAITING_MAX
    assert actions.counts.skipped == 5


def test_the_thread_acts_on_what_waits(tmp_path: Path, until: Until) -> None:
    actions = Actions((action(command=["/no/such/program"]),), Watch())
    stop = threading.Event()
    thread = threading.Thread(target=actions.run, args=(stop,))
    thread.start()
    actions.offer(report())
    until(lambda: actions.counts.failed == 1, "the action was tried")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("more", [{"webhook": {"url": "http://a"}}, {"command": None}])
def test_an_action_is_one_thing(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="needs either command or webhook"):
        action(**more)


def test_the_environment_holds_only_what_is_named() -> None:
    assert set(environment({"PATH": "/bin", "TOKEN": "x"}, report())) == {
        "PATH", "GRIDWATCH_CAMERA", "GRIDWATCH_CATEGORY", "GRIDWATCH_PHASE", "GRIDWATCH_ISSUE",
    }  # fmt: skip
