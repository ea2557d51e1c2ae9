"""What the agent knows about one camera while it runs: its state, its looks, its health."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from contract.messages import CameraHealth, CameraState, EvidenceRef
from edge_agent.camera import CameraCounts
from edge_agent.changes import ChangeWatch
from edge_agent.clock import Clock, Instant
from edge_agent.frames import Frame, View
from edge_agent.health import HealthWatch
from edge_agent.looks import LookPlan, LookTimer

RATE_OVER_S = 10.0
# A camera that had to skip to a key frame so recently is not kept up with.
BEHIND_SHOWN_S = 30.0
_RETRY = "; next try in"


@dataclass(frozen=True, slots=True)
class CameraNow:
    """One camera at one moment, for metrics and health."""

    camera_id: str
    state: CameraState
    detail: str
    since: Instant
    frames: int
    corrupt: int
    reconnects: int
    keyframes_only: bool
    passed_over: int
    behind_at: Instant | None
    looks: int
    dropped: int
    stretch: float
    last_frame_at: Instant | None
    suspended: bool = False
    preset_id: str | None = None


@dataclass(frozen=True, slots=True)
class EngineHooks:
    """What is asked of the engine: to look at a frame, how far intervals are stretched, and when.

    `turn` is the camera's part of each interval; see `LookTimer`.
    """

    offer: Callable[[Frame, LookPlan], None]
    stretch: Callable[[], float] = lambda: 1.0
    turn: float | None = None


class Watching:
    """Takes a camera's frames and states, offers what is due, and says how the camera is."""

    def __init__(
        self,
        camera_id: str,
        plans: tuple[LookPlan, ...],
        engine: EngineHooks,
        on_change: Callable[["Watching"], None],
        clock: Clock,
        eyes: HealthWatch | None = None,
    ) -> None:
        self.camera_id = camera_id
        self.counts = CameraCounts()
        self._timer = LookTimer(plans, engine.turn)
        self._plans = len(plans)
        self._engine = engine
        self._changes = ChangeWatch()
        self._on_change = on_change
        self._clock = clock
        self._eyes = eyes
        self._view: View | None = None
        self._picture: EvidenceRef | None = None
        self._lock = threading.Lock()
        self._state = CameraState.CONNECTING
        self._detail = ""
        self._since = clock.now()
        self._offered = 0
        self._looks = 0
        self._rate_from = (self._since, 0)
        self._rate_per_s = 0.0

    def on_frame(self, frame: Frame) -> None:
        """Offer the frame, with what its picture says of the camera, to each look that is due."""
        if self._eyes is not None:
            frame = replace(frame, view=self._seen(self._eyes, frame))
        changed = partial(self._changes.changed, picture=frame.picture)
        for plan in self._timer.due(frame.at, self._engine.stretch(), changed):
            self._offered += 1
            self._engine.offer(frame, plan)

    def wait_s(self, at: Instant) -> float:
        """Return how long from `at` on no frame is needed."""
        looks_s = self._timer.wait_s(at)
        return looks_s if self._eyes is None else min(looks_s, self._eyes.wait_s(at))

    def look_now(self) -> None:
        """Make every look due with the next frame, whatever its interval; any thread."""
        self._timer.hurry()

    def on_look(self) -> None:
        """Count a look that was judged."""
        with self._lock:
            self._looks += 1

    def on_state(self, state: CameraState, detail: str) -> None:
        """Take the camera's word; trying again is no change while it stays away."""
        with self._lock:
            if self._state is CameraState.OFFLINE and state is CameraState.CONNECTING:
                return
            same = (state, _cause(detail)) == (self._state, _cause(self._detail))
            self._detail = detail
            if same:
                return
            if state is not self._state:
                self._since = self._clock.now()
            self._state = state
        self._on_change(self)

    def now(self) -> CameraNow:
        """Return everything at this moment; what the picture says counts while there is one."""
        with self._lock:
            view = self._view if self._state is CameraState.OK else None
            ill = view is not None and view.state is not CameraState.OK
            return CameraNow(
                camera_id=self.camera_id,
                state=view.state if view else self._state,
                detail=f"camera {self.camera_id}: {view.detail}" if view and ill else self._detail,
                since=max(view.since, self._since, key=_utc) if view else self._since,
                frames=self.counts.frames,
                corrupt=self.counts.corrupt,
                reconnects=self.counts.reconnects,
                keyframes_only=self.counts.keyframes_only,
                passed_over=self.counts.passed_over,
                behind_at=self.counts.behind_at,
                looks=self._looks,
                # What was offered and neither judged nor still waits in its slot.
                dropped=max(0, self._offered - self._looks - self._plans),
                stretch=self._engine.stretch(),
                last_frame_at=self.counts.last_frame_at,
                suspended=view is not None and view.suspended is not None,
                preset_id=view.preset_id if view else None,
            )

    def health(self, agent_id: str) -> CameraHealth:
        """Say it in the contract's words."""
        now = self.now()
        return CameraHealth(
            agent_id=agent_id,
            camera_id=self.camera_id,
            state=now.state,
            since=now.since.utc,
            detail=now.detail,
            looks_per_s=round(self._rate(), 2),
            interval_stretch=round(max(1.0, now.stretch), 2),
            dropped_frames=now.dropped,
            reconnects=now.reconnects,
            last_frame_at=now.last_frame_at.utc if now.last_frame_at else None,
            preset_id=now.preset_id,
            picture=self._picture if now.state is CameraState.MOVED else None,
        )

    def on_picture(self, picture: EvidenceRef) -> None:
        """Take the masked picture of what a moved camera now shows; its health names it."""
        self._picture = picture

    def _seen(self, eyes: HealthWatch, frame: Frame) -> View:
        view = eyes.see(frame.picture, frame.at)
        with self._lock:
            before, self._view = self._view, view
        known = before.state if before else CameraState.OK
        if view.state is not known:
            self._on_change(self)
        return view

    def _rate(self) -> float:
        """Looks a second, over at least RATE_OVER_S."""
        at, (since, looks) = self._clock.now(), self._rate_from
        if (elapsed_s := at.seconds_since(since)) >= RATE_OVER_S:
            self._rate_per_s = (self._looks - looks) / elapsed_s
            self._rate_from = (at, self._looks)
        return self._rate_per_s


def fallen_behind(at: Instant, cameras: Iterable[CameraNow]) -> str:
    """Say in words which cameras are not kept up with; empty while all are."""
    late = [
        one.camera_id
        for one in cameras
        if one.behind_at is not None and at.seconds_since(one.behind_at) < BEHIND_SHOWN_S
    ]
    if not late:
        return ""
    return (
        f"more than a second behind, and skipped to key frames: {', '.join(late)}; decoding or the "
        "line is too slow: use substreams, or move cameras away"
    )


def _utc(at: Instant) -> datetime:
    return at.utc


def _cause(detail: str) -> str:
    return detail.partition(_RETRY)[0]
