"""A week of quiet streets in compressed time: how often the whole chain cries wolf.

Frames of fixed cameras, in their order and over and over, stand for days with their lights (those
of the virtual block are rendered in one and keep it): every
look goes through the judge with the shipped rules, on a clock of its own. Everything raised is
false, but for spots that a person has looked at and found to be real (`quiet_known.yaml`). The
frames are few, so what matters is how many *spots* are raised; a spot that stands is raised again
after every change of light, and counts each time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from benchmarks.machine import this_machine
from benchmarks.quiet_footage import LIGHTS, Found, QuietCamera, in_light, pictures
from benchmarks.rates import poisson_interval
from contract.catalogue import Category
from contract.messages import Phase
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.detections import Detections
from edge_agent.frames import ArrayPicture, Frame, Rgb
from edge_agent.issues import Transition
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.looks import Look, LookTimer, plans_of
from edge_agent.model import ModelCard
from edge_agent.observations import FAINT_SHARE, same_place
from edge_agent.zones import Box

KNOWN = Path(__file__).with_name("quiet_known.yaml")
START = datetime(2026, 6, 29, 0, 0, tzinfo=UTC)  # a Monday
# Compressed: the few frames of a camera come round in minutes, so each light of a day lasts only
# as long as the longest dwell time six times over, and a look every five seconds stands for the
# shipped five a second. Frames change as often: at that pace they were taken.
DAY = (("night", 3600.0), ("dusk", 1800.0), ("day", 3600.0), ("dusk", 1800.0))
RAINY_DAYS = {2, 5}
EVERY_S = 5.0
THUMB = (300, 190)
_DARK = ArrayPicture(np.zeros((360, 640, 3), np.uint8))

Looked = dict[tuple[int, int], Detections]


@dataclass(frozen=True, slots=True)
class Hit:
    """Something raised on a quiet street; `known` when a person found it to be real."""

    camera: str
    trained: bool
    category: str
    light: str
    day: int
    frame: str
    box_xyxyn: Box
    score: float
    reopened: bool
    known: str | None


@dataclass(frozen=True, slots=True)
class KnownSpot:
    """A place at which a person saw that what is raised is there."""

    camera: str
    category: str
    box_xyxyn: Box
    why: str


def lights(days: int) -> Iterator[tuple[int, str]]:
    """The day and the light of every look of so many days; it rains through some."""
    for day in range(days):
        for light, seconds in DAY:
            wet = light == "day" and day % 7 in RAINY_DAYS
            yield from ((day, "rain" if wet else light) for _ in range(int(seconds / EVERY_S)))


def camera_config(name: str) -> CameraConfig:
    """The shipped rules, looked for in compressed time."""
    return CameraConfig.model_validate(
        {"camera": {"id": name}, "looks": {"default": {"every_s": EVERY_S}}}
    )


def watch(
    camera: QuietCamera, looked: dict[str, Sequence[Looked]], card: ModelCard, days: int
) -> Iterator[tuple[Transition, str, int, int]]:
    """Yield what is raised in so many days, with its light, day and frame."""
    config = camera_config(camera.name)
    judge, timer = CameraJudge(config, card, Surroundings()), LookTimer(plans_of(config))
    for tick, (day, light) in enumerate(lights(days)):
        seconds, index = tick * EVERY_S, tick % len(camera.frames)
        at = Instant(START + timedelta(seconds=seconds), seconds, "quiet")
        for plan in timer.due(at):
            found = looked[camera.treatment(light)][index][plan.tiles]
            look = Look(Frame(camera.name, at, _DARK), plan.judged, found)
            for judgement in judge.judge(look):
                if judgement.transition.phase is Phase.RAISED:
                    yield judgement.transition, light, day, index


def hits_of(
    camera: QuietCamera, looked: dict[str, Sequence[Looked]], card: ModelCard, days: int
) -> list[Hit]:
    """Every issue that a quiet camera raises."""
    spots = [one for one in load_known() if one.camera == camera.name]
    return [
        Hit(
            camera=camera.name,
            trained=camera.trained,
            category=raised.category,
            light=camera.light or light,
            day=day,
            frame=camera.frames[index].name,
            box_xyxyn=raised.box_xyxyn,
            score=raised.score,
            reopened=raised.reopened,
            known=_known(raised, spots),
        )
        for raised, light, day, index in watch(camera, looked, card, days)
    ]


def load_known(path: Path = KNOWN) -> list[KnownSpot]:
    """Read the spots that a person looked at."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    return [
        KnownSpot(row["camera"], row["category"], tuple(row["box_xyxyn"]), row["why"])
        for row in rows
    ]


def _known(raised: Transition, spots: Sequence[KnownSpot]) -> str | None:
    return next(
        (
            one.why
            for one in spots
            if one.category == raised.category and same_place(one.box_xyxyn, raised.box_xyxyn)
        ),
        None,
    )


