"""A stream is measured on a real RTSP server, and becomes a camera file that can be used."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.config import load_camera
from edge_agent.errors import (
    CameraSilent,
    CameraUnauthorised,
    CameraUnreachable,
    ConfigError,
    VideoUnreadable,
)
from edge_agent.frames import ArrayPicture, Picture
from edge_agent.masking import MaskedPicture
from edge_agent.probe import Address, Onboarding, Probed, camera_text, measure, report, write_camera
from edge_agent.video import Timeouts

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
QUICK = Timeouts(open_s=2.0, read_s=2.0)
PICTURE = ArrayPicture(np.full((96, 160, 3), 90, np.uint8))
CLOSE_KEYS = Probed("h264", PICTURE, 25.0, 2.0, 1.5e6, 0.4)
RARE_KEYS = Probed("hevc", PICTURE, 15.0, 10.0, 0.8e6, None)


def masked(picture: Picture) -> MaskedPicture:
    return MaskedPicture.as_it_is(picture.rgb(picture.width, picture.height))


def onboarding(folder: Path, url: str, evidence: str | None = None) -> Onboarding:
    return Onboarding.of("cam-01", folder, (url, evidence), "tcp")


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_real_stream_is_measured(rtsp: Any, clip: Callable[..., Path], codec: str) -> None:
    path = clip(f"{codec}.mp4", codec=codec, frames=100, keyframe_every=25)
    found = measure(rtsp(cam=path).url("cam"), "tcp", seconds=2.0)
    assert found.codec == {"libx264": "h264", "libx265": "hevc"}[codec]
    assert (found.picture.width, found.picture.height) == (160, 96)
    assert found.rate_fps == pytest.approx(25, rel=0.1)
    assert found.keyframe_s == pytest.approx(1.0, rel=0.1)
    assert found.bitrate_bps is not None
    assert found.bitrate_bps > 1000
    # One machine has one clock; the reports of the server come within its first seconds.
    assert found.clock_offset_s is None or abs(found.clock_offset_s) < 5


def test_a_file_is_measured_without_waiting_for_it(clip: Callable[..., Path]) -> None:
    found = measure(str(clip(frames=300, keyframe_every=50)), "tcp")
    assert found.keyframe_s == pytest.approx(2.0)
    assert found.rate_fps == pytest.approx(25, rel=0.02)


def test_nobody_there_is_said_in_both_languages_and_without_the_password(free_port: int) -> None:
    url = f"rtsp://admin:hunter2@127.0.0.1:{free_port}/x"
    with pytest.raises(CameraUnreachable, match=r"无法连接摄像机。.*check address") as caught:
        measure(url, "tcp", QUICK)
    assert "hunter2" not in str(caught.value)


def test_what_is_no_stream_is_said_in_both_languages(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>a camera's own page</html>" * 50)
    with pytest.raises(VideoUnreadable, match=r"不是可以读取的视频。.*not video"):
        measure(str(page), "tcp", QUICK)


def test_a_refused_password_is_said_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise CameraUnauthorised("probe (rtsp://10.0.0.9/x): refused the user name or password")

    monkeypatch.setattr("edge_agent.probe.Video", refused)
    with pytest.raises(CameraUnauthorised, match=r"摄像机拒绝了用户名或密码。.*refused"):
        measure("rtsp://a:b@10.0.0.9/x", "tcp")


def test_silence_is_said_in_both_languages(rtsp: Any, clip: Callable[..., Path]) -> None:
    server = rtsp(cam=clip())
    server.pause()
    with pytest.raises(CameraSilent, match=r"没有收到视频。"):
        measure(server.url("cam"), "tcp", QUICK)


ADDRESSES = {
    "rtsp://10.0.0.9:554/s1": ("rtsp://10.0.0.9:554/s1", {}),
    "rtsp://admin:p%40ss@10.0.0.9/s1": (
        "rtsp://${secret:CAM_01_USER}:${secret:CAM_01_PASSWORD}@10.0.0.9/s1",
        {"CAM_01_USER": "admin", "CAM_01_PASSWORD": "p%40ss"},
    ),
    "rtsp://admin:a@b@10.0.0.9/s1": (
        "rtsp://${secret:CAM_01_USER}:${secret:CAM_01_PASSWORD}@10.0.0.9/s1",
        {"CAM_01_USER": "admin", "CAM_01_PASSWORD": "a@b"},
    ),
    "rtsp://10.0.0.9/live?channel=1&token=abc": (
        "rtsp://10.0.0.9/live?channel=1&token=${secret:CAM_01_TOKEN}",
        {"CAM_01_TOKEN": "abc"},
    ),
    "rtsp://10.0.0.9/user=admin&password=x&channel=1.sdp": (
        "rtsp://10.0.0.9/user=${secret:CAM_01_USER}&password=${secret:CAM_01_PASSWORD}&channel=1.sdp",
        {"CAM_01_USER": "admin", "CAM_01_PASSWORD": "x"},
    ),
    "rtsp://${secret:U}:${secret:P}@10.0.0.9/s1": (
        "rtsp://${secret:U}:${secret:P}@10.0.0.9/s1",
        {},
    ),
    "${secret:WHOLE}": ("${secret:WHOLE}", {}),
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_what_is_secret_in_an_address_becomes_a_reference(url: str, tmp_path: Path) -> None:
    written, secrets = ADDRESSES[url]
    address = Address.of(url, "cam-01", tmp_path)
    assert (address.written, address.secrets) == (written, secrets)
    assert not any(value in repr(address) for value in ("p%40ss", "a@b", "abc"))


def test_two_passwords_have_two_names(tmp_path: Path) -> None:
    new = onboarding(tmp_path, "rtsp://a:one@h/1", "rtsp://a:two@h/2")
    assert new.evidence is not None
    assert set(new.detect.secrets) & set(new.evidence.secrets) == set()
    same = onboarding(tmp_path, "rtsp://a:one@h/1", "rtsp://a:one@h/2")
    assert same.evidence is not None
    assert same.detect.secrets == same.evidence.secrets


@pytest.mark.parametrize("measured", [CLOSE_KEYS, RARE_KEYS])
def test_the_camera_file_can_be_used_and_holds_no_secret(tmp_path: Path, measured: Probed) -> None:
    new = onboarding(tmp_path, "rtsp://admin:hunter2@h/1", "rtsp://admin:hunter2@h/2")
    write_camera(new, measured, RARE_KEYS, masked, NOW)
    camera = load_camera(new.file)
    assert camera.streams is not None
    assert camera.streams.evidence is not None
    assert camera.reference == "cam-01.reference.jpg"
    assert (tmp_path / camera.reference).read_bytes().startswith(b"\xff\xd8")
    keyframes = camera.looks["default"].decode == "keyframes"
    assert keyframes is (measured is CLOSE_KEYS)
    said = report(new, measured, RARE_KEYS)
    for text in (new.file.read_text(), said):
        assert "hunter2" not in text
        assert "admin" not in text
    assert "CAM_01_PASSWORD" in said
    assert "未知 unknown" in report(new, RARE_KEYS, None)


def test_a_file_beside_the_camera_file_is_named_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "cameras").mkdir()
    new = onboarding(tmp_path / "cameras", str(tmp_path / "clip.mp4"))
    assert load_url(camera_text(new, CLOSE_KEYS, None, NOW), tmp_path) == "../clip.mp4"


def load_url(text: str, folder: Path) -> str:
    (folder / "text.yaml").write_text(text)
    streams = load_camera(folder / "text.yaml").streams
    assert streams is not None
    return streams.detect.url


def test_an_existing_camera_file_is_not_overwritten(tmp_path: Path) -> None:
    new = onboarding(tmp_path, "rtsp://h/1")
    new.file.write_text("mine")
    with pytest.raises(ConfigError, match=r"文件已存在.*not overwritten"):
        write_camera(new, CLOSE_KEYS, None, masked, NOW)
    assert new.file.read_text() == "mine"


def test_an_id_that_cannot_stand_in_a_topic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="letters, digits"):
        Onboarding.of("../x", tmp_path, ("rtsp://h/1", None), "tcp")


def test_the_command_writes_both_files(clip: Callable[..., Path], tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "edge_agent",
            "probe",
            str(clip(size=(320, 192))),
            "--folder",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert "h264 320×192" in done.stdout
    assert {path.name for path in tmp_path.glob("cam-01*")} == {
        "cam-01.yaml",
        "cam-01.reference.jpg",
    }
