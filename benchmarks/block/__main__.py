"""`python -m benchmarks.block`: render the block, and write its clips, truth and site files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import cv2
import typer

from benchmarks.block import jobs
from benchmarks.block.compare import Difference, changed_texts, clip_difference
from benchmarks.block.compare import table as difference_table
from benchmarks.block.compose import Stage, encode, screen, write_references
from benchmarks.block.errors import BlockError
from benchmarks.block.jobs import Scene, tasks
from benchmarks.block.renderers import compare_renderers
from benchmarks.block.renderers import table as renderer_table
from benchmarks.block.rendering import DEFAULT_BLENDER, ROOT, render, render_training
from benchmarks.block.script import SCRIPT, Clip, Day, load_day
from benchmarks.block.site import site_files, write_site
from benchmarks.block.training import pictures, write_labels
from benchmarks.block.views import view_at

DEMO = ROOT / "camera_configs" / "demo"
CACHE = ROOT / ".cache" / "block"

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)

Names = Annotated[list[str] | None, typer.Argument(help="clips of the script; absent: all")]
Script = Annotated[Path, typer.Option(help="the day")]
Cache = Annotated[Path, typer.Option(help="rendered pictures, kept by the hash of what went in")]
Blender = Annotated[Path, typer.Option(help="a Python that has bpy 5.0")]
Out = Annotated[Path, typer.Option(help="folder for clips, truth and camera files")]


@app.command("all")
def everything(
    script: Script = SCRIPT,
    cache: Cache = CACHE,
    blender: Blender = DEFAULT_BLENDER,
    out: Out = DEMO,
) -> None:
    """Render what the cache lacks, then write clips, truth, camera files, grid and components."""
    render_command(None, script, cache, blender)
    compose_command(None, script, cache, out)
    site_command(script, out)


@app.command("render")
def render_command(
    names: Names = None, script: Script = SCRIPT, cache: Cache = CACHE,
    blender: Blender = DEFAULT_BLENDER,
) -> None:  # fmt: skip
    """Render the pictures that clips are made of; what the cache holds is not rendered again."""
    with _explained():
        day = load_day(script)
        for clip in _clips(day, names):
            scenes = jobs.scenes(day, clip, cache)
            count = sum(render(scene, list(tasks(scene)), blender, print) for scene in scenes)
            print(f"{clip.name}: {count} rendered")


@app.command("compose")
def compose_command(
    names: Names = None, script: Script = SCRIPT, cache: Cache = CACHE, out: Out = DEMO
) -> None:
    """Make the clips from rendered pictures."""
    with _explained():
        day = load_day(script)
        out.mkdir(parents=True, exist_ok=True)
        for clip in _clips(day, names):
            path = out / f"{clip.name}.mp4"
            encode(day, clip, cache, path)
            write_references(day, clip, cache, out)
            print(f"{path}: {path.stat().st_size:,} bytes")


@app.command("site")
def site_command(script: Script = SCRIPT, out: Out = DEMO) -> None:
    """Write truth, camera files, grid and components; needs no pictures."""
    with _explained():
        write_site(load_day(script), out)


@app.command("still")
def still_command(
    name: Annotated[str, typer.Argument(help="clip of the script")],
    at_s: Annotated[float, typer.Argument(help="second of the clip")],
    picture: Annotated[Path, typer.Argument(help="PNG, JPEG or WebP to write")],
    script: Script = SCRIPT, cache: Cache = CACHE,
) -> None:  # fmt: skip
    """Write one moment of a clip as a picture, without noise and compression."""
    with _explained():
        day = load_day(script)
        clip = _clips(day, [name])[0]
        made = screen(Stage(Scene(day, clip, cache, view_at(clip, at_s))).light(at_s))
        if not cv2.imwrite(str(picture), made, [cv2.IMWRITE_WEBP_QUALITY, 78]):
            raise BlockError(f"{picture}: cannot be written; name a .png, .jpg or .webp")


@app.command("training")
def training_command(
    folder: Annotated[Path, typer.Argument(help="new folder, in YOLO's layout")],
    count: Annotated[int, typer.Option(min=1, help="pictures")] = 120,
    seed: Annotated[int, typer.Option(min=1, help="another seed, other pictures")] = 1,
    script: Script = SCRIPT, blender: Blender = DEFAULT_BLENDER,
) -> None:  # fmt: skip
    """Render labelled pictures of other streets than the demo's, for training."""
    with _explained():
        found = list(pictures(load_day(script), count, seed))
        write_labels(found, folder)
        render_training(found, folder, blender, print)


@app.command("compare")
def compare_command(
    made: Annotated[Path, typer.Argument(help="folder that `all --out` or `compose` wrote")],
    names: Names = None, script: Script = SCRIPT, shipped: Out = DEMO,
) -> None:  # fmt: skip
    """Hold clips and texts rendered anew against the shipped ones; exit 1 where they differ."""
    with _explained():
        day = load_day(script)
        changed = changed_texts(made, shipped, sorted(site_files(day)))
        clips = [f"{clip.name}.mp4" for clip in _clips(day, names)]
        found = [clip_difference(made / name, shipped / name) for name in clips]
        print(difference_table(found))
        if changed or not all(one.within for one in found):
            raise BlockError(f"{made} differs from {shipped}: {_what(changed, found)}")


def _what(changed: list[str], found: list[Difference]) -> str:
    return ", ".join([*changed, *(one.name for one in found if not one.within)])


@app.command("renderers")
def renderers_command(
    folder: Annotated[Path, typer.Argument(help="for meshes, references and pictures; kept")],
    mitsuba: Annotated[Path, typer.Option(help="a Python that has mitsuba 3")],
    script: Script = SCRIPT, blender: Blender = DEFAULT_BLENDER,
) -> None:  # fmt: skip
    """Measure Cycles against Mitsuba 3 on the same plain block: CPU seconds and noise."""
    with _explained():
        print(renderer_table(compare_renderers(load_day(script), folder, blender, mitsuba, print)))


def _clips(day: Day, names: list[str] | None) -> list[Clip]:
    known = {clip.name: clip for clip in day.clips}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise BlockError(f"clip {unknown[0]!r} is not in the script; it has {', '.join(known)}")
    return [known[name] for name in names or known]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BlockError as error:
        print(f"block: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.block")