def measure(
    cameras: Sequence[QuietCamera], found: Found, days: int
) -> tuple[dict[str, Any], list[Hit]]:
    """Let each camera watch its streets for so many days; returns the figures and every hit."""
    card, hits = found.detector.card, []
    # What is fainter than the judge looks at is left out here, for speed.
    least = FAINT_SHARE * min(card.thresholds[category].keep for category in Category)
    for camera in cameras:
        looked: dict[str, list[Looked]] = {camera.treatment(light): [] for light in LIGHTS}
        for frame, picture in pictures(camera):
            for light, frames in looked.items():
                looks = found.of(f"{camera.name} {frame.name}", light, picture)
                frames.append({how: one.only(one.scores >= least) for how, one in looks.items()})
        hits += hits_of(camera, dict(looked), card, days)
    return figures(hits, cameras, days) | {
        "machine": this_machine().as_json(),
        "model": card.name,
        "model_sha256": {file.path: file.sha256 for file in card.files},
        "hits": [asdict(hit) for hit in hits],
    }, hits


def figures(hits: Sequence[Hit], cameras: Sequence[QuietCamera], days: int) -> dict[str, Any]:
    """False alarms a camera-day with interval: of all, of those not trained on, of the block's."""
    block = {camera.name for camera in cameras if camera.light is not None}
    unseen = {camera.name for camera in cameras if not camera.trained} - block
    false = [hit for hit in hits if hit.known is None]
    return {
        "days": days,
        "look_every_s": EVERY_S,
        "cameras": {camera.name: len(camera.frames) for camera in cameras},
        "all": _rate(false, len(cameras) * days),
        "cameras_not_trained_on": _rate(
            [hit for hit in false if hit.camera in unseen], len(unseen) * days
        ),
        "block": _rate([hit for hit in false if hit.camera in block], len(block) * days),
        "real": sum(hit.known is not None for hit in hits),
    }


def _rate(hits: Sequence[Hit], camera_days: int) -> dict[str, Any]:
    low, high = poisson_interval(len(hits))
    per_day = (
        [round(value / camera_days, 4) for value in (len(hits), low, high)] if camera_days else None
    )
    return {
        "camera_days": camera_days,
        "false_alarms": len(hits),
        "per_camera_day": per_day[0] if per_day else None,
        "per_camera_day_ci95": per_day[1:] if per_day else None,
        "spots": len(spots_of(hits)),
        "by_light": dict(sorted(Counter(hit.light for hit in hits).items())),
        "by_category": dict(sorted(Counter(hit.category for hit in hits).items())),
        "by_camera": dict(sorted(Counter(hit.camera for hit in hits).items())),
    }


def spots_of(hits: Sequence[Hit]) -> list[Hit]:
    """The first hit at each place of each camera."""
    first: list[Hit] = []
    for hit in hits:
        if not any(one.camera == hit.camera and one.category == hit.category
                   and same_place(one.box_xyxyn, hit.box_xyxyn) for one in first):  # fmt: skip
            first.append(hit)
    return first


def draw_sheet(hits: Sequence[Hit], cameras: Sequence[QuietCamera], path: Path) -> int:
    """Draw one thumbnail a spot, for a person to look at; returns how many."""
    spots = spots_of(hits)
    thumbs = []
    for camera in cameras:
        mine = [hit for hit in spots if hit.camera == camera.name]
        shown = {frame.name: picture for frame, picture in pictures(camera)} if mine else {}
        thumbs += [_thumb(hit, _as_seen(camera, hit, shown[hit.frame])) for hit in mine]
    if not thumbs:
        return 0
    across = max(1, round(sqrt(len(thumbs) * 1.2)))
    blank = np.zeros_like(thumbs[0])
    thumbs += [blank] * (-len(thumbs) % across)
    rows = [np.hstack(thumbs[at : at + across]) for at in range(0, len(thumbs), across)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    return len(spots)


def _as_seen(camera: QuietCamera, hit: Hit, picture: Rgb) -> Rgb:
    return in_light(picture, camera.treatment(hit.light), f"{hit.camera} {hit.frame}")


def _thumb(hit: Hit, lit: Rgb) -> Rgb:
    """The surroundings of a hit, three times its size, with its box and words."""
    height, width = lit.shape[:2]
    x1, y1, x2, y2 = hit.box_xyxyn
    reach = max((x2 - x1) * width, (y2 - y1) * height, 24) * 1.5
    middle = ((x1 + x2) / 2 * width, (y1 + y2) / 2 * height)
    across, down = THUMB[0], THUMB[1] - 24
    scale = min(down / (2 * reach), 4.0)
    move = np.array(
        [[scale, 0, across / 2 - scale * middle[0]], [0, scale, down / 2 - scale * middle[1]]]
    )
    crop = cv2.warpAffine(lit, move, (across, down))
    corners = [(round(scale * x * width + move[0, 2]), round(scale * y * height + move[1, 2]))
               for x, y in ((x1, y1), (x2, y2))]  # fmt: skip
    cv2.rectangle(crop, corners[0], corners[1], (255, 60, 60), 1)
    canvas = np.zeros((THUMB[1], THUMB[0], 3), np.uint8)
    canvas[:down] = crop
    words = f"{hit.camera} {hit.category} {hit.score:.2f} {hit.light}" + (
        " REAL" if hit.known else ""
    )
    cv2.putText(canvas, words, (4, THUMB[1] - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    return canvas
