"""The half that runs in Mitsuba 3's Python: the same meshes, light and camera as Cycles has.

It imports nothing but the standard library, numpy and mitsuba; `blender/plain.py` wrote the scene.
"""

import importlib
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# One light path a bounce as in Cycles with two diffuse bounces.
DEPTH = 4
# A pass holds the state of so many samples a pixel in memory at once.
PASS_SAMPLES = 16


def load(mi: Any, folder: Path) -> Any:
    """The scene that `scene.json` and the PLY files describe."""
    spec = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    camera = spec["camera"]
    heading, down = math.radians(camera["heading_deg"]), math.radians(camera["down_deg"])
    at = np.array(camera["at"], float)
    ahead = [
        math.cos(heading) * math.cos(down),
        math.sin(heading) * math.cos(down),
        -math.sin(down),
    ]
    scene: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": DEPTH, "rr_depth": 100},
        "sensor": {
            "type": "perspective", "near_clip": 0.1, "far_clip": 500.0, "fov_axis": "x",
            "fov": math.degrees(2 * math.atan(camera["width"] / 2 / camera["focal_px"])),
            "to_world": mi.ScalarTransform4f().look_at(
                origin=at.tolist(), target=(at + ahead).tolist(), up=[0, 0, 1]
            ),
            "film": {
                "type": "hdrfilm", "width": camera["width"], "height": camera["height"],
                "rfilter": {"type": "box"}, "pixel_format": "rgb",
            },
            "sampler": {"type": "multijitter", "sample_count": PASS_SAMPLES},
        },
        "sky": {"type": "constant", "radiance": {"type": "rgb", "value": spec["sky"]}},
        "sun": {
            "type": "directional", "direction": spec["sun_towards"],
            "irradiance": {"type": "rgb", "value": spec["sun"]},
        },
    }  # fmt: skip
    for colour, albedo in spec["meshes"].items():
        matt = {"type": "diffuse", "reflectance": {"type": "rgb", "value": albedo}}
        scene[colour[1:]] = {
            "type": "ply", "filename": str(folder / f"{colour[1:]}.ply"), "face_normals": True,
            "bsdf": {"type": "twosided", "bsdf": matt},
        }  # fmt: skip
    return mi.load_dict(scene)


def render(mi: Any, scene: Any, samples: int, seed: int) -> NDArray[np.float32]:
    """Linear light, [height, width, 3], in passes that fit into memory."""
    total: Any = 0.0
    left, number = samples, 0
    while left > 0:
        now = min(left, PASS_SAMPLES)
        part = mi.render(scene, spp=now, seed=seed + number)
        total = total + np.array(part, np.float32) * np.float32(now / samples)
        left, number = left - now, number + 1
    return np.asarray(total, np.float32)


def main() -> None:
    """Render the runs of a JSON file: `{folder, variant, runs}`; writes `<variant>.json`."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, variant = Path(order["folder"]), order["variant"]
    mi = importlib.import_module("mitsuba")
    mi.set_variant(variant)
    scene, seconds = load(mi, folder), {}
    for run in order["runs"]:
        before_s = time.process_time()
        made = render(mi, scene, run["samples"], run["seed"])
        seconds[run["name"]] = time.process_time() - before_s
        np.save(folder / f"{run['name']}.npy", made)
    (folder / f"{variant}.json").write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
