"""The whole way on one machine: broker, centre and an agent on demo cameras, from clip to case."""

import fcntl
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import broker
from benchmarks.ports import free_port

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "camera_configs" / "demo" / "agent.yaml"
RUN = ROOT / "runs" / "demo"
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 10.0
POLL_S = 0.5


class DemoError(Exception):
    """The demo cannot run here; the message says what is missing or what stopped."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the whole way did since the first frame."""

    seconds: float
    looks: int
    issues: int
    reports: int
    receipts: int
    cases: int

    def __str__(self) -> str:
        rate = self.looks / self.seconds if self.seconds else 0.0
        return (
            f"{self.seconds:.0f} s · 观察 looks {self.looks} ({rate:.1f}/s) · "
            f"问题 issues {self.issues} · 上报 reports {self.reports} · "
            f"回执 receipts {self.receipts} · 案卷 cases {self.cases}"
        )


@dataclass(frozen=True, slots=True)
class Child:
    """One process of the demo, with the file that holds its output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise DemoError with the end of its log when the process has ended."""
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace").strip().splitlines()[-5:]
            raise DemoError(
                f"{self.name} ended with status {self.process.returncode}; its log {self.log} "
                "ends so:\n  " + "\n  ".join(tail)
            )


class Demo:
    """The three processes, and what can be asked of them."""

    def __init__(self, port: int, model: Path | None) -> None:
        self._model = model
        self.address = f"http://127.0.0.1:{port}"
        self._port = port
        self._mqtt_port = free_port()
        self._metrics_port = free_port()
        self._children: list[Child] = []
        self._http = httpx.Client(timeout=5)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start all three and stop them in the other order, whatever happens."""
        with ExitStack() as stack:
            stack.callback(self._http.close)
            config = broker.write_config(RUN / "broker", self._mqtt_port)
            log = RUN / "broker.log"
            self._adopt(stack, Child("mosquitto", broker.start(config, log), log))
            self._start(stack, "centre", self._centre_command())
            self.wait_for(self._centre_answers, "the centre")
            self._start(stack, "agent", self._agent_command())
            yield

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until `condition` holds. Raises DemoError when it does not in time."""
        deadline = monotonic() + READY_WITHIN_S
        while not condition():
            self.check()
            if monotonic() > deadline:
                raise DemoError(f"{what} was not ready within {READY_WITHIN_S:.0f} s; see {RUN}")
            threading.Event().wait(POLL_S)

    def check(self) -> None:
        """Raise DemoError when one of the processes has ended."""
        for child in self._children:
            child.check()

    def cases(self) -> list[dict[str, Any]]:
        """Return the open cases, newest first."""
        answer = self._http.get(f"{self.address}/api/cases", params={"limit": 200})
        found: list[dict[str, Any]] = answer.json()["cases"]
        return found

    def looks(self) -> int:
        """How many looks the agent has done; 0 while it is starting."""
        return int(self._agent_metrics().get("gridwatch_looks_total", 0))

    def summary(self, seconds: float) -> Summary:
        """Add up what was done."""
        metrics = self._agent_metrics()
        return Summary(
            seconds=seconds,
            looks=int(metrics.get("gridwatch_looks_total", 0)),
            issues=int(metrics.get("gridwatch_issues_raised_total", 0)),
            reports=int(metrics.get("gridwatch_reports_total", 0)),
            receipts=int(metrics.get("gridwatch_reports_receipted_total", 0)),
            cases=len(self.cases()),
        )

    def _agent_metrics(self) -> dict[str, float]:
        """Return the agent's totals; none while it is starting."""
        try:
            text = self._http.get(f"http://127.0.0.1:{self._metrics_port}/metrics").text
        except httpx.HTTPError:
            return {}
        totals: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
        return totals

    def _centre_answers(self) -> bool:
        try:
            return self._http.get(f"{self.address}/healthz").status_code == 200
        except httpx.HTTPError:
            return False

    def _centre_command(self) -> list[str]:
        return [
            "central_ingest", "serve", "--data", str(RUN / "centre"), "--port", str(self._port),
            "--broker-port", str(self._mqtt_port), "--grid", str(CONFIG.parent / "grid.geojson"),
        ]  # fmt: skip

    def _agent_command(self) -> list[str]:
        base = CONFIG.parent
        config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        config["cameras"] = [str(base / pattern) for pattern in config["cameras"]]
        config["model"] = str((self._model or base / config["model"]).resolve())
        for key in ("grid", "components"):
            config[key] = str(base / config[key])
        config["state_dir"] = str(RUN / "agent")
        config["broker"] = {"port": self._mqtt_port}
        config["centre"] = {"url": self.address}
        config["metrics"] = {"port": self._metrics_port}
        path = RUN / "agent.yaml"
        path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        return ["edge_agent", "run", "--config", str(path)]

    def _start(self, stack: ExitStack, name: str, arguments: list[str]) -> None:
        log = RUN / f"{name}.log"
        with log.open("ab") as stream:
            process = subprocess.Popen(  # noqa: S603 -- our own programs
                [sys.executable, "-m", *arguments], stdout=stream, stderr=stream, cwd=ROOT,
                start_new_session=True,
            )  # fmt: skip
        self._adopt(stack, Child(name, process, log))

    def _adopt(self, stack: ExitStack, child: Child) -> None:
        self._children.append(child)
        stack.callback(_stop, child.process)


