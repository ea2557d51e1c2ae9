"""How a camera's scripted troubles are noticed: it turns, is knocked, goes dark, is covered.

The clip runs through the camera's own health watch as the agent runs it; its truth says what
happened when. A look counts as astray when it was judged although the camera looked elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import camera_health
from benchmarks.camera_health import ClipHealth
from benchmarks.report_lines import START, camera_of
from benchmarks.truth import DarkAt, Truth, ViewAt, load_truth
from contract.messages import CameraState
from edge_agent.clock import ReplayClock
from edge_agent.config import load_camera
from edge_agent.frames import View
from edge_agent.looks import LookTimer, plans_of
from edge_agent.video import read_clip
from edge_agent.view_files import eyes_of, known_views

PROMISED_S = 30.0
PROMISED_LOOKS = 2
# So long after a trouble's end its alarm may still stand.
LINGERS_S = 10.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What held for one frame, and whether it was looked at."""

    clip_s: float
    view: View
    looked: bool

    @property
    def judged_as(self) -> str | None:
        """The view that a look at this frame is judged in; None where nothing is judged."""
        return None if self.view.suspended is not None else self.view.preset_id or "the only view"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One scripted trouble and how it was noticed; None: never.

    Times count from its start, `well_after_s` from its end, `looks_until_right` from the camera's
    arrival at a preset.
    """

    clip: str
    trouble: str
    start_s: float
    suspended_after_s: float | None
    told_after_s: float | None
    told_as: str | None
    well_after_s: float | None
    looks_until_right: int | None
    looks_astray: int


@dataclass(frozen=True, slots=True)
class ClipTrials:
    """One clip's troubles, and for how long it cried without one."""

    clip: str
    seconds: float
    troubles: tuple[Trouble, ...]
    alarmed_else_s: float

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of all clips: of those with scripted troubles, and of those changed on purpose."""

    trials: tuple[ClipTrials, ...]
    changed: tuple[ClipHealth, ...]

    def summary(self) -> str:
        """Lines for people."""
        parts = [summary(self.trials)] if self.trials else []
        parts += [camera_health.summary(list(self.changed))] if self.changed else []
        return "\n".join(parts)

    def failed(self) -> list[str]:
        """What is worse than promised, in words."""
        return failed(self.trials) + camera_health.failed(list(self.changed))

    def as_json(self) -> dict[str, object]:
        """Everything, with the machine it was measured on."""
        trials = {"trials": [one.as_json() for one in self.trials]} if self.trials else {}
        return camera_health.result(list(self.changed)) | trials


def watch(clips: Sequence[Path]) -> Watched:
    """Watch every clip in its own way. Raises AgentError and TruthError."""
    truths = {clip: truth for clip in clips if (truth := scripted(clip)) is not None}
    others = [clip for clip in clips if clip not in truths]
    return Watched(tuple(measure(truths.items())), tuple(camera_health.measure(others)))


def scripted(clip: Path) -> Truth | None:
    """The truth beside a clip, when it tells of troubles. Raises TruthError."""
    path = clip.with_suffix(".json")
    truth = load_truth(path) if path.exists() else None
    return truth if truth and (truth.views or truth.darks) else None


def measure(clips: Iterable[tuple[Path, Truth]]) -> Iterator[ClipTrials]:
    """Run each clip through its camera's health watch. Raises AgentError."""
    for clip, truth in clips:
        yield found_in(clip.stem, truth, list(moments(clip, truth)))


def moments(clip: Path, truth: Truth) -> Iterator[Moment]:
    """Watch a clip as the agent does: every frame seen, some looked at."""
    path = camera_of(clip, None)
    config = load_camera(path)
    clock, timer = ReplayClock(truth.start_utc or START), LookTimer(plans_of(config))
    eyes = eyes_of(known_views(path, config), config)
    for clip_s, picture in read_clip(clip):
        at = clock.at(clip_s)
        view = eyes.see(picture, at)
        yield Moment(clip_s, view, looked=bool(list(timer.due(at))))


def found_in(clip: str, truth: Truth, seen: Sequence[Moment]) -> ClipTrials:
    """Hold what was seen against the script."""
    ends = [view.start_s - view.turn_s for view in truth.views[1:]] + [truth.seconds]
    troubles = [
        _turned(clip, view, end_s, seen)
        if view.preset
        else _knocked(clip, view.start_s, end_s, seen)
        for view, end_s in zip(truth.views, ends, strict=False)  # no view: nothing ends
    ]
    troubles += [_darkened(clip, dark, seen) for dark in truth.darks]
    calm = [one for one in seen if not _troubled(truth, one.clip_s)]
    alarmed = sum(one.view.state is not CameraState.OK for one in calm)
    alarmed_s = round(alarmed * truth.seconds / max(1, len(seen)), 1)
    return ClipTrials(clip, truth.seconds, tuple(troubles), alarmed_s)


