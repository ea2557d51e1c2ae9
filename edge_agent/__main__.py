"""`edge-agent run · check · doctor · probe · calibrate · replay · detect`."""

import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from edge_agent.errors import AgentError, ConfigError

# Each command imports what it needs: `check` of a camera file starts without a runtime.
# ruff: noqa: PLC0415

cli = typer.Typer(
    help="摄像机网关上的代理：视频进，问题出。 The agent on a gateway: video in, issues out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ConfigOption = Annotated[
    Path, typer.Option("--config", help="代理配置文件 the agent's YAML file", dir_okay=False)
]
CameraFiles = Annotated[
    list[Path] | None,
    typer.Option("--camera", help="只检查这些摄像机文件 check only these camera files"),
]


@cli.command()
def run(
    config: ConfigOption,
    seconds: Annotated[
        float | None, typer.Option(help="运行多少秒后停止 stop after so many seconds")
    ] = None,
) -> None:
    """运行代理，直到收到 SIGTERM 或 Ctrl-C。 Run the agent until SIGTERM or Ctrl-C."""
    from edge_agent.app import App, detector_of
    from edge_agent.check import check_cameras_of
    from edge_agent.config import load_agent, load_cameras
    from edge_agent.memory import keep_small

    def reread() -> None:
        check_cameras_of(load_agent(config))

    keep_small()
    agent = load_agent(config)
    app = App(agent, load_cameras(agent.cameras), detector_of(agent), reread)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: app.stop())
    app.run(seconds)
    # What is left are threads inside FFmpeg or an inference, which no flag reaches: the
    # interpreter's own exit would wait for them. Everything of ours is on the disk by now.
    logging.shutdown()
    if app.reload_wanted:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 -- ourselves
    os._exit(0)


@cli.command()
def check(
    config: Annotated[
        Path | None, typer.Option("--config", help="代理配置文件 the agent's YAML file")
    ] = None,
    camera: CameraFiles = None,
) -> None:
    """检查配置、模型、摄像机、消息服务器和中心。 Check files, model, cameras, broker and centre."""
    from edge_agent.check import check_agent, check_cameras, print_findings

    if (config is None) == (not camera):
        raise ConfigError("check needs either --config agent.yaml or --camera FILE")
    findings = check_agent(config) if config else check_cameras(camera or [])
    if not print_findings(findings, Console()):
        faults = [finding for finding in findings if not finding.ok]
        raise AgentError("\n".join(f"{fault.part}: {fault.detail}" for fault in faults))


@cli.command()
def suppressions(config: ConfigOption) -> None:
    """列出中心要求不再上报的地点。 List the places where the centre wants nothing raised."""
    from edge_agent.command_book import read_suppressions
    from edge_agent.config import load_agent

    held = read_suppressions(load_agent(config).state_dir, datetime.now(UTC))
    for one in held:
        box = ", ".join(f"{value:.3f}" for value in one.box_xyxyn)
        what = f"{one.category.name_zh} {one.category}  [{box}]  {one.radius_m:g} m"
        until = f"{one.until:%Y-%m-%d %H:%M} UTC"
        print(f"{one.camera_id}  {what}  → {until}  {one.suppression_id}")
    print(f"{len(held)} 处 suppressions", file=sys.stderr)


@cli.command()
def probe(
    url: Annotated[
        str, typer.Argument(help="检测流地址 address of the stream to judge, or a file")
    ],
    evidence: Annotated[
        str | None, typer.Option(help="高清流地址 address of the full-size stream")
    ] = None,
    camera_id: Annotated[
        str, typer.Option("--id", help="摄像机编号 the camera's name in topics")
    ] = "cam-01",
    folder: Annotated[Path, typer.Option(help="写入的文件夹 where to write")] = Path(),
    transport: Annotated[
        Literal["tcp", "udp"], typer.Option(help="RTSP 传输方式 RTSP transport")
    ] = "tcp",
    model: Annotated[
        Path | None, typer.Option(help="遮挡用的模型 the model that masks the still")
    ] = None,
) -> None:
    """探测视频流，写出摄像机文件和参考图。 Measure a stream; write a camera file and a still."""
    from edge_agent.model import default_folder
    from edge_agent.probe import Onboarding, measure, report, write_camera
    from edge_agent.still import masker

    new = Onboarding.of(camera_id, folder, (url, evidence), transport)
    mask = masker(model or default_folder())
    detect = measure(url, transport)
    full = measure(evidence, transport) if evidence else None
    write_camera(new, detect, full, mask, datetime.now(UTC))
    print(report(new, detect, full))


