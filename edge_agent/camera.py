"""One camera: stream or file → packets → decoded frames, again and again until it is stopped.

Each camera has one thread, one single-threaded decoder and its own troubles: whatever a stream
does (refuses, stalls, sends garbage, changes its size) ends as a `CameraError` of this camera,
from which `Camera.run` recovers by itself.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from contract.messages import CameraState
from edge_agent.addresses import is_live, redacted
from edge_agent.backoff import backoff_s
from edge_agent.clock import Clock, Instant
from edge_agent.config import CameraConfig, Stream
from edge_agent.core_turns import CoreTurns
from edge_agent.decoding import DecodeGate, DecodePolicy
from edge_agent.errors import (
    CameraError,
    CameraSilent,
    CameraUnauthorised,
    CameraUnreachable,
    ConfigError,
    VideoUnreadable,
)
from edge_agent.frames import Frame
from edge_agent.packet_ring import PacketRing
from edge_agent.video import DEFAULT_TIMEOUTS, Packet, Timeouts, Video, VideoPicture, kept
from edge_agent.yaml_file import resolve_secrets

BACKOFF_FIRST_S = 0.5
# With about 1 s to open a stream and 1 s to its first key frame this keeps the promise that a
# camera is back within 5 s of its return, however long it was away.
BACKOFF_LONGEST_S = 2.5
# A wrong password needs a person; asking often locks accounts on many cameras.
BACKOFF_UNAUTHORISED_S = 30.0
# Packets may come for so many read timeouts before the first picture: some cameras send a key
# frame only every 20 s.
PICTURELESS_READS = 3
# A timestamp that jumps further than this begins a new time line (joined files, camera restarts).
JUMP_S = 5.0
ARRIVALS_KEPT = 64
# So many frames that nobody looks at wait to be decoded together: a third of a second at 25
# frames/s, and no more than the next look has time for.
BURST = 8
# What waits is decoded one frame before the next look's, so that the look waits for its own only.
SOON = 1.5
SPACING_PACE = 0.1


@dataclass(frozen=True, slots=True)
class Source:
    """Where a camera's video comes from; `shown` is what messages say about it."""

    camera_id: str
    stream: Stream

    @classmethod
    def of(cls, path: Path, config: CameraConfig) -> Self:
        """Take a camera file's detect stream; a file in it lies relative to the camera file.

        Raises ConfigError when the file names no stream.
        """
        if config.streams is None:
            raise ConfigError(f"{path}: has no streams; running needs streams.detect.url")
        return cls(config.camera.id, config.streams.detect).beside(path)

    @classmethod
    def evidence_of(cls, path: Path, config: CameraConfig) -> Self | None:
        """Take a camera file's evidence stream, where it names one."""
        stream = config.streams.evidence if config.streams else None
        return None if stream is None else cls(config.camera.id, stream).beside(path)

    def beside(self, path: Path) -> Self:
        """Find a file relative to the camera file that names it."""
        if self.live:
            return self
        url = str(path.resolve().parent / self.stream.url)
        return replace(self, stream=self.stream.model_copy(update={"url": url}))

    @property
    def live(self) -> bool:
        """Whether this is a network stream, which has its own pace and no end."""
        return is_live(self.stream.url) or "${secret:" in self.stream.url

    @property
    def shown(self) -> str:
        """The camera and its address as the YAML has it: secrets stand there by name only."""
        return f"camera {self.camera_id} ({redacted(self.stream.url)})"

    def url(self) -> str:
        """Return the address with its secrets. Raises ConfigError where one is not set."""
        return resolve_secrets(self.stream.url, f"camera {self.camera_id}")


