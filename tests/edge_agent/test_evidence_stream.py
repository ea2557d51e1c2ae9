"""The second stream fills the ring, through outages, and decodes nothing."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.camera import Source
from edge_agent.clock import SystemClock
from edge_agent.config import Stream
from edge_agent.evidence_stream import EvidenceStream
from edge_agent.packet_ring import PacketRing
from edge_agent.video import Timeouts, VideoPicture

Until = Callable[..., None]


def start(url: str, ring: PacketRing, **how: Any) -> tuple[EvidenceStream, Callable[[], None]]:
    stream = EvidenceStream(
        Source("cam-01", Stream(url=url, **how)), ring, SystemClock(), Timeouts(3, 0.7)
    )
    stop = threading.Event()
    thread = threading.Thread(target=stream.run, args=(stop,))
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()

    return stream, end


def test_a_file_is_played_at_its_own_pace_and_looped(
    clip: Callable[..., Path], until: Until
) -> None:
    ring, clock = PacketRing(10, 1_000_000), SystemClock()
    began = clock.now()
    _, end = start(str(clip(frames=10)), ring, loop=True)
    until(lambda: (f := ring.footage(began, clock.now())) and len(f.packets) >= 5, "packets")
    until(lambda: (f := ring.footage(began, clock.now())) and len(f.packets) <= 4, "a new round")
    end()


def test_a_stream_that_breaks_off_is_found_again(
    clip: Callable[..., Path], rtsp: Callable[..., Any], until: Until
) -> None:
    server = rtsp(cam=clip(frames=100))
    ring = PacketRing(10, 1_000_000)
    stream, end = start(server.url("cam"), ring)
    until(lambda: ring.bytes > 0, "packets come")
    server.kill()
    until(lambda: "evidence stream: camera cam-01" in stream.trouble, "the trouble is named")
    server.start()
    until(lambda: stream.trouble == "", "packets come again")
    end()


def test_nothing_is_decoded(clip: Callable[..., Path], until: Until, monkeypatch: Any) -> None:
    def never(*_: object, **__: object) -> list[VideoPicture]:
        raise AssertionError("a packet was decoded")

    monkeypatch.setattr("edge_agent.video.Video.decode", never)
    ring = PacketRing(10, 1_000_000)
    _, end = start(str(clip(frames=10)), ring, loop=True)
    until(lambda: ring.bytes > 0, "packets")
    end()