@cli.command()
def calibrate(
    camera: Annotated[Path, typer.Argument(help="摄像机文件 the camera's YAML file")],
    preset: Annotated[
        str | None, typer.Option(help="转动摄像机的预置位 the preset of a turning camera")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="代理配置（网格、部件、模型） for cells, components and model"
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="用这张图，不连接摄像机 this picture, not the camera's own")
    ] = None,
    port: Annotated[int, typer.Option(help="页面的端口 port of the page; 0: a free one")] = 8095,
) -> None:
    """在本机网页上标定地面点和区域。 Click ground points and zones on a page of this machine."""
    from edge_agent.calibrate_page import CalibratePage
    from edge_agent.calibration import Calibration, Target
    from edge_agent.config import load_agent, load_camera
    from edge_agent.judge import Surroundings
    from edge_agent.model import default_folder
    from edge_agent.still import camera_still

    agent = load_agent(config) if config else None
    model = agent.model if agent else default_folder()
    near = Surroundings.read(agent.grid, agent.components) if agent else Surroundings()
    read = load_camera(camera)
    take = camera_still(camera, read, model, picture)
    page = CalibratePage(Calibration(Target(camera, preset), read, near), take, port)
    # Also where a shell started this in its background and so had Ctrl-C ignored.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    print(f"标定页面 calibration page: {page.address}\n结束 stop: Ctrl-C", flush=True)
    try:
        page.serve()
    except KeyboardInterrupt:
        print("已结束 stopped")


@cli.command()
def doctor(
    config: Annotated[
        Path | None, typer.Option("--config", help="代理配置文件 the agent's YAML file")
    ] = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="重新测定 measure anew")] = False,
) -> None:
    """显示本机、选用的推理方式和原因。 Show this machine, how inference runs on it, and why."""
    from edge_agent.config import load_agent
    from edge_agent.doctor import examine
    from edge_agent.model import default_folder
    from edge_agent.probing import Probe

    if config is None:
        probe, state_dir = Probe(default_folder()), Path("state")
    else:
        agent = load_agent(config)
        probe = Probe(agent.model, agent.runtime, agent.limits.inference_threads)
        state_dir = agent.state_dir
    examine(probe, state_dir, Console(), again=again)


@cli.command()
def replay(  # noqa: PLR0913, PLR0917  (one parameter an option of the command)
    clip: Annotated[Path, typer.Argument(help="视频文件 a video file")],
    camera: Annotated[Path, typer.Option(help="摄像机文件 the camera's YAML file")],
    reports: Annotated[Path, typer.Option(help="输出 JSON 行 one line a report")],
    speed: Annotated[
        Literal["max", "real"], typer.Option(help="尽快或实时 as fast as possible, or in real time")
    ] = "max",
    start: Annotated[
        str, typer.Option(help="片头的时刻（UTC） the moment of the clip's start, UTC")
    ] = "2000-01-01T00:00:00Z",
    runtime: Annotated[
        Literal["onnxruntime", "openvino"], typer.Option(help="推理运行时 inference runtime")
    ] = "onnxruntime",
    model: Annotated[Path | None, typer.Option(help="模型文件夹 a model folder")] = None,
    agent: Annotated[
        Path | None,
        typer.Option(help="代理配置（网格、部件、模型） for grid, components and model"),
    ] = None,
) -> None:
    """回放一段视频，输出报告；每次结果逐字节相同。 Replay a clip, the same at every run."""
    from edge_agent.replay import Replay, replay_clip

    replay = Replay(
        clip,
        camera,
        _utc(start),
        model=model,
        agent=agent,
        real_time=speed == "real",
        runtime=runtime,
    )
    count = replay_clip(replay, reports)
    print(f"{count} reports → {reports}", file=sys.stderr)


@cli.command()
def detect(
    source: Annotated[list[Path], typer.Argument(help="图片或文件夹 pictures or folders")],
    out: Annotated[Path, typer.Option(help="COCO 结果文件 COCO results file")],
    model: Annotated[Path | None, typer.Option(help="模型文件夹 a model folder")] = None,
) -> None:
    """对图片运行检测器，输出 COCO 结果格式。 Run the detector on pictures, COCO results format."""
    from edge_agent.detect import detect_images
    from edge_agent.detector import Detector
    from edge_agent.model import default_folder

    detector = Detector(model or default_folder(), threads=0)
    count = detect_images(source, detector, out)
    print(f"{count} pictures → {out}", file=sys.stderr)


def _utc(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--start {text!r} is not a time; 2000-01-01T00:00:00Z was expected"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def main() -> None:
    """Run the command line; an AgentError is one clear message on stderr and exit status 1."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # Its requests at INFO would repeat each address a picture.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        cli()
    except AgentError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