class Pace:
    """Holds a file back to real time, by its decoding timestamps."""

    def __init__(self, clock: Clock, wait: Callable[[float], object]) -> None:
        self._clock = clock
        self._wait = wait
        self._zero_s: float | None = None

    def hold(self, stamp_s: float | None) -> float:
        """Wait until `stamp_s` is due; returns how late it is then, in seconds.

        A jump of the time line starts it anew.
        """
        if stamp_s is None:
            return 0.0
        now_s = self._clock.now().monotonic_s
        if self._zero_s is None or abs(self._zero_s + stamp_s - now_s) > JUMP_S:
            self._zero_s = now_s - stamp_s
        due_s = self._zero_s + stamp_s
        if due_s > now_s:
            self._wait(due_s - now_s)
        return max(0.0, self._clock.now().monotonic_s - due_s)


@dataclass(slots=True)
class CameraCounts:
    """What one camera did since the agent started; read by others, written by its thread."""

    frames: int = 0
    corrupt: int = 0
    reconnects: int = 0
    keyframes_only: bool = False
    # Frames passed over because we had fallen behind the camera, and when the last one was.
    passed_over: int = 0
    behind_at: Instant | None = None
    last_frame_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class CameraSinks:
    """Where a camera's frames, its state (with the reason in words) and its packets go.

    `wait_s` tells how long from a moment on no frame is needed; `turns` are those of all cameras
    that share the cores.
    """

    on_frame: Callable[[Frame], None]
    on_state: Callable[[CameraState, str], None]
    ring: PacketRing | None = None
    wait_s: Callable[[Instant], float] = lambda _: 0.0
    turns: CoreTurns = field(default_factory=CoreTurns)


