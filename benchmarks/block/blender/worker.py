"""Render the jobs of one JSON file: one scene, then plates, patches and sprites from it.

A plate is the whole picture without anything that comes and goes; a patch is a part of it with one
state of a cover; a sprite is one thing at one place, with its shadow, on nothing. All are 16-bit
PNG in sRGB's curve, two stops under, so that the other half can add light to light.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from benchmarks.block.blender import furniture, lights, movers, street
from benchmarks.block.blender.shapes import Shape

Job = dict[str, Any]
STOPS_UNDER = 2.0
LAMP_REACH_M, LAMP_HEIGHT_M = 1.95, 7.0


def make(name: str) -> Shape:
    """The shape of an asset by name: `kind:argument:…`."""
    kind, *a = name.split(":")
    makers: dict[str, Callable[[], Shape]] = {
        "tree": lambda: furniture.tree(int(a[0])),
        "lamp": lambda: furniture.lamp(*a),
        "bin": lambda: furniture.bin_wheeled(a[0], int(a[1]), full=a[2] == "full"),
        "garbage": lambda: furniture.garbage(int(a[0]), float(a[1])),
        "patch": lambda: furniture.cover_patch(float(a[0]), float(a[1]), a[2]),
        "lid": lambda: furniture.cover_lid(float(a[0]), a[1]),
        "broken": lambda: furniture.cover_broken(float(a[0]), a[1], int(a[2])),
        "barrier": furniture.barrier,
        "cone": furniture.cone,
        "cart": lambda: movers.cart(int(a[0]), a[1] if len(a) > 1 else None),
        "car": lambda: movers.car(a[0], a[1]),
        "lorry": lambda: movers.lorry(a[0]),
        "person": lambda: movers.person(
            float(a[0]), a[1], stand="stand" in a, parasol=a[3] if len(a) > 3 else None
        ),
        "scooter": lambda: movers.scooter(a[0], a[1] if len(a) > 1 else None),
    }  # fmt: skip
    return makers[kind]()


class Stage:
    """The scene of one job file."""

    def __init__(self, job: Job) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.job = job
        self.scene = bpy.context.scene
        self.meshes: dict[str, Any] = {}
        self.ground: list[Any] = []
        self.statics: list[Any] = []
        lights.prepare(job["light"])
        self._settings()
        self._camera()
        lights.sky(job["light"])
        lights.sun(job["light"])
        self._build()

    def _settings(self) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"
        cycles = scene.cycles
        cycles.device = "CPU"
        cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
        cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 2
        cycles.transmission_bounces, cycles.transparent_max_bounces = 2, 4
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.sample_clamp_indirect = 4.0
        cycles.use_adaptive_sampling, cycles.adaptive_threshold = True, 0.03
        if self.job.get("quick"):
            self._quick(cycles)
        scene.render.use_persistent_data = True
        scene.render.threads_mode = "AUTO"
        scene.view_settings.view_transform = "Standard"
        scene.view_settings.exposure = self.job["light"]["exposure"] - STOPS_UNDER
        image = scene.render.image_settings
        image.file_format, image.color_depth, image.compression = "PNG", "16", 15
        scene.render.resolution_percentage = 100

    def _quick(self, cycles: Any) -> None:
        """What a few samples gain nothing from: choosing lights by tree costs half of the time."""
        cycles.use_light_tree = cycles.use_adaptive_sampling = False
        cycles.max_bounces = 1
        cycles.sampling_pattern = "BLUE_NOISE"
        cycles.denoising_prefilter = cycles.denoising_quality = "FAST"

    def _camera(self) -> None:
        spec = self.job["camera"]
        data = bpy.data.cameras.new("camera")
        data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
        data.lens = 36.0 * spec["focal_px"] / spec["width"]
        data.clip_start, data.clip_end = 0.1, 500
        camera = bpy.data.objects.new("camera", data)
        camera.location = spec["at"]
        # Blender's camera looks along -z with y up: pitched up from straight down, then turned.
        camera.rotation_mode = "XYZ"
        camera.rotation_euler = (
            math.pi / 2 - math.radians(spec["down_deg"]), math.radians(spec["roll_deg"]),
            math.radians(spec["heading_deg"]) - math.pi / 2,
        )  # fmt: skip
        bpy.context.collection.objects.link(camera)
        self.scene.camera = camera
        self.scene.render.resolution_x, self.scene.render.resolution_y = (
            spec["width"],
            spec["height"],
        )

    def _build(self) -> None:
        world = self.job["world"]
        for name, shape in zip(("road", "paving"), street.ground(world), strict=True):
            self.ground.append(self._link(shape.build(name), (0, 0, 0), 0.0))
        for shape in street.buildings(world):
            self.statics.append(self._link(shape.build("house"), (0, 0, 0), 0.0))
        for number, item in enumerate(self.job["statics"]):
            made = self.put(item)
            flat = item["asset"].startswith(("patch", "lid", "broken"))
            (self.ground if flat else self.statics).append(made)
            made["number"] = number
            if item["asset"].startswith("lamp"):
                x, y, z = item["at"]
                heading = math.radians(item["heading_deg"])
                aside = (-math.sin(heading) * LAMP_REACH_M, math.cos(heading) * LAMP_REACH_M)
                lights.street_lamp(
                    self.job["light"], (x + aside[0], y + aside[1], z + LAMP_HEIGHT_M)
                )

    def _link(self, mesh: Any, at: Any, heading: float) -> Any:
        made = bpy.data.objects.new(mesh.name, mesh)
        made.location, made.rotation_euler = at, (0, 0, heading)
        bpy.context.collection.objects.link(made)
        return made

    def put(self, item: dict[str, Any]) -> Any:
        """Place one asset: name, position, heading."""
        name = item["asset"]
        if name not in self.meshes:
            self.meshes[name] = make(name).build(name)
        return self._link(self.meshes[name], item["at"], math.radians(item["heading_deg"]))

    def render(self, task: dict[str, Any]) -> None:
        """Render one task into its file."""
        sprite = task["kind"] == "sprite"
        self._mode(sprite=sprite)
        hidden = [made for made in self.ground + self.statics if made.get("number") in task["hide"]]
        added = [self.put(item) for item in task["items"]]
        for made in hidden:
            made.hide_render = True
        self._border(task["border"])
        self.scene.cycles.samples = task["samples"]
        self.scene.render.film_transparent = sprite
        self.scene.render.image_settings.color_mode = "RGBA" if sprite else "RGB"
        part = Path(task["out"]).with_suffix(".part.png")
        self.scene.render.filepath = str(part)
        bpy.ops.render.render(write_still=True)
        part.rename(task["out"])
        for made in added:
            bpy.data.objects.remove(made)
        for made in hidden:
            made.hide_render = False

    def _mode(self, *, sprite: bool) -> None:
        # Catchers hide what is behind them and pass on only what the added things change.
        for made in self.ground + self.statics:
            made.is_shadow_catcher = sprite

    def _border(self, border: list[float] | None) -> None:
        render = self.scene.render
        render.use_border = render.use_crop_to_border = border is not None
        if border is not None:
            width, height = render.resolution_x, render.resolution_y
            x1, y1, x2, y2 = border
            # A quarter of a pixel more, because Blender cuts the fraction off.
            render.border_min_x, render.border_max_x = (x1 + 0.25) / width, (x2 + 0.25) / width
            render.border_min_y = (height - y2 + 0.25) / height
            render.border_max_y = (height - y1 + 0.25) / height


def main() -> None:
    """Render what the job file names and what is not there yet; one line a picture."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tasks = [task for task in job["tasks"] if not Path(task["out"]).exists()]
    stage = Stage(job) if tasks else None
    for number, task in enumerate(tasks, 1):
        began_s = time.monotonic()
        assert stage is not None  # noqa: S101 -- made above when there are tasks
        stage.render(task)
        line = f"{number}/{len(tasks)} {task['kind']} {Path(task['out']).name}"
        print(f"BLOCK {line} {time.monotonic() - began_s:.1f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
