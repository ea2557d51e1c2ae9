"""Send what is not rendered yet to Blender's Python, one process a clip."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.block.errors import RenderError
from benchmarks.block.jobs import Scene, Task

ROOT = Path(__file__).parents[2]
# Blender pins an older numpy than the rest, so it has a virtual environment of its own.
DEFAULT_BLENDER = ROOT / ".venv-block" / "bin" / "python"
MARK = "BLOCK "


def render(scene: Scene, wanted: Sequence[Task], blender: Path, say: Callable[[str], None]) -> int:
    """Render the tasks that the cache lacks; returns how many they were. Raises RenderError."""
    missing = [task for task in wanted if not scene.path(task).exists()]
    if not missing:
        return 0
    if not blender.exists():
        raise RenderError(
            f"{blender}: no Python with Blender there; make it with `make block-blender`, or name "
            "another with --blender (it needs bpy 5.0)"
        )
    scene.cache.mkdir(parents=True, exist_ok=True)
    job = scene.cache / f"{scene.clip.name}.job.json"
    job.write_text(json.dumps(scene.job(missing)), encoding="utf-8")
    command = [str(blender), "-m", "benchmarks.block.blender.worker", str(job)]
    with subprocess.Popen(  # noqa: S603 -- our own program under the interpreter that was named
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        tail: list[str] = []
        for line in process.stdout or ():
            tail = [*tail[-9:], line.rstrip()]
            if line.startswith(MARK):
                say(f"{scene.clip.name}: {line.removeprefix(MARK).rstrip()}")
    if process.returncode:
        raise RenderError(
            f"{scene.clip.name}: Blender ended with status {process.returncode}; it last said\n  "
            + "\n  ".join(tail)
        )
    return len(missing)