@dataclass(slots=True)
class _Playing:
    """One connection from its opening to its end."""

    video: Video
    began: Instant
    gate: DecodeGate
    arrivals: dict[int, Instant] = field(default_factory=dict)
    last_picture: Instant | None = None
    last_packet: Instant | None = None
    spacing_s: float = 0.0
    pending: list[Packet] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether the next burst is as long as it may be, or nothing was decoded yet."""
        return self.last_picture is None or len(self.pending) >= BURST

    def arrived(self, packet: Packet, at: Instant) -> None:
        """Remember when the packet of a presentation time came, for the frame made from it."""
        if self.last_packet is not None:
            apart_s = at.seconds_since(self.last_packet)
            self.spacing_s += (
                SPACING_PACE * (apart_s - self.spacing_s) if self.spacing_s else apart_s
            )
        self.last_packet = at
        if packet.pts is not None:
            self.arrivals[packet.pts] = at
            if len(self.arrivals) > ARRIVALS_KEPT:
                del self.arrivals[next(iter(self.arrivals))]

    def skipped(self, at: Instant) -> None:
        """Remember that no picture was wanted, nor those that wait: then none is missing."""
        self.pending.clear()
        if self.last_picture is not None:
            self.last_picture = at

    def arrival_of(self, picture: VideoPicture, latest: Instant) -> Instant:
        """Return when the packet of this picture came; a picture without timestamp came last."""
        return latest if picture.pts is None else self.arrivals.pop(picture.pts, latest)


class Camera:
    """Plays one source until it is stopped, reconnecting with back-off and jitter."""

    def __init__(
        self,
        source: Source,
        policy: DecodePolicy,
        sinks: CameraSinks,
        clock: Clock,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        counts: CameraCounts | None = None,
    ) -> None:
        self.source = source
        self.counts = counts or CameraCounts()
        self._policy = policy
        self._sinks = sinks
        self._clock = clock
        self._timeouts = timeouts
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Play until `stop`, or until a file that is not looped has ended."""
        while not stop.is_set():
            try:
                if self._play(stop) and not self.source.stream.loop:
                    self._sinks.on_state(CameraState.OFFLINE, f"{self.source.shown}: file ended")
                    return
            except CameraError as error:
                self._failures += 1
                self.counts.reconnects += 1
                delay_s = wait_s(self._failures, error)
                detail = f"{error}; next try in {delay_s:.1f} s"
                self._sinks.on_state(CameraState.OFFLINE, detail)
                stop.wait(delay_s)

    def _play(self, stop: threading.Event) -> bool:
        """Play one connection; return True when a file came to its end."""
        source = self.source
        self._sinks.on_state(CameraState.CONNECTING, "")
        pace = None if source.live else Pace(self._clock, stop.wait)
        stream = source.stream
        with Video(
            source.url(), source.shown, stream.transport, self._timeouts, stream.decoder
        ) as video:
            gate = DecodeGate(self._policy, self._sinks.wait_s)
            playing = _Playing(video, self._clock.now(), gate)
            if self._sinks.ring:
                self._sinks.ring.begin(video.format)
            for packet in video.packets():
                late_s = 0.0 if pace is None else pace.hold(video.seconds(packet.dts))
                if stop.is_set():
                    return False
                self._take(playing, packet, late_s)
        if source.live:
            raise CameraUnreachable(f"{source.shown}: the camera ended the stream")
        if playing.last_picture is None:
            raise VideoUnreadable(f"{source.shown}: not one picture in it could be decoded")
        return True

    def _take(self, playing: _Playing, packet: Packet, late_s: float) -> None:
        """Take a packet; one that is read `late_s` after it was due is so much older."""
        at = self._clock.now()
        playing.arrived(packet, at.plus(-late_s) if late_s else at)
        if self._sinks.ring:
            self._sinks.ring.add(kept(packet, at))
        keyframe = bool(packet.is_keyframe and packet.size)
        verdict = playing.gate.verdict(at, playing.video.seconds(packet.dts), keyframe=keyframe)
        self.counts.keyframes_only = playing.gate.keyframes_only
        if verdict == "skip" and packet.size:
            if playing.gate.behind:
                self.counts.passed_over += 1
                self.counts.behind_at = at
            playing.skipped(at)
            return
        if verdict == "alone":
            playing.pending.clear()
        playing.pending.append(packet)
        alone = verdict == "alone"
        urgent = alone or self._is_soon(playing, at) or not packet.size
        if urgent or playing.is_full:
            with self._sinks.turns.turn(urgent=urgent):
                self._decode_pending(playing, at, alone=alone)
        self._check_pictures(playing, at)

    def _is_soon(self, playing: _Playing, at: Instant) -> bool:
        """Whether this frame or the next one is needed."""
        return self._sinks.wait_s(at) <= SOON * playing.spacing_s

    def _decode_pending(self, playing: _Playing, at: Instant, *, alone: bool) -> None:
        """Decode what has gathered, at the latest when the next frame will be needed.

        In a burst the decoder's tables and pictures stay in the processor's caches.
        """
        corrupt = playing.video.corrupt
        for packet in playing.pending:
            for picture in playing.video.decode(packet, alone=alone):
                self._deliver(playing, picture, at)
        playing.pending.clear()
        self.counts.corrupt += playing.video.corrupt - corrupt

    def _deliver(self, playing: _Playing, picture: VideoPicture, at: Instant) -> None:
        if playing.last_picture is None:
            self._failures = 0
            fallback = playing.video.fallback
            detail = f"{self.source.shown}: decoded in software: {fallback}" if fallback else ""
            self._sinks.on_state(CameraState.OK, detail)
        playing.last_picture = at
        arrived = playing.arrival_of(picture, at)
        self.counts.frames += 1
        self.counts.last_frame_at = arrived
        self._sinks.on_frame(Frame(self.source.camera_id, arrived, picture))

    def _check_pictures(self, playing: _Playing, at: Instant) -> None:
        """Give up a stream whose packets come but make no picture."""
        limit_s = max(PICTURELESS_READS * self._timeouts.read_s, 2 * playing.gate.distance_s)
        if self.source.live and at.seconds_since(playing.last_picture or playing.began) > limit_s:
            raise CameraSilent(
                f"{self.source.shown}: packets come, but none made a picture for {limit_s:.0f} s"
            )


def wait_s(failures: int, error: CameraError) -> float:
    """Return how long to wait after the n-th failure in a row."""
    if isinstance(error, CameraUnauthorised):
        return BACKOFF_UNAUTHORISED_S
    return backoff_s(failures, BACKOFF_FIRST_S, BACKOFF_LONGEST_S)
