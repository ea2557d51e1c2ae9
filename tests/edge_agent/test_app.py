"""The whole agent in one process: real files, broker and store; only the detector is scripted."""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
import yaml

from contract.messages import Command, CommandKind, IssueReport
from edge_agent import app as app_module
from edge_agent.app import App, Supervisor
from edge_agent.config import load_agent, load_cameras
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.errors import ConfigError, StoreError
from edge_agent.frames import Picture
from edge_agent.ledger import standing
from edge_agent.model import ModelCard
from edge_agent.runtimes import Choice
from edge_agent.store import Store

Until = Callable[..., None]
RULE = {"seen_m": 2, "of_n": 3, "dwell_s": 0.5, "clear_after_s": 60, "heartbeat_s": 300}


class Scripted:
    """A detector that always sees a cart at the same place."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.choice = Choice()
        self.broken = False

    def detect(self, picture: Picture, tiles: tuple[int, int] = (1, 1)) -> Detections:  # noqa: ARG002
        if self.broken:
            self.broken = False
            raise RuntimeError("the runtime is gone")
        cart = np.array([[0.3, 0.4, 0.5, 0.7]], np.float32)
        index = np.array([CLASS_INDEX["street_vendor"]])
        return Detections(cart, np.array([0.9], np.float32), index)

    def detect_many(self, jobs: Sequence[tuple[Picture, tuple[int, int]]]) -> list[Detections]:
        return [self.detect(*job) for job in jobs]


class Files:
    """An agent's files in a folder."""

    def __init__(self, folder: Path, port: int, detector: Scripted) -> None:
        self.folder = folder
        self.detector = detector
        self.agent: dict[str, Any] = {
            "agent": {"city": "demo", "id": "gw-01"},
            "cameras": ["cam-*.yaml"],
            "model": "none",
            "broker": {"port": port},
            "centre": {"url": "http://127.0.0.1:1"},
            "metrics": {"port": 0},
            "limits": {"ledger": "ledger.jsonl"},
        }

    def camera(self, name: str, url: str | None, **more: Any) -> None:
        streams = {} if url is None else {"streams": {"detect": {"url": url, "loop": True}}}
        content = {"camera": {"id": name}, "rules": {"street_vendor": RULE}} | streams | more
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(content))

    def app(self) -> App:
        path = self.folder / "agent.yaml"
        path.write_text(yaml.safe_dump(self.agent))
        config = load_agent(path)
        return App(config, load_cameras(config.cameras), self.detector)


@pytest.fixture
def files(tmp_path: Path, mosquitto: Any, detector: Scripted) -> Files:
    return Files(tmp_path, mosquitto.port, detector)


@pytest.fixture
def detector(card: ModelCard) -> Scripted:
    return Scripted(card)


@pytest.fixture
def running() -> Iterator[Callable[[App], App]]:
    """Run an app in a thread; stopped at the end."""
    started: list[tuple[App, threading.Thread]] = []

    def start(app: App) -> App:
        thread = threading.Thread(target=app.run)
        thread.start()
        started.append((app, thread))
        return app

    yield start
    for app, thread in started:
        app.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()


Run = Callable[[App], App]


