"""A site for the system tests: real processes on a short clip that shows a problem all the time."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from site_processes import SYSTEM_PYTHON, Site

from benchmarks.footage import Footage, write_video
from edge_agent.errors import ModelError
from edge_agent.model import default_folder
from edge_agent.video import read_clip


@pytest.fixture(scope="session")
def model() -> Path:
    """The shipped detector."""
    try:
        return default_folder()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def rtsp_possible() -> None:
    """GStreamer's RTSP server, which Debian brings."""
    if shutil.which(SYSTEM_PYTHON) is None:
        pytest.skip(f"needs {SYSTEM_PYTHON} with GStreamer's RTSP server")
    probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run([SYSTEM_PYTHON, "-c", probe], check=False, capture_output=True).returncode:
        pytest.skip("needs GStreamer's RTSP server: apt-get install gir1.2-gst-rtsp-server-1.0")


@pytest.fixture(scope="session")
def problem_clips(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twenty seconds each of a bin that overflows and of a cart that stands."""
    folder = tmp_path_factory.mktemp("clips")
    clips = {}
    for name, clip, start_s in (
        ("bin", "dev2_cam2_bin_garbage", 50.0),
        ("cart", "dev1_cam81_vendor", 40.0),
    ):
        clips[name] = folder / f"{name}.mp4"
        pictures = (
            picture.rgb(1280, 720)
            for clip_s, picture in read_clip(shared / "clips" / "dev" / f"{clip}.mp4")
            if start_s <= clip_s < start_s + 20
        )
        write_video(clips[name], pictures, Footage(720), 10)
    return clips


@pytest.fixture
def site(
    tmp_path: Path, model: Path, problem_clips: dict[str, Path], rtsp_possible: None
) -> Iterator[Site]:
    """A city that raises its first issue within seconds and reports it twice a second."""
    rule = {"dwell_s": 1, "clear_after_s": 5, "heartbeat_s": 0.5, "seen_m": 2, "of_n": 4}
    made = Site(tmp_path, model, problem_clips, rule)
    yield made
    made.close()
