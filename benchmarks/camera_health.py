"""How soon a camera's own troubles are noticed on real clips, how often falsely, and at what cost.

Each clip is watched a picture a second as it is; then again, with its second half changed.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from benchmarks.machine import this_machine
from contract.messages import CameraState
from edge_agent.clock import ReplayClock
from edge_agent.frames import ArrayPicture, Picture, Rgb
from edge_agent.health import HealthWatch
from edge_agent.known_view import KnownView
from edge_agent.luma import Sample
from edge_agent.video import read_clip

WIDTH = 1280
COST_SAMPLES = 50
PROMISED_S = 30.0
START = datetime(2000, 1, 1, tzinfo=UTC)
Change = Callable[[Rgb], Rgb]


def _warped(
    dx: float = 0.0, dy: float = 0.0, rotation_deg: float = 0.0, zoom: float = 1.0
) -> Change:
    def change(rgb: Rgb) -> Rgb:
        height, width = rgb.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rotation_deg, zoom)
        matrix[:, 2] += (dx * width, dy * height)
        return np.asarray(cv2.warpAffine(rgb, matrix, (width, height)), np.uint8)

    return change


def _lit(gain: float, lift: float) -> Change:
    def change(rgb: Rgb) -> Rgb:
        return np.asarray(cv2.convertScaleAbs(rgb, alpha=gain, beta=lift), np.uint8)

    return change


def _blurred(rgb: Rgb) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.006 * rgb.shape[1]), np.uint8)


CHANGES: dict[str, tuple[Change, CameraState]] = {
    "shifted by 1.5 %": (_warped(dx=0.015), CameraState.MOVED),
    "shifted by 10 %": (_warped(dx=0.1, dy=0.03), CameraState.MOVED),
    "turned by 2°": (_warped(rotation_deg=2), CameraState.MOVED),
    "hanging by 30°": (_warped(rotation_deg=30), CameraState.MOVED),
    "zoomed by 5 %": (_warped(zoom=1.05), CameraState.MOVED),
    "dark": (_lit(0.08, 0), CameraState.DARK),
    "overexposed": (_lit(2.2, 150), CameraState.OVEREXPOSED),
    "out of focus": (_blurred, CameraState.BLURRED),
    "covered": (_lit(0.015, 120), CameraState.COVERED),
    "frozen": (lambda rgb: rgb, CameraState.FROZEN),
}


@dataclass(frozen=True, slots=True)
class Noticed:
    """One change on one clip: the state that was told, and after how many seconds; None: never."""

    clip: str
    change: str
    state: str
    as_expected: bool
    suspended_after_s: float | None
    told_after_s: float | None


@dataclass(frozen=True, slots=True)
class ClipHealth:
    """One clip as it is, and changed."""

    clip: str
    seconds: int
    suspended_s: int
    alarms: int
    sample_us: float
    noticed: tuple[Noticed, ...]

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def measure(clips: Iterable[Path]) -> Iterator[ClipHealth]:
    """Watch each clip. Raises CameraError for one that cannot be read."""
    for clip in clips:
        pictures = [_array(picture) for picture in _a_second(clip)]
        quiet = _watched(ArrayPicture(rgb) for rgb in pictures)
        yield ClipHealth(
            clip=clip.stem,
            seconds=len(pictures),
            suspended_s=sum(one[1] is not None for one in quiet),
            alarms=sum(one[0] is not CameraState.OK for one in quiet),
            sample_us=_cost_us(pictures),
            noticed=tuple(_noticed(clip.stem, pictures, name) for name in CHANGES),
        )


def summary(found: list[ClipHealth]) -> str:
    """A line a clip, then a line a kind of change."""
    lines = [
        f"{one.clip}: {one.seconds} s, suspended for {one.suspended_s} s, {one.alarms} s of alarm, "
        f"{one.sample_us:.0f} us CPU a sample"
        for one in found
    ]
    every = [noticed for one in found for noticed in one.noticed]
    for name in CHANGES:
        mine = [noticed for noticed in every if noticed.change == name]
        right = sum(noticed.as_expected for noticed in mine)
        told = [one.told_after_s for one in mine if one.told_after_s is not None]
        slowest = f", told after {max(told):.0f} s at most" if told else ""
        lines.append(f"{name}: {right} of {len(mine)} told as they are{slowest}")
    return "\n".join(lines)


def failed(found: list[ClipHealth]) -> list[str]:
    """What is worse than promised, in words."""
    complaints = [f"{one.clip}: {one.alarms} s of alarm as it is" for one in found if one.alarms]
    for one in found:
        for noticed in one.noticed:
            late = noticed.told_after_s is None or noticed.told_after_s > PROMISED_S
            if late and one.seconds // 2 > PROMISED_S:
                complaints.append(
                    f"{one.clip}, {noticed.change}: told after {noticed.told_after_s} s"
                )
    return complaints


def result(found: list[ClipHealth]) -> dict[str, object]:
    """Everything, with the machine it was measured on."""
    clips = [one.as_json() for one in found]
    return {"machine": this_machine().as_json(), "clips": clips}


def _a_second(clip: Path) -> Iterator[Picture]:
    count = 0
    for clip_s, picture in read_clip(clip):
        if clip_s >= count:
            count += 1
            yield picture


def _array(picture: Picture) -> Rgb:
    return picture.rgb(WIDTH, round(WIDTH * picture.height / picture.width))


def _watched(pictures: Iterable[Picture]) -> list[tuple[CameraState, str | None]]:
    watch, clock = HealthWatch([KnownView()]), ReplayClock(START)
    views = [watch.see(picture, clock.at(second)) for second, picture in enumerate(pictures)]
    return [(view.state, view.suspended) for view in views]


def _noticed(clip: str, pictures: list[Rgb], name: str) -> Noticed:
    change, expected = CHANGES[name]
    half = len(pictures) // 2
    after = pictures[half:]
    if expected is CameraState.FROZEN:
        after = [pictures[half]] * len(after)
    changed = _watched(
        ArrayPicture(rgb) for rgb in (*pictures[:half], *(change(rgb) for rgb in after))
    )[half:]
    suspended = next((s for s, one in enumerate(changed) if one[1] is not None), None)
    told = next((s for s, one in enumerate(changed) if one[0] is not CameraState.OK), None)
    state = changed[-1][0]
    return Noticed(clip, name, state.value, state is expected, suspended, told)


def _cost_us(pictures: list[Rgb]) -> float:
    """CPU time of one sample with its comparison, the median of many, microseconds."""
    cv2.setNumThreads(1)
    view, costs = KnownView(), []
    for rgb in (pictures * COST_SAMPLES)[:COST_SAMPLES]:
        began_s = time.process_time()
        sample = Sample.of(ArrayPicture(rgb))
        view.compare(sample, closely=False)
        view.learn(sample)
        costs.append(time.process_time() - began_s)
    return round(median(costs) * 1e6)
