"""Planted secrets are looked for everywhere: logs, files, databases, metrics, health, messages."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from site_processes import ROOT, answers, wait_for

from benchmarks.broker import find_mosquitto
from benchmarks.ports import free_port
from central_ingest.broker_files import password_hash

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]

SECRETS = {
    "CAM_URL": "rtsp://admin:PLANTED-rtsp@127.0.0.1:1/stream",
    "MQTT_AGENT": "PLANTED-mqtt-agent",
    "MQTT_CENTRE": "PLANTED-mqtt-centre",
    "TOKEN": "gw_PLANTED-token",
    "DATABASE": "postgresql+psycopg://u:PLANTED-database@127.0.0.1:1/x",
    "S3": "PLANTED-s3",
}
MARK = b"PLANTED"


def run(folder: Path, name: str, *command: str, seconds: float = 120) -> None:
    """Run a command to its end; whatever it says goes into a log of the folder."""
    with (folder / f"{name}.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", *command], stdout=log, stderr=log, cwd=ROOT, check=False,
            timeout=seconds, env=os.environ | SECRETS,
        )  # fmt: skip


def start(folder: Path, name: str, *command: str) -> "subprocess.Popen[bytes]":
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *command], stdout=log, stderr=log, cwd=ROOT,
            env=os.environ | SECRETS,
        )  # fmt: skip


@pytest.fixture
def broker_port(tmp_path: Path) -> Iterator[int]:
    """A broker that knows the agent's and the centre's passwords; its files lie elsewhere."""
    port, folder = free_port(), tmp_path / "broker"
    folder.mkdir()
    accounts = {"gw-1": SECRETS["MQTT_AGENT"], "centre": SECRETS["MQTT_CENTRE"]}
    lines = [f"{name}:{password_hash(secret)}" for name, secret in accounts.items()]
    (folder / "passwords").write_text("\n".join(lines) + "\n")
    (folder / "conf").write_text(
        f"user root\nlistener {port} 127.0.0.1\nallow_anonymous false\n"
        f"password_file {folder / 'passwords'}\nlog_type all\n"
    )
    with (tmp_path / "broker.log").open("ab") as log:
        process = subprocess.Popen(
            [find_mosquitto(), "-c", folder / "conf"], stdout=log, stderr=log
        )
    wait_for(lambda: answers(port), "the broker")
    yield port
    process.kill()
    process.wait()


def agent_files(folder: Path, model: Path, broker_port: int, ports: tuple[int, int]) -> Path:
    camera = {"camera": {"id": "cam"}, "streams": {"detect": {"url": "${secret:CAM_URL}"}}}
    (folder / "camera-1.yaml").write_text(yaml.safe_dump(camera))
    agent = {
        "agent": {"city": "test", "id": "gw-1"},
        "cameras": ["camera-*.yaml"],
        "model": str(model),
        "state_dir": "agent",
        "broker": {"port": broker_port, "username": "gw-1", "password": "${secret:MQTT_AGENT}"},
        "centre": {"url": f"http://127.0.0.1:{ports[0]}", "token": "${secret:TOKEN}"},
        "metrics": {"port": ports[1]},
    }
    path = folder / "agent.yaml"
    path.write_text(yaml.safe_dump(agent))
    return path


def centre_files(folder: Path, broker_port: int, http_port: int) -> Path:
    settings = {
        "data": str(folder / "centre"),
        "http": {"port": http_port},
        "broker": {
            "port": broker_port, "username": "centre", "password": "${secret:MQTT_CENTRE}",
        },
        "evidence": {
            "s3": {
                "bucket": "b", "endpoint": "http://127.0.0.1:1", "access_key_id": "key",
                "secret_access_key": "${secret:S3}",
            }
        },
    }  # fmt: skip
    path = folder / "centre.yaml"
    path.write_text(yaml.safe_dump(settings))
    broken = settings | {"database": {"url": "${secret:DATABASE}"}, "surprise": 1}
    (folder / "broken.yaml").write_text(yaml.safe_dump(broken))
    away = {"data": str(folder / "away"), "database": {"url": "${secret:DATABASE}"}}
    (folder / "away.yaml").write_text(yaml.safe_dump(away))
    return path


def test_no_planted_secret_is_found_anywhere(tmp_path: Path, model: Path, broker_port: int) -> None:
    http_port, metrics_port = free_port(), free_port()
    centre = centre_files(tmp_path, broker_port, http_port)
    agent = agent_files(tmp_path, model, broker_port, (http_port, metrics_port))
    running = [
        start(tmp_path, "centre", "central_ingest", "serve", "--config", str(centre)),
        start(tmp_path, "agent", "edge_agent", "run", "--config", str(agent)),
    ]
    try:
        wait_for(lambda: answers(http_port) and answers(metrics_port), "both to answer", 120)
        health = f"http://127.0.0.1:{metrics_port}/healthz"
        wait_for(lambda: "offline" in httpx.get(health, timeout=20).text, "the camera's failure")
        pages = [(http_port, "healthz"), (http_port, "metrics"), (http_port, "api/fleet"),
                 (http_port, f"evidence/{'0' * 64}"), (metrics_port, "healthz"),
                 (metrics_port, "metrics")]  # fmt: skip
        for port, page in pages:
            body = httpx.get(f"http://127.0.0.1:{port}/{page}", timeout=60).content
            assert MARK not in body, page
        run(tmp_path, "check", "edge_agent", "check", "--config", str(agent))
        run(
            tmp_path,
            "broken",
            "central_ingest",
            "migrate",
            "--config",
            str(tmp_path / "broken.yaml"),
        )
        run(tmp_path, "away", "central_ingest", "migrate", "--config", str(tmp_path / "away.yaml"))
    finally:
        for process in running:
            process.kill()
            process.wait()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"agent.log", "centre.log", "agent.db", "centre.db", "check.log"} <= {
        p.name for p in files
    }
    assert [str(path) for path in files if MARK in path.read_bytes()] == []
