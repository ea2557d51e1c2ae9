"""Quiet cameras of the virtual block: seconds of its clips in which nothing is to be raised.

Passers-by, traffic, carts that only pass, intact covers and bins that are not full are there. Day,
dusk, rain and night are rendered, so each camera stays in its own light all week.
"""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.block.script import SCRIPT, TRIALS, Clip, Day, load_day
from benchmarks.quiet_footage import FRAMES_MIN, QuietCamera, QuietFrame
from benchmarks.truth import Truth, load_truth
from contract.catalogue import Category

ROOT = Path(__file__).parents[1]
FOLDERS = (
    (SCRIPT, ROOT / "camera_configs" / "demo"),
    (TRIALS, ROOT / "benchmarks" / "block" / "trials"),
)
# So long before and after an event nothing is taken: a cart comes and goes.
MARGIN_S = 1.0
LIGHTS = {"sun": "day", "morning": "day", "overcast": "day"}


def block_cameras(frames_max: int) -> list[QuietCamera]:
    """The block's clips with at most so many quiet frames each, spread over the quiet seconds.

    Raises TruthError and BlockError.
    """
    return [
        camera
        for script, folder in FOLDERS
        for camera in _cameras(load_day(script), folder, frames_max)
    ]


def _cameras(day: Day, folder: Path, frames_max: int) -> Iterator[QuietCamera]:
    for clip in day.clips:
        truth = load_truth(folder / f"{clip.name}.json")
        seconds = quiet_seconds(clip, truth)
        if len(seconds) < FRAMES_MIN:
            continue
        count = min(frames_max, len(seconds))
        chosen = [seconds[number * len(seconds) // count] for number in range(count)]
        path = folder / f"{clip.name}.mp4"
        light = day.hours[clip.hour].light
        yield QuietCamera(
            f"block-{clip.name}",
            tuple(QuietFrame(path, second) for second in chosen),
            trained=False,
            light=LIGHTS.get(light, light),
        )


def quiet_seconds(clip: Clip, truth: Truth) -> list[float]:
    """The seconds of a clip in which its first view shows no event, not even another camera's."""
    end_s = min([view.start_s - view.turn_s for view in clip.views] + [truth.seconds])
    spans = [(one.start_s, one.end_s) for one in truth.events]
    spans += [(one.start_s, one.end_s) for one in truth.distractors if _is_event(one.category)]
    spans += [(one.start_s, one.end_s) for one in truth.darks]
    return [
        float(second)
        for second in range(int(end_s))
        if not any(
            start_s - MARGIN_S <= second <= (end_s if stop_s is None else stop_s) + MARGIN_S
            for start_s, stop_s in spans
        )
    ]


def _is_event(category: str) -> bool:
    """Whether a distractor is something that another camera, or a camera that is well, raises."""
    return category in set(Category)
