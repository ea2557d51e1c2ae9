"""A camera through everything that streams do, over a real RTSP server."""

import socket
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contract.messages import CameraState
from edge_agent.camera import (
    BACKOFF_LONGEST_S,
    Camera,
    CameraSinks,
    Pace,
    Source,
    wait_s,
)
from edge_agent.clock import Instant, SystemClock
from edge_agent.config import Stream
from edge_agent.decoding import DecodePolicy
from edge_agent.errors import CameraSilent, CameraUnauthorised
from edge_agent.frames import Frame
from edge_agent.video import Timeouts

MakeClip = Callable[..., Path]
Until = Callable[..., None]
StartRtsp = Callable[..., Any]
QUICK = Timeouts(open_s=3, read_s=0.7)


class Watched:
    """A camera in its thread, with everything it said."""

    def __init__(
        self, url: str, mode: str = "all", every_s: float = 0.2,
        wait_s: Callable[[Instant], float] = lambda _: 0.0, **how: Any,
    ) -> None:  # fmt: skip
        self.frames: list[Frame] = []
        self.states: list[tuple[CameraState, str]] = []
        self.camera = Camera(
            Source("cam-01", Stream(url=url, **how)),
            DecodePolicy(mode, every_s),
            CameraSinks(
                self.frames.append,
                lambda state, why: self.states.append((state, why)),
                wait_s=wait_s,
            ),
            SystemClock(),
            QUICK,
        )
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.camera.run, args=(self.stop,))
        self.thread.start()

    def count(self, state: CameraState) -> int:
        return sum(said is state for said, _ in self.states)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(timeout=10)
        assert not self.thread.is_alive()


