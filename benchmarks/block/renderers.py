"""Cycles and Mitsuba 3 on the same plain block: CPU seconds and noise, at equal samples and time.

Noise is the root mean square difference to the renderer's own reference of more samples, less what
that reference is noisy itself, on the screen (sRGB, grey levels of 255): so a difference of
convention between the two weighs nothing.
"""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.block.errors import RenderError
from benchmarks.block.jobs import Scene, plate
from benchmarks.block.rendering import ROOT
from benchmarks.block.script import Day

SAMPLES, REFERENCE_SAMPLES, FIRST_SEED = 8, 32, 1000
Say = Callable[[str], None]
Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to render the same picture."""

    name: str
    samples: int
    seconds: float
    noise: float


def compare_renderers(
    day: Day, folder: Path, blender: Path, mitsuba: Path, say: Say
) -> list[Measured]:
    """Render the first clip's plate in plain materials by both. References in `folder` are kept.

    Raises RenderError where one of the two Pythons is missing or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cycles = _cycles(day, folder, blender, say)
    fast = _mitsuba(folder, mitsuba, "llvm_ad_rgb", [*_missing(folder, "mitsuba"), *_runs("llvm")])
    slow = _mitsuba(folder, mitsuba, "scalar_rgb", _runs("scalar"))
    plain, denoised = (
        max(1, round(SAMPLES * cycles[run] / fast["llvm"])) for run in ("cycles", "cycles-denoised")
    )
    equal = [_run("llvm-equal", plain), _run("llvm-denoised", denoised)]
    again = _mitsuba(folder, mitsuba, "llvm_ad_rgb", [*_warm("llvm"), *equal])
    return [
        _measured(folder, "Cycles", "cycles", SAMPLES, cycles),
        _measured(folder, "Cycles, denoised", "cycles-denoised", SAMPLES, cycles),
        _measured(folder, "Mitsuba llvm", "llvm", SAMPLES, fast),
        _measured(folder, "Mitsuba llvm, Cycles' time", "llvm-equal", plain, again),
        _measured(
            folder, "Mitsuba llvm, Cycles' time with denoiser", "llvm-denoised", denoised, again
        ),
        _measured(folder, "Mitsuba scalar", "scalar", SAMPLES, slow),
    ]


def table(rows: list[Measured]) -> str:
    """A line a renderer."""
    lines = ["| renderer | samples | CPU seconds | noise, grey levels |", "|---|---|---|---|"]
    lines += [f"| {r.name} | {r.samples} | {r.seconds:.1f} | {r.noise:.2f} |" for r in rows]
    return "\n".join(lines)


def on_screen(light: Pixels) -> Pixels:
    """Linear light in sRGB's curve, 0 to 255."""
    clipped = np.clip(light, 0, 1)
    curve = np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.asarray(curve * 255, np.float32)


def noise(made: Pixels, plain: Pixels, reference: Pixels) -> float:
    """Noise of a picture in grey levels, the reference's own taken away.

    `plain` has SAMPLES samples and the reference REFERENCE_SAMPLES of the same variance: their
    difference holds both, and tells how much of it is the reference's.
    """
    of_reference = _square(plain, reference) * SAMPLES / (SAMPLES + REFERENCE_SAMPLES)
    return float(np.sqrt(max(_square(made, reference) - of_reference, 0.0)))


def _square(one: Pixels, other: Pixels) -> float:
    return float(np.mean((on_screen(one) - on_screen(other)) ** 2))


def _measured(
    folder: Path, name: str, run: str, samples: int, seconds: dict[str, float]
) -> Measured:
    own = "cycles" if run.startswith("cycles") else "mitsuba"
    plain, made, reference = (
        np.load(folder / f"{file}.npy")
        for file in ("cycles" if own == "cycles" else "llvm", run, f"{own}-reference")
    )
    return Measured(name, samples, seconds[run], noise(made, plain, reference))


def _run(name: str, samples: int, *, denoise: bool = False, seed: int = 1) -> dict[str, Any]:
    return {"name": name, "samples": samples, "denoise": denoise, "seed": seed}


def _warm(name: str) -> list[dict[str, Any]]:
    """A first picture that builds trees and kernels, and is not timed."""
    return [_run(f"{name}-warm", 1)]


def _runs(name: str) -> list[dict[str, Any]]:
    return [*_warm(name), _run(name, SAMPLES)]


def _missing(folder: Path, name: str) -> list[dict[str, Any]]:
    """The reference, where the folder does not hold it yet."""
    if (folder / f"{name}-reference.npy").is_file():
        return []
    return [_run(f"{name}-reference", REFERENCE_SAMPLES, seed=FIRST_SEED)]


def _cycles(day: Day, folder: Path, blender: Path, say: Say) -> dict[str, float]:
    scene = Scene(day, day.clips[0], folder)
    denoised = [
        _run(f"cycles-denoised{end}", n, denoise=True) for end, n in (("-warm", 1), ("", SAMPLES))
    ]
    runs = [*_runs("cycles"), *denoised]
    order = {
        "folder": str(folder.resolve()), "job": scene.job([plate(scene)]), "items": [],
        "runs": [*_missing(folder, "cycles"), *runs],
    }  # fmt: skip
    say("Cycles …")
    return _called(blender, "benchmarks.block.blender.plain", folder, "cycles", order)


def _mitsuba(
    folder: Path, mitsuba: Path, variant: str, runs: list[dict[str, Any]]
) -> dict[str, float]:
    order = {"folder": str(folder.resolve()), "variant": variant, "runs": runs}
    return _called(mitsuba, "benchmarks.block.mitsuba_half", folder, variant, order)


def _called(
    python: Path, module: str, folder: Path, result: str, order: dict[str, Any]
) -> dict[str, float]:
    """Have another Python render an order; returns the seconds of each of its runs."""
    path = folder / f"{result}.order.json"
    path.write_text(json.dumps(order), encoding="utf-8")
    try:
        done = subprocess.run(  # noqa: S603 -- our own program under the interpreter that was named
            [str(python), "-m", module, str(path)], capture_output=True, text=True, check=False,
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    except OSError as error:
        raise RenderError(
            f"{python}: cannot be started ({error}); name a Python that has it"
        ) from error
    if done.returncode:
        tail = "\n  ".join((done.stdout + done.stderr).splitlines()[-10:])
        raise RenderError(f"{module} ended with status {done.returncode}; it last said\n  {tail}")
    found: dict[str, float] = json.loads((folder / f"{result}.json").read_text(encoding="utf-8"))
    return found
