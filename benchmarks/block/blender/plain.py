"""The block in plain materials: exported as meshes for another renderer, and rendered by Cycles.

Every material becomes one matt colour, every face flat, the sky even and the sun a point, so that
two renderers solve the same task. Pictures are linear light, float32 [height, width, 3], in .npy.
"""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from benchmarks.block.blender.materials import rgb
from benchmarks.block.blender.worker import Stage

GREYS = {"asphalt": "#5a5a5c", "black": "#050505"}
Run = dict[str, Any]


def colour_of(name: str) -> str:
    """The one colour that stands for a material's name."""
    kind, *arguments = name.split(":")
    return (
        arguments[0] if arguments and arguments[0].startswith("#") else GREYS.get(kind, "#808080")
    )


def plain(colour: str) -> Any:
    """A matt material of that colour."""
    name = f"plain {colour}"
    if name not in bpy.data.materials:
        made = bpy.data.materials.new(name)
        made.use_nodes = True
        nodes = made.node_tree.nodes
        nodes.remove(nodes["Principled BSDF"])
        matt = nodes.new("ShaderNodeBsdfDiffuse")
        matt.inputs["Color"].default_value = rgb(colour)
        made.node_tree.links.new(matt.outputs[0], nodes["Material Output"].inputs["Surface"])
    return bpy.data.materials[name]


def export(stage: Stage, folder: Path) -> None:
    """Make everything plain, and write its triangles by colour as PLY, and the rest as JSON."""
    parts: dict[str, list[NDArray[np.float32]]] = {}
    for made in stage.scene.objects:
        if made.type == "MESH":
            for colour, triangles in _triangles(made):
                parts.setdefault(colour, []).append(triangles)
    for made in bpy.data.meshes:
        made.polygons.foreach_set("use_smooth", [False] * len(made.polygons))
        for slot, material in enumerate(list(made.materials)):
            made.materials[slot] = plain(colour_of(material.name))
    for colour, found in parts.items():
        _write_ply(folder / f"{colour[1:]}.ply", np.concatenate(found))
    light = stage.job["light"]
    sky = [
        light["sky"] * (a + b) / 2
        for a, b in zip(rgb(light["horizon"]), rgb(light["zenith"]), strict=True)
    ]
    _even_light(sky)
    high, turn = math.radians(light["sun_height_deg"]), math.radians(light["sun_turn_deg"])
    towards = [-math.sin(turn) * math.cos(high), math.cos(turn) * math.cos(high), -math.sin(high)]
    scene = {
        "camera": stage.job["camera"], "sky": sky[:3], "sun_towards": towards,
        "sun": [light["sun"] * part for part in rgb(light["sun_colour"])[:3]],
        "meshes": {colour: list(rgb(colour)[:3]) for colour in parts},
    }  # fmt: skip
    (folder / "scene.json").write_text(json.dumps(scene), encoding="utf-8")


def _triangles(made: Any) -> list[tuple[str, NDArray[np.float32]]]:
    """An object's triangles [N, 3, 3] in the street, by colour."""
    mesh = made.data
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    corners, slots = np.empty(count * 3, np.int32), np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    mesh.loop_triangles.foreach_get("material_index", slots)
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    turned = np.array(made.matrix_world, np.float32)
    placed = points.reshape(-1, 3) @ turned[:3, :3].T + turned[:3, 3]
    found = placed[corners.reshape(-1, 3)]
    return [
        (colour_of(material.name), found[slots == slot])
        for slot, material in enumerate(mesh.materials)
    ]


def _write_ply(path: Path, triangles: NDArray[np.float32]) -> None:
    count = len(triangles)
    head = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {3 * count}\nproperty float x\n"
        f"property float y\nproperty float z\nelement face {count}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    faces = np.empty(count, np.dtype([("n", "u1"), ("i", "<i4", 3)]))
    faces["n"], faces["i"] = 3, np.arange(3 * count).reshape(-1, 3)
    path.write_bytes(head.encode() + triangles.astype("<f4").tobytes() + faces.tobytes())


def _even_light(sky: list[float]) -> None:
    tree = bpy.context.scene.world.node_tree
    background = tree.nodes["Background"]
    for link in list(background.inputs[0].links):
        tree.links.remove(link)
    background.inputs[0].default_value, background.inputs[1].default_value = [*sky[:3], 1.0], 1.0
    for lamp in bpy.data.lights:
        lamp.angle = 0.0


def render(stage: Stage, run: Run, folder: Path) -> float:
    """Render one run into `folder`; returns the CPU seconds it took."""
    scene = stage.scene
    cycles, path = scene.cycles, folder / f"{run['name']}.exr"
    cycles.samples, cycles.seed, cycles.use_denoising = run["samples"], run["seed"], run["denoise"]
    cycles.use_adaptive_sampling, cycles.pixel_filter_type = False, "BOX"
    cycles.sample_clamp_indirect = 0.0
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.color_depth = "OPEN_EXR", "RGB", "32"
    scene.render.filepath = str(path)
    before_s = time.process_time()
    bpy.ops.render.render(write_still=True)
    spent_s = time.process_time() - before_s
    loaded = bpy.data.images.load(str(path))
    loaded.colorspace_settings.name = "Non-Color"
    pixels = np.empty(loaded.size[0] * loaded.size[1] * loaded.channels, np.float32)
    loaded.pixels.foreach_get(pixels)
    rows = pixels.reshape(loaded.size[1], loaded.size[0], -1)[::-1, :, :3]
    np.save(path.with_suffix(".npy"), rows)
    bpy.data.images.remove(loaded)
    path.unlink()
    return spent_s


def main() -> None:
    """Render the runs of a JSON file: `{folder, job, runs}`; writes `cycles.json` with seconds."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(order["folder"])
    stage = Stage(order["job"])
    for item in order["items"]:
        stage.put(item)
    bpy.context.view_layer.update()
    export(stage, folder)
    seconds = {run["name"]: render(stage, run, folder) for run in order["runs"]}
    (folder / "cycles.json").write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