Watch = Callable[..., Watched]


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Start a camera: `watch(url)`; it is stopped at the end."""
    running: list[Watched] = []

    def start(*args: Any, **kwargs: Any) -> Watched:
        running.append(Watched(*args, **kwargs))
        return running[-1]

    yield start
    for watched in running:
        watched.end()


def instant(seconds: float) -> Instant:
    return Instant(SystemClock().now().utc, seconds, "boot")


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_stream_gives_frames(
    clip: MakeClip, rtsp: StartRtsp, watch: Watch, until: Until,
    codec: str, transport: str,
) -> None:  # fmt: skip
    server = rtsp(cam=clip(codec=codec))
    watched = watch(server.url("cam"), transport=transport)
    until(lambda: len(watched.frames) >= 10, "ten frames")
    assert watched.states[:2] == [(CameraState.CONNECTING, ""), (CameraState.OK, "")]
    assert {(f.picture.width, f.picture.height) for f in watched.frames} == {(160, 96)}
    times_s = [frame.at.monotonic_s for frame in watched.frames]
    assert times_s == sorted(times_s)


def test_a_camera_comes_back_after_its_return(
    clip: MakeClip, rtsp: StartRtsp, watch: Watch, until: Until
) -> None:
    server = rtsp(cam=clip())
    watched = watch(server.url("cam"))
    until(lambda: watched.frames, "the first frame")
    server.kill()
    until(lambda: watched.count(CameraState.OFFLINE) >= 2, "two failures")
    seen = len(watched.frames)
    server.start()
    until(lambda: len(watched.frames) > seen, "frames again")
    assert watched.states[-1][0] is CameraState.OK
    assert watched.camera.counts.reconnects >= 2


def test_a_camera_that_hangs_is_silent_and_left(
    clip: MakeClip, rtsp: StartRtsp, watch: Watch, until: Until
) -> None:
    server = rtsp(cam=clip())
    watched = watch(server.url("cam"))
    until(lambda: watched.frames, "the first frame")
    server.pause()
    until(lambda: watched.count(CameraState.OFFLINE), "the hang is noticed")
    assert "nothing came within the time limit" in watched.states[-1][1]


def test_the_others_never_notice(
    clip: MakeClip, rtsp: StartRtsp, watch: Watch, until: Until
) -> None:
    server = rtsp(cam=clip())
    good = watch(server.url("cam"))
    until(lambda: good.frames, "the first frame")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bad = [
            watch(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"),
            watch(server.url("nothing-here")),
            watch("rtsp://127.0.0.1:1/x"),
        ]
        until(lambda: all(camera.count(CameraState.OFFLINE) for camera in bad), "three are offline")
    seen = len(good.frames)
    until(lambda: len(good.frames) > seen + 5, "the good one goes on")
    assert good.count(CameraState.OFFLINE) == 0


def test_a_file_plays_in_its_own_time_and_ends(clip: MakeClip, watch: Watch, until: Until) -> None:
    watched = watch(str(clip(frames=20)))
    until(lambda: not watched.thread.is_alive(), "the end")
    assert len(watched.frames) == 20
    took_s = watched.frames[-1].at.seconds_since(watched.frames[0].at)
    assert 0.7 < took_s < 3
    assert watched.states[-1][0] is CameraState.OFFLINE
    assert "file ended" in watched.states[-1][1]


def test_a_looped_file_starts_again(clip: MakeClip, watch: Watch, until: Until) -> None:
    watched = watch(str(clip(frames=10)), loop=True)
    until(lambda: len(watched.frames) > 25, "more frames than the file has")
    assert watched.count(CameraState.OFFLINE) == 0


def test_a_stream_may_change_its_size(
    clip: MakeClip, watch: Watch, until: Until, tmp_path: Path
) -> None:
    small, large = clip("a.ts", frames=10), clip("b.ts", frames=10, size=(320, 192))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    watched = watch(str(joined))
    until(lambda: not watched.thread.is_alive(), "the end")
    sizes = [(f.picture.width, f.picture.height) for f in watched.frames]
    assert sizes[0] == (160, 96)
    assert sizes[-1] == (320, 192)


def test_a_file_that_is_no_video_says_so_and_is_tried_again(
    tmp_path: Path, watch: Watch, until: Until
) -> None:
    path = tmp_path / "page.mp4"
    path.write_text("<html>login</html>" * 100)
    watched = watch(str(path))
    until(lambda: watched.count(CameraState.OFFLINE) >= 2, "a second try")
    assert "page.mp4" in watched.states[-1][1]
    assert "next try in" in watched.states[-1][1]


def test_no_state_shows_the_password(
    monkeypatch: pytest.MonkeyPatch, watch: Watch, until: Until
) -> None:
    monkeypatch.setenv("CAM01", "rtsp://admin:hunter2@127.0.0.1:1/ch1")
    watched = watch("${secret:CAM01}")
    until(lambda: watched.count(CameraState.OFFLINE), "it is refused")
    assert "${secret:CAM01}" in watched.states[-1][1]
    assert "hunter2" not in str(watched.states)


def test_frames_that_nobody_needs_yet_are_decoded_together_each_with_its_own_moment(
    clip: MakeClip, watch: Watch, until: Until
) -> None:
    counts: list[int] = []
    named = threading.Event()

    def needed_at_the_22nd(_at: Instant) -> float:
        assert named.wait(30)
        counts.append(len(watched.frames))
        return 0.0 if len(counts) == 22 else 1.0

    path = clip(frames=30, keyframe_every=30)
    watched = watch(str(path), wait_s=needed_at_the_22nd)
    named.set()
    until(lambda: not watched.thread.is_alive(), "the end")
    assert len(watched.frames) == 30
    # The first at once; then as many as a burst holds, or until one is needed.
    assert sorted(set(counts)) == [0, 1, 9, 17, 22, 30]
    spaces = [b.at.seconds_since(a.at) for a, b in pairwise(watched.frames)]
    assert sum(space > 0.02 for space in spaces) > 20


def test_what_waits_is_decoded_before_the_frame_that_is_needed_comes(
    clip: MakeClip, watch: Watch, until: Until
) -> None:
    decoded: list[int] = []
    needed_s: list[float] = []

    def until_needed(at: Instant) -> float:
        needed_s.append(at.monotonic_s + 0.28)
        left_s = needed_s[0] - at.monotonic_s
        if left_s <= 0:
            decoded.append(len(watched.frames))
        return max(0.0, left_s)

    watched = watch(str(clip(frames=12, keyframe_every=12)), wait_s=until_needed)
    until(lambda: not watched.thread.is_alive(), "the end")
    # One at once, seven that gathered; a slow machine has none of them waiting either.
    assert decoded[0] >= 7


def test_auto_decodes_key_frames_only_once_their_distance_is_known(
    clip: MakeClip, watch: Watch, until: Until
) -> None:
    path = clip(frames=60, keyframe_every=10)
    watched = watch(str(path), mode="auto", every_s=0.5)
    until(lambda: not watched.thread.is_alive(), "the end")
    # Two distances are known with the third key frame: 20 frames, then one every 0.4 s.
    assert len(watched.frames) == 20 + 4
    assert watched.camera.counts.keyframes_only
    assert all(
        later.at.seconds_since(earlier.at) > 0.3 for earlier, later in pairwise(watched.frames[20:])
    )


class SetClock:
    """A clock that stands still until somebody waits."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> Instant:
        return instant(self.now_s)

    def wait(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_file_is_held_to_its_time_line_and_a_jump_starts_it_anew() -> None:
    clock = SetClock()
    pace = Pace(clock, clock.wait)
    at_s = []
    for stamp_s in (0.0, 0.5, 1.0, None, 900.0, 900.5, 0.0, 0.5):
        pace.hold(stamp_s)
        at_s.append(clock.now_s)
    assert at_s == [100.0, 100.5, 101.0, 101.0, 101.0, 101.5, 101.5, 102.0]


def test_what_is_read_late_says_how_late() -> None:
    clock = SetClock()
    pace = Pace(clock, clock.wait)
    assert pace.hold(0.0) == 0.0
    clock.wait(0.75)
    assert pace.hold(0.5) == 0.25
    assert pace.hold(1.0) == 0.0


def test_tries_stay_close_together_and_a_wrong_password_is_tried_rarely() -> None:
    assert all(wait_s(n, CameraSilent("")) <= BACKOFF_LONGEST_S for n in range(1, 50))
    assert wait_s(1, CameraUnauthorised("")) == 30
