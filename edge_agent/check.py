"""`edge-agent check`: everything that a run needs, tried once, with a reason for each fault."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from contract.topics import AgentAddress
from edge_agent.camera import Source
from edge_agent.config import (
    AgentConfig,
    CameraConfig,
    load_agent,
    load_camera,
    load_cameras,
)
from edge_agent.detections import CLASSES
from edge_agent.errors import AgentError, ConfigError
from edge_agent.judge import Surroundings
from edge_agent.metrics import LOW_DISK_BYTES
from edge_agent.model import load_card, verified_path
from edge_agent.place import CameraPlace, check_agreement
from edge_agent.policy import Policy
from edge_agent.publisher import try_broker
from edge_agent.signature import check_signature
from edge_agent.uploader import try_centre
from edge_agent.video import DEFAULT_TIMEOUTS, Timeouts, first_picture
from edge_agent.view_files import known_views

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    part: str
    ok: bool
    detail: str


def check_agent(path: Path, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> list[Finding]:
    """Check an agent file and everything it names, contacting cameras, broker and centre."""
    try:
        config = load_agent(path)
    except AgentError as error:
        return [Finding("配置 agent file", ok=False, detail=str(error))]
    findings = [Finding("配置 agent file", ok=True, detail=str(path))]
    findings.append(_try("模型 model", lambda: _model(config)))
    findings.append(_try("网格 grid", lambda: _surroundings(config)))
    findings.append(_try("磁盘 disk", lambda: _disk(config.state_dir)))
    try:
        cameras = load_cameras(config.cameras)
    except AgentError as error:
        findings.append(Finding("摄像机 camera files", ok=False, detail=str(error)))
        cameras = {}
    tasks = [*_camera_tasks(cameras, timeouts), *_delivery_tasks(config)]
    return [*findings, *_at_once(tasks)]


def check_cameras(paths: Iterable[Path], timeouts: Timeouts = DEFAULT_TIMEOUTS) -> list[Finding]:
    """Check camera files on their own; a camera with streams is contacted."""
    findings: list[Finding] = []
    cameras: dict[Path, CameraConfig] = {}
    for path in paths:
        try:
            cameras[path] = load_camera(path)
        except AgentError as error:
            findings.append(Finding(f"摄像机 camera file {path.name}", ok=False, detail=str(error)))
    return [*findings, *_at_once([*_camera_tasks(cameras, timeouts)])]


def print_findings(findings: Iterable[Finding], console: Console) -> bool:
    """Print the table; return whether all is well."""
    table = Table(title="检查 check")
    for heading in ("部分 part", "结果 result", "说明 detail"):
        table.add_column(heading, overflow="fold")
    good = True
    for finding in findings:
        good &= finding.ok
        result = "[green]正常 ok[/]" if finding.ok else "[bold red]故障 FAULT[/]"
        table.add_row(finding.part, result, finding.detail)
    console.print(table)
    return good


Task = tuple[str, Callable[[], str]]


def _try(part: str, task: Callable[[], str]) -> Finding:
    try:
        return Finding(part, ok=True, detail=task())
    except AgentError as error:
        return Finding(part, ok=False, detail=str(error))


def _at_once(tasks: list[Task]) -> list[Finding]:
    with ThreadPoolExecutor(AT_ONCE) as workers:
        return list(workers.map(lambda task: _try(*task), tasks))


def _model(config: AgentConfig) -> str:
    card = load_card(config.model)
    check_signature(config.model, config.model_keys)
    for file in card.files:
        verified_path(config.model, file)
    return f"{card.name}, {len(card.files)} files, signed, hashes as on the card"


def _surroundings(config: AgentConfig) -> str:
    Surroundings.read(config.grid, config.components)
    named = [str(path) for path in (config.grid, config.components) if path]
    return ", ".join(named) or "not configured: reports will name no cell"


def check_rules(config: CameraConfig) -> None:
    """Resolve a camera's zones, rules and ground points. Raises ConfigError and PlaceError."""
    # Any thresholds do: the model's own only move scores.
    for view in config.views().values():
        Policy.of(view, dict.fromkeys(CLASSES, (0.5, 0.3)))
        CameraPlace.of(view.place, view.camera.location)
        if view.place is not None:
            check_agreement(view.place.points)


def check_views(path: Path, config: CameraConfig) -> None:
    """Read a camera's reference stills. Raises ConfigError, also for a preset that has none."""
    known_views(path, config)
    for preset in config.presets:
        if preset.reference is None:
            raise ConfigError(
                f"{path}: preset {preset.id} has no reference still, so it is never recognised; "
                f"turn the camera there and run: edge-agent calibrate {path} --preset {preset.id}"
            )


def check_cameras_of(config: AgentConfig) -> None:
    """Read and resolve every camera file of an agent. Raises ConfigError and PlaceError."""
    for camera in load_cameras(config.cameras).values():
        check_rules(camera)


def _disk(state_dir: Path) -> str:
    folder = state_dir
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{state_dir}: cannot be written by this user")
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK_BYTES:
        raise ConfigError(
            f"{state_dir}: only {free // 1_000_000} MB are free; {LOW_DISK_BYTES // 1_000_000} MB "
            "were expected"
        )
    return f"{state_dir}: {free / 1e9:.1f} GB free"


def _camera_tasks(cameras: dict[Path, CameraConfig], timeouts: Timeouts) -> Iterator[Task]:
    for path, config in cameras.items():

        def task(path: Path = path, config: CameraConfig = config) -> str:
            check_rules(config)
            check_views(path, config)
            if config.streams is None:
                return f"{path.name}: valid; no streams to contact"
            began_s = time.monotonic()
            source = Source.of(path, config)
            transport = source.stream.transport
            codec, picture = first_picture(source.url(), source.shown, transport, timeouts)
            took_s = time.monotonic() - began_s
            size = f"{codec} {picture.width}×{picture.height}"
            return f"{size}, first picture after {took_s:.1f} s"

        yield f"摄像机 camera {config.camera.id}", task


def _delivery_tasks(config: AgentConfig) -> Iterator[Task]:
    def broker() -> str:
        try_broker(config.broker, AgentAddress(config.agent.city, config.agent.id))
        return f"{config.broker.host}:{config.broker.port}: connected and subscribed"

    def centre() -> str:
        try_centre(config.centre)
        return "answers /healthz"

    yield "消息服务器 broker", broker
    yield "中心 centre", centre