def _troubled(truth: Truth, clip_s: float) -> bool:
    spans = [(view.start_s - view.turn_s, view.start_s) for view in truth.views if view.preset]
    spans += [(view.start_s, truth.seconds) for view in truth.views if not view.preset]
    spans += [(dark.start_s, dark.end_s) for dark in truth.darks]
    return any(start_s <= clip_s < end_s + LINGERS_S for start_s, end_s in spans)


def _turned(clip: str, view: ViewAt, end_s: float, seen: Sequence[Moment]) -> Trouble:
    """The camera turns to a preset; on its way it looks at none."""
    leaves_s = view.start_s - view.turn_s
    way = [one for one in seen if leaves_s < one.clip_s < view.start_s]
    there = [one for one in seen if view.start_s <= one.clip_s < end_s]
    looks = [one.judged_as for one in there if one.looked]
    right = looks.index(view.preset) + 1 if view.preset in looks else None
    wrong = sum(one not in (None, view.preset) for one in looks)
    astray = wrong + sum(one.looked and one.judged_as is not None for one in way)
    told, told_as = _told(way + there, leaves_s)
    return Trouble(
        clip, f"turned to {view.preset}", leaves_s, _suspended(way + there, leaves_s),
        told, told_as, _well(there, view.start_s), right, astray,
    )  # fmt: skip


def _knocked(clip: str, start_s: float, end_s: float, seen: Sequence[Moment]) -> Trouble:
    """The camera looks elsewhere for good."""
    after = [one for one in seen if start_s <= one.clip_s < end_s]
    astray = sum(one.looked and one.judged_as is not None for one in after)
    told, told_as = _told(after, start_s)
    suspended = _suspended(after, start_s)
    return Trouble(clip, "knocked", start_s, suspended, told, told_as, None, None, astray)


def _darkened(clip: str, dark: DarkAt, seen: Sequence[Moment]) -> Trouble:
    """The camera sees nothing for a while."""
    during = [one for one in seen if dark.start_s <= one.clip_s < dark.end_s]
    after = [one for one in seen if one.clip_s >= dark.end_s]
    astray = sum(one.looked and one.judged_as is not None for one in during)
    told, told_as = _told(during, dark.start_s)
    return Trouble(
        clip, dark.state.value, dark.start_s, _suspended(during, dark.start_s), told, told_as,
        _well(after, dark.end_s), None, astray,
    )  # fmt: skip


def _suspended(seen: Sequence[Moment], start_s: float) -> float | None:
    return _first(seen, start_s, lambda one: one.view.suspended is not None)


def _well(seen: Sequence[Moment], start_s: float) -> float | None:
    return _first(seen, start_s, lambda one: one.view.suspended is None)


def _told(seen: Sequence[Moment], start_s: float) -> tuple[float | None, str | None]:
    after_s = _first(seen, start_s, lambda one: one.view.state is not CameraState.OK)
    states = [one.view.state.value for one in seen if one.view.state is not CameraState.OK]
    return after_s, states[-1] if states else None


def _first(seen: Sequence[Moment], start_s: float, holds: Callable[[Moment], bool]) -> float | None:
    return next((round(one.clip_s - start_s, 1) for one in seen if holds(one)), None)


def summary(found: Sequence[ClipTrials]) -> str:
    """A line a trouble."""
    lines = []
    for one in found:
        for it in one.troubles:
            line = f"{one.clip}: {it.trouble} at {it.start_s:g} s: not judged after "
            line += f"{_s(it.suspended_after_s)}, told after {_s(it.told_after_s)} as {it.told_as}"
            if it.well_after_s is not None:
                line += f", judged again {it.well_after_s:g} s after its end"
            if it.looks_until_right is not None:
                line += f", right in look {it.looks_until_right}"
            lines.append(f"{line}, {it.looks_astray} looks astray")
        lines.append(f"{one.clip}: {one.alarmed_else_s:g} s of alarm without a trouble")
    return "\n".join(lines)


def failed(found: Sequence[ClipTrials]) -> list[str]:
    """What is worse than promised, in words."""
    complaints = []
    for one in found:
        if one.alarmed_else_s:
            complaints.append(f"{one.clip}: {one.alarmed_else_s:g} s of alarm without a trouble")
        for it in one.troubles:
            complaints += [f"{one.clip}, {it.trouble}: {what}" for what in _worse(it)]
    return complaints


def _worse(it: Trouble) -> Iterator[str]:
    if it.looks_astray:
        yield f"{it.looks_astray} looks were judged in a view that the camera did not show"
    if it.trouble.startswith("turned"):
        if it.looks_until_right is None or it.looks_until_right > PROMISED_LOOKS:
            yield f"the right preset after {it.looks_until_right} looks"
        return
    expected = CameraState.MOVED.value if it.trouble == "knocked" else it.trouble
    if it.told_after_s is None or it.told_after_s > PROMISED_S:
        yield f"told after {_s(it.told_after_s)}"
    elif it.told_as != expected:
        yield f"told as {it.told_as}"
    if it.trouble != "knocked" and it.well_after_s is None:
        yield "never judged again"


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:g} s"
