from pathlib import Path

import pytest

from benchmarks.block.errors import RenderError
from benchmarks.block.jobs import Scene, plate
from benchmarks.block.rendering import render
from benchmarks.block.script import Day


@pytest.fixture
def scene(day: Day, tmp_path: Path) -> Scene:
    return Scene(day, day.clips[0], tmp_path / "cache")


def stand_in(path: Path, script: str) -> Path:
    """A program in Blender's place."""
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_missing_blender_is_refused_with_the_way_to_get_it(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="make block-blender"):
        render(scene, [plate(scene)], tmp_path / "none", print)


def test_what_the_cache_holds_is_not_rendered_again(scene: Scene, tmp_path: Path) -> None:
    scene.cache.mkdir()
    scene.path(plate(scene)).touch()
    assert render(scene, [plate(scene)], tmp_path / "none", print) == 0


def test_blender_s_progress_is_passed_on_and_its_chatter_is_not(
    scene: Scene, tmp_path: Path
) -> None:
    said: list[str] = []
    blender = stand_in(tmp_path / "blender", "echo Fra:1 Mem:3M; echo 'BLOCK 1/1 plate x.png 2 s'")
    assert render(scene, [plate(scene)], blender, said.append) == 1
    assert [line.split(": ")[1] for line in said] == ["1/1 plate x.png 2 s"]


def test_a_blender_that_fails_is_reported_with_its_last_words(scene: Scene, tmp_path: Path) -> None:
    blender = stand_in(tmp_path / "blender", "echo out of memory; exit 3")
    with pytest.raises(RenderError, match=r"(?s)status 3.*out of memory"):
        render(scene, [plate(scene)], blender, print)
