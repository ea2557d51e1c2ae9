"""Packets and pictures from files, and every way in which a source fails."""

import socket
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

from edge_agent.addresses import redacted
from edge_agent.errors import CameraError, CameraSilent, CameraUnreachable, VideoUnreadable
from edge_agent.video import Timeouts, Video, VideoPicture, read_clip

MakeClip = Callable[..., Path]
QUICK = Timeouts(open_s=0.5, read_s=0.5)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_clip_gives_every_picture_with_its_time(clip: MakeClip, codec: str) -> None:
    pictures = list(read_clip(clip(codec=codec, frames=30)))
    times_s = [clip_s for clip_s, _ in pictures]
    assert len(pictures) == 30
    assert times_s[0] == 0
    assert all(later - earlier == pytest.approx(0.04) for earlier, later in pairwise(times_s))


def test_a_clip_gives_the_same_pixels_twice(clip: MakeClip) -> None:
    path = clip(frames=5)
    first, second = ([p.rgb(64, 40) for _, p in read_clip(path)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("size", [(160, 96), (40, 24), (320, 192), (33, 17)])
def test_a_picture_scales_straight_from_yuv_to_any_size(
    clip: MakeClip, size: tuple[int, int]
) -> None:
    _, picture = next(read_clip(clip(frames=2)))
    rgb = picture.rgb(*size)
    assert (picture.width, picture.height) == (160, 96)
    assert rgb.shape == (size[1], size[0], 3)
    assert rgb.dtype == np.uint8
    red, grey = rgb[2, 2].astype(int), rgb[-3, -3].astype(int)
    assert np.abs(red - (200, 30, 30)).max() < 25
    assert np.abs(grey - 40).max() < 25


def test_pictures_may_be_scaled_in_many_threads_at_once(clip: MakeClip) -> None:
    pictures = [picture for _, picture in read_clip(clip(frames=8))]
    expected = [picture.rgb(80, 48) for picture in pictures]
    wrong: list[int] = []

    def scale() -> None:
        for _ in range(20):
            for index, picture in enumerate(pictures):
                if not np.array_equal(picture.rgb(80, 48), expected[index]):
                    wrong.append(index)

    threads = [threading.Thread(target=scale) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_key_frame_alone_comes_out_at_once(clip: MakeClip) -> None:
    path = clip(codec="libx265", frames=30, keyframe_every=10)
    with Video(str(path), "clip", "tcp", QUICK) as video:
        got = [
            len(video.decode(packet, alone=True))
            for packet in video.packets()
            if packet.is_keyframe and packet.size
        ]
    assert got == [1, 1, 1]


def test_damaged_packets_are_skipped_and_counted(clip: MakeClip) -> None:
    path = clip("damaged.ts", frames=40)
    body = bytearray(path.read_bytes())
    for start in range(len(body) // 3, len(body) // 2, 188):
        body[start + 20 : start + 180] = b"\x00\x00\x01\xff" * 40
    path.write_bytes(body)
    with Video(str(path), "clip", "tcp", QUICK) as video:
        good = sum(len(video.decode(packet)) for packet in video.packets())
    assert 10 <= good < 40


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", VideoUnreadable),
        (b"this is no video at all" * 100, VideoUnreadable),
        (None, CameraUnreachable),
    ],
)
def test_an_unreadable_clip_is_named(
    tmp_path: Path, content: bytes | None, error: type[CameraError]
) -> None:
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=r"broken\.mp4"):
        list(read_clip(path))


def test_a_clip_cut_off_in_its_header_is_named(clip: MakeClip) -> None:
    path = clip(frames=20)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(VideoUnreadable, match=r"clip\.mp4"):
        list(read_clip(path))


@pytest.fixture
def listener() -> Iterator[Callable[[bytes | None], int]]:
    """Listen on a port and answer each client with bytes, or with nothing at all."""
    sockets: list[socket.socket] = []

    def listen(answer: bytes | None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                sockets.append(client)
                if answer is not None:
                    client.recv(100)
                    client.sendall(answer)
                    client.close()

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield listen
    for opened in sockets:
        opened.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, CameraSilent),
        (b"\x00\xff garbage" * 500, VideoUnreadable),
        (b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n", CameraUnreachable),
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", CameraUnreachable),
    ],
)
def test_a_stream_that_fails_is_told_apart_and_keeps_its_password(
    listener: Callable[[bytes | None], int], answer: bytes | None, error: type[CameraError]
) -> None:
    url = f"rtsp://admin:hunter2@127.0.0.1:{listener(answer)}/ch1"
    with pytest.raises(error) as caught:
        Video(url, f"camera cam-01 ({redacted(url)})", "tcp", QUICK)
    assert "cam-01" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_refused_port_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(CameraUnreachable, match="Connection refused"):
        Video(f"rtsp://127.0.0.1:{port}/ch1", "camera cam-01", "tcp", QUICK)


def colours(pixel_format: str, colour_range: ColorRange) -> VideoPicture:
    """A 1280×720 picture of soft shapes in all colours, in a decoder's pixel format."""
    x, y = np.meshgrid(np.linspace(0, 255, 1280), np.linspace(0, 255, 720))
    rgb = np.stack([x, y, 255 - (x + y) / 2], axis=2).astype(np.uint8)
    frame = VideoFrame.from_ndarray(rgb, format="rgb24")
    return VideoPicture(frame.reformat(format=pixel_format, dst_color_range=colour_range))


@pytest.mark.parametrize(
    ("pixel_format", "colour_range"),
    [
        ("yuv420p", ColorRange.MPEG),
        ("yuv420p", ColorRange.JPEG),
        ("yuvj420p", ColorRange.JPEG),
        ("nv12", ColorRange.MPEG),
        ("yuv420p10le", ColorRange.MPEG),
    ],
)
@pytest.mark.parametrize("size", [(640, 360), (320, 180), (333, 187), (1920, 1080)])
def test_colours_come_out_alike_from_every_pixel_format(
    pixel_format: str, colour_range: ColorRange, size: tuple[int, int]
) -> None:
    rgb = colours(pixel_format, colour_range).rgb(*size)
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    expected = np.stack([x, y, 255 - (x + y) / 2], axis=2)
    assert rgb.shape == (height, width, 3)
    assert np.abs(rgb - expected).mean() < 4


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv420p10le"])
def test_brightness_is_taken_from_every_pixel_format(pixel_format: str) -> None:
    luma = colours(pixel_format, ColorRange.MPEG).luma(320, 180)
    assert luma.shape == (180, 320)
    assert luma.std() > 15
    assert luma[:20, :40].mean() < luma[-20:, -40:].mean()