def run(seconds: float | None, port: int, model: Path | None = None) -> Summary:
    """Run the demo until `seconds` after the first frame, Ctrl-C or SIGTERM. Raises DemoError."""
    _check_files()
    _check_port(port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _alone():
        shutil.rmtree(RUN, ignore_errors=True)
        RUN.mkdir(parents=True)
        demo = Demo(port, model)
        with demo.running():
            print(f"网页 pages: {demo.address}   日志 logs: {RUN}", flush=True)  # noqa: T201
            started = None
            try:
                demo.wait_for(lambda: demo.looks() > 0, "the first look")
                started = monotonic()
                _watch(demo, started + seconds if seconds is not None else None)
            except KeyboardInterrupt:
                print("停止 stopping …", flush=True)  # noqa: T201
            return demo.summary(monotonic() - started if started is not None else 0.0)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the demo's folder; raises DemoError while another demo does."""
    RUN.parent.mkdir(parents=True, exist_ok=True)
    with RUN.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(f"another demo is running from {RUN}; stop it first") from None
        yield


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"port {port} cannot be used ({error.strerror}); name another: make demo PORT=8090"
            ) from None


def _watch(demo: Demo, until: float | None) -> None:
    """Print each case as it opens, when another camera joins it, and when its presence changes."""
    known: dict[int, tuple[str, int]] = {}
    while until is None or monotonic() < until:
        demo.check()
        for case in reversed(demo.cases()):
            now = (case["presence"], len(case["cameras"]))
            before = known.get(case["case_id"])
            if before != now:
                known[case["case_id"]] = now
                print(f"{_news(before, now)}: {_line(demo.address, case)}", flush=True)  # noqa: T201
        threading.Event().wait(POLL_S)


def _news(before: tuple[str, int] | None, now: tuple[str, int]) -> str:
    if before is None:
        return "新案卷 opened"
    return "另一摄像机也看到 joined" if now[1] > before[1] else "现场变化 changed"


def _line(address: str, case: dict[str, Any]) -> str:
    return (
        f"{case['number']} {case['category']} · {case['presence']} · "
        f"网格 cell {case['cell_code'] or '–'} · {', '.join(case['cameras'])} · "
        f"{address}/cases/{case['case_id']}"
    )


def _check_files() -> None:
    if not CONFIG.exists():
        raise DemoError(f"{CONFIG} is missing: the demo runs from a clone of the repository")
    missing = []
    for path in sorted(CONFIG.parent.glob("demo-*.yaml")):
        url = yaml.safe_load(path.read_text(encoding="utf-8"))["streams"]["detect"]["url"]
        if not (path.parent / url).exists():
            missing.append(str((path.parent / url).resolve()))
    if missing:
        raise DemoError(
            "the demo's cameras play clips that are missing:\n  "
            + "\n  ".join(missing)
            + "\nThey are part of the repository: `git checkout camera_configs/demo`; how they are "
            "made: benchmarks/block/README.md."
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
