"""Whether a camera is well, and looks where its zones and ground points say it does.

One small grey picture a second is measured: dark, overexposed, covered, blurred, frozen, moved. At
the first doubt looks are no longer judged; an alarm needs doubt for seconds, and so does its end.
A turning camera's presets are told apart by picture. Pure: time comes with the frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contract.messages import CameraState
from edge_agent.clock import Instant
from edge_agent.edges import Luma, Match, Shift
from edge_agent.frames import Picture, View
from edge_agent.known_view import KnownView, in_place
from edge_agent.luma import Sample

SAMPLE_EVERY_S = 1.0
# Where looks are rarer and key frames are all that is decoded, samples may be so far apart.
SAMPLE_AT_LEAST_S = 10.0
# Most samples only count what is in place; so often, and while in doubt, shifts are measured.
MEASURED_EVERY_S = 5.0
# Doubt without a good sample for so long is an alarm; so long without doubt ends it.
ALARM_AFTER_S = 10.0
WELL_AFTER_S = 5.0
# A camera that turns may be on its way, or somebody may look around with it.
TURNING_ALARM_AFTER_S = 25.0
# The same picture for so long and so many samples; an outage between two is none of it.
FROZEN_AFTER_S = 20.0
FROZEN_SAMPLES = 10
# A preset is believed when so many samples in a row show it.
PRESET_SAMPLES = 2

# Sharpness below this share of what is usual, or below this where nothing is known yet.
BLURRED_SHARE = 0.3
BLURRED = 0.15
# Structure in less than this share of the tiles that had some; few tiles tell nothing.
COVERED_SHARE = 0.15
STRUCTURED_TILES = 20

# Less turning and zoom than this is not worth a word.
SHOWN_DEG = 0.5
SHOWN_ZOOM = 0.01

Doubt = tuple[CameraState, str]

WORDS = {
    CameraState.DARK: "画面过暗 too dark to see anything",
    CameraState.OVEREXPOSED: "画面过曝 much of the picture is white",
    CameraState.COVERED: "镜头被遮挡 what was in the picture is gone: the lens seems covered",
    CameraState.BLURRED: "画面模糊 out of focus, or the lens is dirty",
    CameraState.FROZEN: "画面冻结 the picture does not change at all",
}
UNKNOWN_VIEW = "画面已变 nothing of the known view is found: the camera was turned or blocked"
NO_PRESET = "不在任何预置位 the camera looks at none of its presets"
TURNING = "转动中 the camera is turning to a preset"


class HealthWatch:
    """Watches one camera's pictures; for one thread, frames in order."""

    def __init__(
        self, views: Sequence[KnownView], *, turning: bool = False, every_s: float = SAMPLE_EVERY_S
    ) -> None:
        """Watch against known views: one of a fixed camera, one a preset of a turning camera."""
        self.views = tuple(views)
        self._turning = turning
        self._every_s = min(every_s, SAMPLE_EVERY_S) if turning else SAMPLE_EVERY_S
        self._active: KnownView | None = None if turning else self.views[0]
        self._candidate: KnownView | None = None
        self._candidate_samples = 0
        self._sampled: Instant | None = None
        self._measured: Instant | None = None
        self._still: tuple[Luma, Instant] | None = None
        self._still_samples = 0
        self._alarm = _Alarm(TURNING_ALARM_AFTER_S if turning else ALARM_AFTER_S)
        self._view: View | None = None

    def wait_s(self, at: Instant) -> float:
        """Return how long from `at` on no frame is needed for this."""
        if self._sampled is None or self._turning:
            return 0.0
        doubted = self._view is None or self._view.suspended is not None
        longest_s = SAMPLE_EVERY_S if doubted else SAMPLE_AT_LEAST_S
        return max(0.0, longest_s - at.seconds_since(self._sampled))

    def see(self, picture: Picture, at: Instant) -> View:
        """Take a frame; most cost nothing, one a second is measured. Returns what holds for it."""
        due = self._sampled is None or at.seconds_since(self._sampled) >= self._every_s - 0.01
        if self._view is None or due or self._sampled is None:
            self._sampled = at
            self._view = self._viewed(Sample.of(picture), at)
        return self._view

    def _viewed(self, sample: Sample, at: Instant) -> View:
        doubt = self._fault(sample) or self._misplaced(sample, at) or self._frozen(sample, at)
        self._alarm.take(doubt, at)
        if doubt is None and self._active is not None:
            self._active.learn(sample)
        state = self._alarm.state
        suspended = state if state is not CameraState.OK else doubt[0] if doubt else None
        preset = self._active.preset_id if self._active and not doubt else None
        return View(
            state=state,
            since=self._alarm.since or at,
            detail=self._alarm.detail,
            suspended=None if suspended is None else suspended.value,
            preset_id=preset,
        )

    # -- what can be wrong with a picture

    def _fault(self, sample: Sample) -> Doubt | None:
        usual = self._active or self.views[0]
        tiles, sharpness = usual.usual_tiles, usual.usual_sharpness(sample)
        if sharpness is not None:
            blurred = BLURRED_SHARE * sharpness
        else:
            blurred = BLURRED if sample.edges.textured >= STRUCTURED_TILES else 0.0
        checks = (
            (CameraState.DARK, sample.dark),
            (CameraState.OVEREXPOSED, sample.overexposed),
            (
                CameraState.COVERED,
                tiles >= STRUCTURED_TILES and sample.edges.textured < COVERED_SHARE * tiles,
            ),
            (CameraState.BLURRED, sample.sharpness < blurred),
        )
        return next(((state, WORDS[state]) for state, wrong in checks if wrong), None)

    def _frozen(self, sample: Sample, at: Instant) -> Doubt | None:
        if self._still is None or not sample.same_as(self._still[0]):
            self._still, self._still_samples = (sample.luma, at), 0
        self._still_samples += 1
        long = at.seconds_since(self._still[1]) >= FROZEN_AFTER_S
        if not long or self._still_samples < FROZEN_SAMPLES:
            return None
        return CameraState.FROZEN, WORDS[CameraState.FROZEN]

    def _misplaced(self, sample: Sample, at: Instant) -> Doubt | None:
        """Look whether the camera is where it was, or at another of its presets."""
        found = Match(0.0)
        if self._active is not None:
            closely = self._measured is None or at.seconds_since(self._measured) >= MEASURED_EVERY_S
            found = self._active.compare(sample, closely=closely)
            if in_place(found):
                self._measured = at if closely else self._measured
                self._candidate = None
                return None
        if not self._turning:
            self.views[0].begin_anew()
            return CameraState.MOVED, _moved_words(found.shift)
        return self._turned(sample)

    def _turned(self, sample: Sample) -> Doubt | None:
        self._active = None
        seen = next((one for one in self.views if in_place(one.compare(sample))), None)
        same = seen is not None and seen is self._candidate
        self._candidate, self._candidate_samples = seen, self._candidate_samples + 1 if same else 1
        if seen is None:
            return CameraState.MOVED, NO_PRESET
        if self._candidate_samples < PRESET_SAMPLES:
            return CameraState.MOVED, TURNING
        self._active, self._candidate = seen, None
        return None


