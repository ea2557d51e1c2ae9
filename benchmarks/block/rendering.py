"""Send what is not rendered yet to Blender's Python, one process a clip."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.block.compose import screen, to_light
from benchmarks.block.errors import RenderError
from benchmarks.block.jobs import Scene, Task
from benchmarks.block.training import SAMPLES, Picture

ROOT = Path(__file__).parents[2]
# Blender pins an older numpy than the rest, so it has a virtual environment of its own.
DEFAULT_BLENDER = ROOT / ".venv-block" / "bin" / "python"
MARK = "BLOCK "


def render(scene: Scene, wanted: Sequence[Task], blender: Path, say: Callable[[str], None]) -> int:
    """Render the tasks that the cache lacks; returns how many they were. Raises RenderError."""
    missing = [task for task in wanted if not scene.path(task).exists()]
    if missing:
        run_job(scene.job(missing), scene.cache / f"{scene.clip.name}.job.json", blender, say)
    return len(missing)


def run_job(job: dict[str, Any], path: Path, blender: Path, say: Callable[[str], None]) -> None:
    """Write a job file, have Blender render it, and pass on what it says. Raises RenderError."""
    if not blender.exists():
        raise RenderError(
            f"{blender}: no Python with Blender there; make it with `make block-blender`, or name "
            "another with --blender (it needs bpy 5.0)"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(job), encoding="utf-8")
    command = [str(blender), "-m", "benchmarks.block.blender.worker", str(path)]
    with subprocess.Popen(  # noqa: S603 -- our own program under the interpreter that was named
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        tail: list[str] = []
        for line in process.stdout or ():
            tail = [*tail[-9:], line.rstrip()]
            if line.startswith(MARK):
                say(f"{path.stem}: {line.removeprefix(MARK).rstrip()}")
    if process.returncode:
        raise RenderError(
            f"{path.stem}: Blender ended with status {process.returncode}; it last said\n  "
            + "\n  ".join(tail)
        )


def render_training(
    found: Sequence[Picture], folder: Path, blender: Path, say: Callable[[str], None]
) -> None:
    """Render training pictures street by street into `folder`/images/train, as WebP."""
    target, raw = folder / "images" / "train", folder / ".raw"
    target.mkdir(parents=True, exist_ok=True)
    for head, street in groupby(found, key=lambda picture: picture.head):
        wanted = [one for one in street if not (target / f"{one.name}.webp").exists()]
        if not wanted:
            continue
        job = head | {"tasks": [_task(one, raw) for one in wanted]}
        run_job(job, raw / f"{wanted[0].name}.json", blender, say)
        for one in wanted:
            coded = cv2.imread(str(raw / f"{one.name}.png"), cv2.IMREAD_UNCHANGED)
            picture = screen(to_light(np.asarray(coded)))
            cv2.imwrite(str(target / f"{one.name}.webp"), picture, [cv2.IMWRITE_WEBP_QUALITY, 82])


def _task(picture: Picture, folder: Path) -> dict[str, Any]:
    out = folder / f"{picture.name}.png"
    return {
        "kind": "plate", "items": [item.as_json() for item in picture.items], "hide": [],
        "border": None, "samples": SAMPLES, "out": str(out.resolve()),
    }  # fmt: skip