def test_a_clip_becomes_a_stored_report_and_the_bad_camera_only_says_so(
    files: Files, clip: Callable[..., Path], running: Run, until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")  # beside its camera file
    files.camera("cam-02", "rtsp://admin:hunter2@127.0.0.1:1/x")
    app = running(files.app())
    until(lambda: app.snapshot().totals.issues_raised == 1, "the cart is raised")
    until(lambda: app.snapshot().broker.connected, "the broker")
    states = {camera.camera_id: camera for camera in app.snapshot().cameras}
    assert states["cam-01"].state == "ok"
    assert states["cam-02"].state == "offline"
    assert "offline: camera cam-02 (rtsp://127.0.0.1:1/x): Connection refused" in caplog.text
    assert "hunter2" not in caplog.text + str(app.snapshot())
    until(lambda: app.snapshot().store.pictures == 2, "its pictures wait")
    assert len(standing(files.folder / "ledger.jsonl")) == 2  # it was raised, and it was shown


def test_an_issue_lives_through_a_restart_of_the_agent(
    files: Files, clip: Callable[..., Path], running: Run, until: Until
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    first = files.app()
    thread = threading.Thread(target=first.run)
    thread.start()
    until(lambda: first.snapshot().totals.issues_raised == 1, "the cart is raised")
    first.stop()
    thread.join(30)
    app = running(files.app())
    until(lambda: app.snapshot().totals.looks > 10, "looks after the restart")
    until(lambda: app.snapshot().store.pictures == 2, "its pictures, made before or after")
    assert app.snapshot().totals.issues_raised == 0
    assert app.snapshot().store.reports == 2


def test_a_thread_that_dies_is_started_again(
    files: Files, detector: Scripted, clip: Callable[..., Path], running: Run, until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(app_module, "RESTART_FIRST_S", 0.1)
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    app = running(files.app())
    until(lambda: app.snapshot().totals.looks > 0, "looks")
    detector.broken = True
    until(lambda: app.snapshot().totals.restarts == 1, "the engine is started again")
    before = app.snapshot().totals.looks
    until(lambda: app.snapshot().totals.looks > before, "looks again")


def test_metrics_and_health_are_served(
    files: Files, clip: Callable[..., Path], running: Run, until: Until, free_port: int
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    files.agent["metrics"] = {"port": free_port}
    app = running(files.app())
    until(lambda: app.snapshot().totals.looks > 0, "looks")
    url = f"http://127.0.0.1:{free_port}"
    assert "gridwatch_looks_total" in httpx.get(f"{url}/metrics", trust_env=False).text
    assert httpx.get(f"{url}/healthz", trust_env=False).json()["cameras"] == {"cam-01": "ok"}


def test_a_camera_that_crashed_the_agent_twice_is_set_aside(
    files: Files, clip: Callable[..., Path], running: Run, until: Until
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    files.camera("cam-02", "street.mp4")
    app = files.app()
    for record in ("cam-01", "cam-02"):
        app._crashes.admits(record, app_module.config_sha256(app._cameras[record]))
    for _ in range(2):
        app._crashes._change("cam-02", crashes=2)
    running(app)
    until(lambda: app.snapshot().cameras[0].state == "ok", "the other one runs")
    aside = app.snapshot().cameras[1]
    assert aside.state == "set_aside"
    assert "crashed the agent twice" in aside.detail


def order(app: App, kind: CommandKind, number: int, **more: Any) -> Command:
    now = app._clock.now().utc
    lives = timedelta(minutes=5)
    command_id = UUID(int=number)
    return Command(command_id=command_id, kind=kind, issued_at=now, expires_at=now + lives, **more)


def reports_of(app: App) -> list[dict[str, Any]]:
    """The reports that wait, in their order."""
    bodies = [json.loads(one.body) for one in app._store.due(1e12, 100)]
    return sorted((one for one in bodies if "issue_id" in one), key=lambda one: one["seq"])


def answer_of(app: App) -> dict[str, Any]:
    """The next answer that waits; the publisher would have sent it."""
    taken: dict[str, Any] = json.loads(app.answers(1)[0])
    return taken


def test_what_a_person_rejected_is_withdrawn_and_not_raised_again_until_revoked(
    files: Files, clip: Callable[..., Path], running: Run, until: Until
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    files.agent["broker"] = {"port": 1}  # so that nobody else takes the answers
    app = running(files.app())
    until(lambda: app.snapshot().totals.issues_raised == 1, "the cart is raised")
    there = {"camera_id": "cam-01", "category": "street_vendor", "box_xyxyn": (0.3, 0.4, 0.5, 0.7)}
    until_later = app._clock.now().utc + timedelta(days=1)
    app.command(order(app, CommandKind.SUPPRESS, 1, until=until_later, **there))
    assert answer_of(app)["ok"]
    until(lambda: app.snapshot().totals.withheld == 1, "it would have been raised again")
    told = [(one["phase"], one["reason"]) for one in reports_of(app)]
    assert [one for one in told if one[0] != "updated"] == [
        ("raised", None),
        ("withdrawn", "suppressed"),
    ]
    assert app.snapshot().suppressions == 1
    app.command(order(app, CommandKind.UNSUPPRESS, 2, suppression_id=UUID(int=1)))
    assert answer_of(app)["detail"] == "revoked"
    until(lambda: app.snapshot().totals.issues_raised == 2, "it is raised again")


def test_a_recheck_says_whether_the_issue_is_seen(
    files: Files, clip: Callable[..., Path], running: Run, until: Until
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    files.agent["broker"] = {"port": 1}
    app = running(files.app())
    until(lambda: app.snapshot().totals.issues_raised == 1, "the cart is raised")
    issue = reports_of(app)[0]
    ask = {"camera_id": "cam-01", "issue_id": issue["issue_id"]}
    app.command(order(app, CommandKind.RECHECK, 3, **ask))
    until(lambda: app._book.is_answered(UUID(int=3)), "an answer")
    answer = answer_of(app)
    assert (answer["ok"], answer["observation"]) == (True, "seen")


def test_a_reload_stops_the_agent_to_start_it_with_files_that_can_be_used(
    files: Files, clip: Callable[..., Path]
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    files.agent["broker"] = {"port": 1}
    app = files.app()
    app.command(order(app, CommandKind.RELOAD, 4))
    assert "not started from files" in answer_of(app)["detail"]

    def broken() -> None:
        raise ConfigError("cam-01.yaml:3: unknown key")

    app._reread = broken
    app.command(order(app, CommandKind.RELOAD, 5))
    assert (answer_of(app)["ok"], app.reload_wanted) == (False, False)
    app._reread = lambda: None
    app.command(order(app, CommandKind.RELOAD, 6))
    assert (answer_of(app)["ok"], app.reload_wanted) == (True, True)
    app.run()  # stops at once


def test_a_camera_without_streams_is_named(files: Files) -> None:
    files.camera("cam-01", None)
    with pytest.raises(ConfigError, match=r"cam-01\.yaml: has no streams"):
        files.app()


def test_a_second_agent_on_the_same_state_is_refused(
    files: Files, clip: Callable[..., Path]
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    with (
        Store(files.folder / "state", 10_000_000),
        pytest.raises(StoreError, match="another agent"),
    ):
        files.app()


def test_reports_carry_the_hash_of_the_camera_file_that_judged(
    files: Files, clip: Callable[..., Path], running: Run, until: Until
) -> None:
    clip("street.mp4")
    files.camera("cam-01", "street.mp4")
    app = running(files.app())
    until(lambda: app.snapshot().store.reports == 1, "the report")
    body = app._store.due(1e12, 1)[0].body
    report = IssueReport.model_validate_json(body)
    assert report.config_sha256 == app_module.config_sha256(app._cameras["cam-01"])
    assert json.loads(body)["clock"]["synced"] is False


def test_work_that_returns_is_not_started_again(until: Until) -> None:
    supervisor = Supervisor()
    calls: list[int] = []
    supervisor.start("once", lambda _stop: calls.append(1))
    assert supervisor.join(10)
    assert calls == [1]
    assert supervisor.restarts == 0
