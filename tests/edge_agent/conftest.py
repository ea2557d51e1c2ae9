"""Real parts for the agent's tests: encoded clips, an RTSP server, a broker, and a deadline."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks import ports
from tests.edge_agent.centre_server import CentreServer

RTSP_SERVER = Path(__file__).parents[1] / "system" / "rtsp_server.py"


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Return as soon as `condition` holds; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.01)


def encode_clip(
    path: Path,
    *,
    codec: str = "libx264",
    frames: int = 50,
    size: tuple[int, int] = (160, 96),
    keyframe_every: int = 10,
) -> Path:
    """Write a clip of 25 frames/s whose picture brightens from frame to frame."""
    width, height = size
    options = {"g": str(keyframe_every), "keyint_min": str(keyframe_every), "sc_threshold": "0"}
    options |= {"preset": "ultrafast", "bf": "0"}
    if codec == "libx265":
        options["x265-params"] = f"log-level=none:keyint={keyframe_every}:min-keyint=1:bframes=0"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, 25)
        for index in range(frames):
            grey = np.full((height, width, 3), 40 + index * 3 % 200, np.uint8)
            grey[: height // 2, : width // 2] = (200, 30, 30)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Rtsp:
    """GStreamer's RTSP server as a process that can be killed and started again."""

    def __init__(self, mounts: dict[str, Path]) -> None:
        self.port = ports.free_port()
        self._mounts = mounts
        self._process: subprocess.Popen[str] | None = None

    def url(self, mount: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{mount}"

    def start(self) -> None:
        mounts = [f"/{name}={path}" for name, path in self._mounts.items()]
        self._process = subprocess.Popen(
            ["/usr/bin/python3", str(RTSP_SERVER), str(self.port), *mounts],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("ready"), self._process.communicate()

    def pause(self) -> None:
        """Stop sending without closing anything: a camera that hangs."""
        subprocess.run(["kill", "-STOP", str(self._running().pid)], check=True)

    def kill(self) -> None:
        process = self._running()
        process.kill()
        process.communicate()
        self._process = None

    def end(self) -> str:
        """Kill it if it runs; returns its last words where it had died by itself."""
        if self._process is None:
            return ""
        died = self._process.poll()
        self._process.kill()
        _, words = self._process.communicate()
        return "" if died is None else f"the RTSP server died ({died}): {words}"

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process


@pytest.fixture
def rtsp() -> Iterator[Callable[..., Rtsp]]:
    """Start RTSP servers: `rtsp(cam=path)` serves the file at /cam, looped."""
    probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
    found = subprocess.run(["/usr/bin/python3", "-c", probe], check=False, capture_output=True)
    if found.returncode:
        pytest.skip(
            "needs GStreamer's RTSP server: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
            "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
        )
    started: list[Rtsp] = []

    def start(**mounts: Path) -> Rtsp:
        server = Rtsp(mounts)
        server.start()
        started.append(server)
        return server

    yield start
    assert not [words for server in started if (words := server.end())]


class Mosquitto:
    """A real broker on one port that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = ports.free_port()
        self._config = folder / "mosquitto.conf"
        self.configure("allow_anonymous true")
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, *lines: str) -> None:
        # Started by root it would become another user, who cannot read the test's files.
        user = f"user {getpass.getuser()}"
        self._config.write_text("\n".join((f"listener {self.port} 127.0.0.1", user, *lines, "")))

    def start(self) -> None:
        program = shutil.which(
            "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
        )
        assert program is not None
        self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=subprocess.PIPE)
        wait_until(self._answers, "the broker listens")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker."""
    if shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") is None:
        pytest.skip("needs Mosquitto: apt-get install mosquitto")
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    return ports.free_port()


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for a condition: `until(lambda: …, "what")`."""
    return wait_until


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    """Encode a small clip: `clip("a.mp4", codec="libx265", frames=25)`."""

    def make(name: str = "clip.mp4", **how: object) -> Path:
        return encode_clip(tmp_path / name, **how)  # type: ignore[arg-type]

    return make


@pytest.fixture
def centre() -> Iterator[CentreServer]:
    """A centre that takes pictures."""
    server = CentreServer()
    yield server
    server.close()
