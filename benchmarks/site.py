"""A small city on this machine: broker, centre, agent and RTSP cameras as processes."""

import shutil
import subprocess
import sys
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Self

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import broker
from benchmarks.footage import CACHE
from benchmarks.ports import free_port
from edge_agent.probing import REMEMBERED

ROOT = Path(__file__).parents[1]
RTSP_SERVER = ROOT / "tests" / "system" / "rtsp_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"
READY_WITHIN_S = 90.0
KNOWN_RUNTIME = CACHE / REMEMBERED


class SiteError(Exception):
    """A process did not start or ended by itself; the message says which, and its last words."""


class Site:
    """The processes of one city; use as a context, which ends them all."""

    def __init__(self, folder: Path, model: Path) -> None:
        """Start with an empty folder."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self._model = model
        self.mqtt_port, self._http_port = free_port(), free_port()
        self._metrics_port = free_port()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running)[::-1]:
            self.kill(name)

    def start(self, name: str, command: list[str]) -> int:
        """Start a process whose output goes to a log of its name; returns its id."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 -- our own programs
                command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
            )
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """Kill a process and wait for its end."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    @property
    def database(self) -> Path:
        """The centre's database."""
        return self.folder / "centre" / "centre.db"

    def has_ended(self, name: str) -> bool:
        """Whether a process ended by itself."""
        return self._running[name].poll() is not None

    def start_broker(self) -> None:
        """Start Mosquitto."""
        config = broker.write_config(self.folder / "broker", self.mqtt_port)
        self._running["broker"] = broker.start(config, self.folder / "broker.log")

    def start_centre(self) -> None:
        """Start the centre on SQLite and wait until it answers."""
        self.start("centre", [
            sys.executable, "-m", "central_ingest", "serve",
            "--data", str(self.folder / "centre"), "--port", str(self._http_port),
            "--broker-port", str(self.mqtt_port),
        ])  # fmt: skip
        self.wait_for(lambda: self._get(self._http_port, "/healthz") is not None, "the centre")

    def start_rtsp(self, name: str, port: int, mounts: dict[str, Path]) -> None:
        """Serve files over RTSP, looped, and wait until the server listens."""
        served = [f"/{mount}={path}" for mount, path in mounts.items()]
        self.start(name, [SYSTEM_PYTHON, str(RTSP_SERVER), str(port), *served])
        log = self.folder / f"{name}.log"
        before = log.read_text().count("ready")
        self.wait_for(lambda: log.read_text().count("ready") > before, name)

    def write_agent(self, cameras: dict[str, dict[str, Any]]) -> Path:
        """Write the agent's files; each camera is given without its name."""
        for name, camera in cameras.items():
            body = {"camera": {"id": name, "location": {"lon": 117.36, "lat": 32.93}}} | camera
            (self.folder / f"camera-{name}.yaml").write_text(yaml.safe_dump(body))
        agent = {
            "agent": {"city": "bench", "id": "gw-1"},
            "cameras": ["camera-*.yaml"],
            "model": str(self._model.resolve()),
            "broker": {"port": self.mqtt_port},
            "centre": {"url": f"http://127.0.0.1:{self._http_port}"},
            "metrics": {"port": self._metrics_port},
        }
        if KNOWN_RUNTIME.exists():  # else the agent measures first, as at its first start
            (self.folder / "state").mkdir()
            shutil.copy(KNOWN_RUNTIME, self.folder / "state" / REMEMBERED)
        path = self.folder / "agent.yaml"
        path.write_text(yaml.safe_dump(agent))
        return path

    def metrics(self) -> dict[tuple[str, str], float]:
        """Return the agent's metrics by name and camera (empty: of all); none while it starts."""
        text = self._get(self._metrics_port, "/metrics")
        found: dict[tuple[str, str], float] = {}
        for family in text_string_to_metric_families(text or ""):
            for sample in family.samples:
                key = sample.name, sample.labels.get("camera", "")
                found[key] = found.get(key, 0.0) + sample.value
        return found

    def wait_for(self, condition: Any, what: str, within_s: float = READY_WITHIN_S) -> float:
        """Wait until `condition` holds; returns the seconds. Raises SiteError."""
        began_s = monotonic()
        while not condition():
            self._check()
            if monotonic() - began_s > within_s:
                raise SiteError(f"{what} was not there within {within_s:.0f} s; see {self.folder}")
            Event().wait(0.02)
        return monotonic() - began_s

    def _check(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                words = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-3:]
                raise SiteError(f"{name} ended with {process.returncode}: {' / '.join(words)}")

    @staticmethod
    def _get(port: int, path: str) -> str | None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5)
        except httpx.HTTPError:
            return None
        return answer.text if answer.status_code == 200 else None


def resident_mb(pid: int) -> float:
    """How much memory a process has resident, megabytes."""
    return _status(pid, "VmRSS") / 1000


def threads_of(pid: int) -> int:
    """How many threads a process has."""
    return int(_status(pid, "Threads"))


def children_of(pid: int) -> list[int]:
    """The processes that its first thread began and that run still; none where it ended."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _status(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return float(line.split()[1])
    return 0.0
