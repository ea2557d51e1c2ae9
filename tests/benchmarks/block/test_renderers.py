import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.block.errors import RenderError
from benchmarks.block.renderers import (
    REFERENCE_SAMPLES,
    SAMPLES,
    compare_renderers,
    noise,
    on_screen,
    table,
)
from benchmarks.block.script import Day

SHAPE = (90, 160, 3)
SIGMA = 0.02  # of linear light, for one picture of SAMPLES samples


def noisy(seed: int, samples: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    off = rng.normal(0, SIGMA * (SAMPLES / samples) ** 0.5, SHAPE)
    return np.asarray(0.3 + off, np.float32)


def stand_in(path: Path, result: str) -> Path:
    """A Python in a renderer's place: it writes each run's picture, and seconds by samples."""
    path.write_text(
        f"""#!{sys.executable}
import json, sys
import numpy as np
order = json.loads(open(sys.argv[3]).read())
seconds = {{}}
for run in order["runs"]:
    rng = np.random.default_rng(run["seed"] + len(run["name"]))
    made = 0.3 + rng.normal(0, 0.05 / run["samples"] ** 0.5, (9, 16, 3))
    np.save(f"{{order['folder']}}/{{run['name']}}.npy", made.astype(np.float32))
    seconds[run["name"]] = run["samples"] * {result}
name = order.get("variant", "cycles")
open(f"{{order['folder']}}/{{name}}.json", "w").write(json.dumps(seconds))
""",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def test_noise_is_that_of_the_picture_alone_not_of_its_reference() -> None:
    made, reference = noisy(1, SAMPLES), noisy(2, REFERENCE_SAMPLES)
    true = float(np.std(on_screen(made)))
    assert noise(made, made, reference) == pytest.approx(true, rel=0.02)


def test_a_picture_without_noise_has_none() -> None:
    clean, made = np.full(SHAPE, 0.3, np.float32), noisy(1, SAMPLES)
    assert noise(clean, made, noisy(2, REFERENCE_SAMPLES)) < 0.1 * noise(
        made, made, noisy(2, REFERENCE_SAMPLES)
    )


def test_both_are_asked_for_the_same_samples_and_mitsuba_for_the_same_time_too(
    day: Day, tmp_path: Path
) -> None:
    blender = stand_in(tmp_path / "blender", "0.5")
    mitsuba = stand_in(tmp_path / "mitsuba", "0.25")
    rows = compare_renderers(day, tmp_path / "work", blender, mitsuba, lambda _: None)
    by_name = {row.name: row for row in rows}
    assert by_name["Cycles"].samples == by_name["Mitsuba llvm"].samples == SAMPLES
    assert by_name["Mitsuba llvm, Cycles' time"].samples == 2 * SAMPLES
    assert by_name["Mitsuba llvm, Cycles' time"].seconds == by_name["Cycles"].seconds
    assert len(table(rows).splitlines()) == 2 + len(rows)


def test_references_are_rendered_once(day: Day, tmp_path: Path) -> None:
    blender = stand_in(tmp_path / "blender", "0.5")
    mitsuba = stand_in(tmp_path / "mitsuba", "0.25")
    asked = []
    for _ in range(2):
        compare_renderers(day, tmp_path / "work", blender, mitsuba, lambda _: None)
        order = json.loads((tmp_path / "work" / "cycles.order.json").read_text())
        asked.append([run["name"] for run in order["runs"]])
    assert ("cycles-reference" in asked[0], "cycles-reference" in asked[1]) == (True, False)


def test_a_renderer_that_is_not_there_is_named(day: Day, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="none"):
        compare_renderers(day, tmp_path, tmp_path / "none", tmp_path / "none", lambda _: None)
