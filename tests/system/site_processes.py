"""One city in a folder: a real broker, a real RTSP server, a real centre and a real agent.

Every process can be killed with SIGKILL and started again on the same port and data.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import httpx
import yaml

from benchmarks import broker
from benchmarks.ports import free_port

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 60) -> None:
    """Wait until `condition` holds; fails naming `what` when it does not in time."""
    deadline = monotonic() + within_s
    while not condition():
        if monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {within_s:.0f} s")
        Event().wait(0.1)


def answers(port: int) -> bool:
    """Say whether something accepts connections on a port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Site:
    """The processes of one city and where they keep their things."""

    folder: Path
    model: Path
    mounts: dict[str, Path]
    rule: dict[str, Any]
    mqtt_port: int = field(default_factory=free_port)
    rtsp_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        """Where the agent notes its reports before it stores them."""
        return self.folder / "ledger.jsonl"

    @property
    def database(self) -> Path:
        """The centre's SQLite."""
        return self.folder / "centre" / "centre.db"

    def start(self, *names: str) -> None:
        """Start processes and wait until each can be used."""
        for name in names:
            command = getattr(self, f"_{name}")()
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
                )
            port = {"broker": self.mqtt_port, "rtsp": self.rtsp_port, "centre": self.http_port}
            if name in port:
                wait_for(lambda p=port[name]: answers(p), f"{name} on port {port[name]}")

    def kill(self, name: str) -> None:
        """Send SIGKILL to a process and all its children, at once."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> int:
        """Ask a process to end, and return its exit status."""
        process = self.running.pop(name)
        process.terminate()
        return process.wait(20)

    def close(self) -> None:
        """End whatever still runs."""
        for name in list(self.running):
            self.kill(name)

    def get(self, path: str) -> httpx.Response:
        """Ask the centre."""
        return httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=20)

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _broker(self) -> list[str]:
        config = broker.write_config(self.folder / "mosquitto", self.mqtt_port)
        return [str(broker.find_mosquitto()), "-c", str(config)]

    def _rtsp(self) -> list[str]:
        script = str(Path(__file__).parent / "rtsp_server.py")
        mounts = [f"/{name}={path}" for name, path in self.mounts.items()]
        return [SYSTEM_PYTHON, script, str(self.rtsp_port), *mounts]

    def _centre(self) -> list[str]:
        return [
            sys.executable, "-m", "central_ingest", "serve", "--data", str(self.folder / "centre"),
            "--port", str(self.http_port), "--broker-port", str(self.mqtt_port),
        ]  # fmt: skip

    def _agent(self) -> list[str]:
        for name in self.mounts:
            url = f"rtsp://127.0.0.1:{self.rtsp_port}/{name}"
            camera = {
                "camera": {"id": name, "location": {"lon": 117.36, "lat": 32.93}},
                "streams": {"detect": {"url": url}},
                "looks": {"default": {"every_s": 0.5}},
                "rules": dict.fromkeys(
                    ("street_vendor", "bin_overflow", "exposed_garbage"), self.rule
                ),
            }
            (self.folder / f"camera-{name}.yaml").write_text(yaml.safe_dump(camera))
        agent = {
            "agent": {"city": "test", "id": "gw-1"},
            "cameras": ["camera-*.yaml"],
            "model": str(self.model),
            "state_dir": "agent",
            "runtime": "onnxruntime",  # nothing to measure first
            "broker": {"port": self.mqtt_port},
            "centre": {"url": f"http://127.0.0.1:{self.http_port}"},
            "limits": {"ledger": str(self.ledger)},
            "metrics": {"port": self.metrics_port},
        }
        path = self.folder / "agent.yaml"
        path.write_text(yaml.safe_dump(agent))
        return [sys.executable, "-m", "edge_agent", "run", "--config", str(path)]
