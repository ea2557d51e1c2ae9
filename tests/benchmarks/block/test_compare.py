import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.block.__main__ import DEMO, app
from benchmarks.block.compare import changed_texts, clip_difference, table
from benchmarks.block.errors import BlockError


def write_clip(path: Path, frames: list[np.ndarray]) -> Path:
    """An uncompressed clip, so that what goes in comes out."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = "gray"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")):
                container.mux(packet)
    return path


def grey(level: int = 100) -> np.ndarray:
    return np.full((48, 64), level, np.uint8)


def test_the_same_clip_differs_in_nothing(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.avi", [grey(), grey()])
    found = clip_difference(one, one)
    assert (found.frames, found.mean_levels, found.off_share, found.within) == (2, 0.0, 0.0, True)


def test_noise_of_a_grey_level_is_within_the_tolerance(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.avi", [grey(100)])
    other = write_clip(tmp_path / "other.avi", [grey(101)])
    found = clip_difference(one, other)
    assert found.mean_levels == pytest.approx(1.0)
    assert found.within


def test_a_small_thing_that_is_missing_in_one_frame_is_beyond_it(tmp_path: Path) -> None:
    with_bin = grey()
    with_bin[10:20, 10:16] = 200  # 2 % of the picture
    one = write_clip(tmp_path / "one.avi", [grey(), with_bin])
    other = write_clip(tmp_path / "other.avi", [grey(), grey()])
    found = clip_difference(one, other)
    assert found.off_share == pytest.approx(60 / (48 * 64))
    assert not found.within


def test_a_shorter_clip_is_another_one(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.avi", [grey()])
    other = write_clip(tmp_path / "other.avi", [grey(), grey()])
    assert not clip_difference(one, other).within


def test_a_clip_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r"none\.mp4"):
        clip_difference(tmp_path / "none.mp4", tmp_path / "none.mp4")


def test_texts_are_compared_byte_for_byte_and_a_missing_one_differs(tmp_path: Path) -> None:
    made, shipped = tmp_path / "made", tmp_path / "shipped"
    for folder, text in ((made, "a\n"), (shipped, "a \n")):
        folder.mkdir()
        (folder / "same.json").write_text("{}")
        (folder / "changed.yaml").write_text(text)
    (shipped / "lacking.json").write_text("{}")
    names = ["same.json", "changed.yaml", "lacking.json"]
    assert changed_texts(made, shipped, names) == ["changed.yaml", "lacking.json"]


def test_the_command_finds_the_shipped_clip_the_same_as_itself_and_names_a_changed_truth(
    tmp_path: Path,
) -> None:
    shutil.copytree(DEMO, tmp_path / "made")
    run = CliRunner().invoke
    found = run(app, ["compare", str(tmp_path / "made"), "demo-dusk"])
    assert found.exit_code == 0
    assert "| demo-dusk.mp4 | 750 | 0.00 | 0.000 % | yes |" in found.output
    (tmp_path / "made" / "demo-rain.json").write_text("{}")
    assert run(app, ["compare", str(tmp_path / "made"), "demo-dusk"]).exit_code == 1


def test_the_table_says_which_clip_is_not_the_same(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.avi", [grey(0)])
    other = write_clip(tmp_path / "other.avi", [grey(200)])
    assert table([clip_difference(one, other)]).endswith("| 200.00 | 100.000 % | no |")
