"""A hardware decoder is used where it works, and software says why where it does not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent import hardware
from edge_agent.hardware import acceleration, resolve, usable, why_not
from edge_agent.video import Timeouts, Video

MakeClip = Callable[..., Path]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    why_not.cache_clear()
    yield
    why_not.cache_clear()


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_DEVICE_FILES", dict.fromkeys(("cuda", "vaapi"), "no-such-*"))


@pytest.mark.usefixtures("nothing_here")
def test_without_a_device_file_a_decoder_is_not_even_tried() -> None:
    assert usable() == ()
    assert resolve("auto") == ("software", "")
    name, reason = resolve("cuda")
    assert name == "software"
    assert reason == "cuda cannot be used: there is no /dev/no-such-*"


def test_a_device_that_does_not_open_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> object:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(hardware, "_DEVICE_FILES", {"cuda": "null"})
    monkeypatch.setattr(hardware, "HWAccel", refuse)
    monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda"])
    assert "Operation not permitted" in resolve("cuda")[1]


def test_auto_takes_the_first_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "why_not", lambda name: "" if name == "v4l2m2m" else "no")
    assert resolve("auto") == ("v4l2m2m", "")


def test_software_needs_no_acceleration() -> None:
    assert acceleration("software") is None


@pytest.mark.usefixtures("nothing_here")
def test_a_stream_is_decoded_in_software_where_the_hardware_is_missing(clip: MakeClip) -> None:
    with Video(str(clip(frames=5)), "cam", "tcp", Timeouts(), "vaapi") as video:
        pictures = [picture for packet in video.packets() for picture in video.decode(packet)]
        assert len(pictures) == 5
        assert "vaapi cannot be used" in video.fallback


def test_a_codec_that_the_kernel_does_not_decode_is_decoded_in_software(
    clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "why_not", lambda _name: "")
    with Video(str(clip(frames=5)), "cam", "tcp", Timeouts(), "v4l2m2m") as video:
        pictures = [picture for packet in video.packets() for picture in video.decode(packet)]
        assert len(pictures) == 5
        assert video.fallback == "v4l2m2m does not decode h264"