@dataclass(slots=True)
class _Alarm:
    """From doubts to a state that lasts: raised and ended only after seconds."""

    after_s: float
    state: CameraState = CameraState.OK
    detail: str = ""
    since: Instant | None = None
    _doubted: Instant | None = None
    _well: Instant | None = None

    def take(self, doubt: Doubt | None, at: Instant) -> None:
        """Take one sample's doubt, or that there is none."""
        if doubt is None:
            self._doubted = None
            self._well = self._well or at
            if self.state is not CameraState.OK and at.seconds_since(self._well) >= WELL_AFTER_S:
                self._become(CameraState.OK, "", at)
            return
        self._well = None
        self._doubted = self._doubted or at
        # What is frozen was watched for long enough already.
        waited = at.seconds_since(self._doubted) >= self.after_s or doubt[0] is CameraState.FROZEN
        if waited:
            self._become(*doubt, at)

    def _become(self, state: CameraState, detail: str, at: Instant) -> None:
        if state is not self.state:
            self.state, self.since = state, at
            self.detail = detail


def _moved_words(shift: Shift | None) -> str:
    if shift is None:
        return UNKNOWN_VIEW
    parts = [
        f"{'右 right' if shift.dx > 0 else '左 left'} {abs(shift.dx):.1%}",
        f"{'下 down' if shift.dy > 0 else '上 up'} {abs(shift.dy):.1%}",
    ]
    if abs(shift.rotation_deg) >= SHOWN_DEG:
        parts.append(f"旋转 turned {shift.rotation_deg:+.1f}°")
    if abs(shift.zoom - 1) >= SHOWN_ZOOM:
        parts.append(f"缩放 zoomed ×{shift.zoom:.2f}")
    return f"摄像机被移动 the camera was moved; 画面移位 its picture shifted {', '.join(parts)}"
