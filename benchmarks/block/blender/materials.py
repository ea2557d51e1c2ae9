"""Procedural materials by name: `kind` or `kind:#rrggbb[:strength]`; no pictures anywhere."""

from collections.abc import Callable
from typing import Any

import bpy

# Set by the light before anything is built: wet ground shines.
wetness = {"value": 0.0, "windows": 0.0}

Nodes = Any


def material(name: str) -> Any:
    """The material of that name, made at its first use."""
    if name in bpy.data.materials:
        return bpy.data.materials[name]
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    kind, *arguments = name.split(":")
    colour = rgb(arguments[0]) if arguments and arguments[0] else (0.5, 0.5, 0.5, 1.0)
    number = float(arguments[1]) if len(arguments) > 1 else 1.0
    KINDS[kind](made.node_tree, colour, number)
    return made


def rgb(text: str) -> tuple[float, float, float, float]:
    """Linear colour of `#rrggbb`."""
    values = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return r, g, b, 1.0


def _principled(tree: Nodes, **inputs: Any) -> Any:
    node = tree.nodes["Principled BSDF"]
    for name, value in inputs.items():
        node.inputs[
            name.replace("_", " ").capitalize() if name.islower() else name
        ].default_value = value
    return node


def _set(node: Any, values: dict[str, Any]) -> Any:
    for name, value in values.items():
        node.inputs[name].default_value = value
    return node


def _node(tree: Nodes, kind: str, values: dict[str, Any] | None = None, **attributes: Any) -> Any:
    node = tree.nodes.new(kind)
    for name, value in attributes.items():
        setattr(node, name, value)
    return _set(node, values or {})


def _coordinates(tree: Nodes) -> Any:
    """World position, so that neighbouring objects never repeat a pattern."""
    return tree.nodes.new("ShaderNodeNewGeometry").outputs["Position"]


def _object_coordinates(tree: Nodes) -> Any:
    return tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]


def _noise(tree: Nodes, where: Any, scale: float, detail: float = 4.0) -> Any:
    node = _node(tree, "ShaderNodeTexNoise", {"Scale": scale, "Detail": detail})
    tree.links.new(where, node.inputs["Vector"])
    return node.outputs[0]


def _range(tree: Nodes, value: Any, low: float, high: float, to: tuple[float, float]) -> Any:
    node = _node(
        tree, "ShaderNodeMapRange",
        {"From Min": low, "From Max": high, "To Min": to[0], "To Max": to[1]},
    )  # fmt: skip
    tree.links.new(value, node.inputs["Value"])
    return node.outputs[0]


def _mix(tree: Nodes, factor: Any, one: Any, other: Any) -> Any:
    node = _node(tree, "ShaderNodeMix", data_type="RGBA")
    for socket, value in ((node.inputs[0], factor), (node.inputs[6], one), (node.inputs[7], other)):
        if hasattr(value, "is_linked"):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[2]


def _bump(tree: Nodes, height: Any, strength: float, distance: float = 0.01) -> None:
    node = _node(tree, "ShaderNodeBump", {"Strength": strength, "Distance": distance})
    tree.links.new(height, node.inputs["Height"])
    tree.links.new(node.outputs[0], tree.nodes["Principled BSDF"].inputs["Normal"])


def _colour(tree: Nodes, source: Any) -> None:
    tree.links.new(source, tree.nodes["Principled BSDF"].inputs["Base Color"])


def _scaled(colour: Any, factor: float) -> tuple[float, float, float, float]:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor, 1.0


def _dirty(tree: Nodes, colour: Any, roughness: float, dirt: float, metal: float = 0.0) -> None:
    """A plain colour, darkened in patches."""
    node = _set(tree.nodes["Principled BSDF"], {"Roughness": roughness, "Metallic": metal})
    patches = _range(tree, _noise(tree, _coordinates(tree), 2.2, 6), 0.35, 0.75, (0.0, dirt))
    tree.links.new(_mix(tree, patches, colour, _scaled(colour, 0.35)), node.inputs["Base Color"])


def _wet(tree: Nodes, dry: float) -> None:
    """Roughness of ground: with rain it shines, most where puddles stand."""
    wet = wetness["value"]
    node = tree.nodes["Principled BSDF"]
    if wet == 0.0:
        node.inputs["Roughness"].default_value = dry
        return
    puddles = _range(tree, _noise(tree, _coordinates(tree), 0.35, 3), 0.45, 0.6, (dry * 0.55, 0.06))
    tree.links.new(puddles, node.inputs["Roughness"])


def _asphalt(tree: Nodes, _: Any, _number: float) -> None:
    where = _coordinates(tree)
    dark, light = (0.055, 0.055, 0.058, 1.0), (0.15, 0.148, 0.143, 1.0)
    if wetness["value"]:
        dark, light = _scaled(dark, 0.55), _scaled(light, 0.5)
    broad = _range(tree, _noise(tree, where, 0.25, 5), 0.3, 0.7, (0.0, 1.0))
    base = _mix(tree, broad, dark, light)
    grain = _range(tree, _noise(tree, where, 60, 2), 0.3, 0.7, (0.0, 0.45))
    speckled = _mix(tree, grain, base, (0.2, 0.2, 0.2, 1.0))
    crack = _node(tree, "ShaderNodeTexVoronoi", {"Scale": 0.2}, feature="DISTANCE_TO_EDGE")
    warp = _node(tree, "ShaderNodeVectorMath", operation="ADD")
    tree.links.new(where, warp.inputs[0])
    noise = _node(tree, "ShaderNodeTexNoise", {"Scale": 1.3, "Detail": 5.0})
    tree.links.new(where, noise.inputs["Vector"])
    tree.links.new(noise.outputs[1], warp.inputs[1])
    tree.links.new(warp.outputs[0], crack.inputs["Vector"])
    lines = _range(tree, crack.outputs[0], 0.0, 0.004, (0.5, 0.0))
    fades = _range(tree, _noise(tree, where, 0.5, 2), 0.45, 0.6, (0.0, 1.0))
    both = _node(tree, "ShaderNodeMath", operation="MULTIPLY")
    tree.links.new(lines, both.inputs[0])
    tree.links.new(fades, both.inputs[1])
    _colour(tree, _mix(tree, both.outputs[0], speckled, (0.03, 0.03, 0.03, 1.0)))
    _wet(tree, 0.85)
    _bump(tree, grain, 0.35, 0.004)


def _paving(tree: Nodes, colour: Any, size: float) -> None:
    where = _coordinates(tree)
    brick = _node(
        tree, "ShaderNodeTexBrick",
        {"Scale": 1.0, "Mortar Size": 0.012, "Brick Width": 0.6 * size, "Row Height": 0.3 * size,
         "Color1": colour, "Color2": _scaled(colour, 0.72), "Mortar": _scaled(colour, 0.3)},
    )  # fmt: skip
    tree.links.new(where, brick.inputs["Vector"])
    stains = _range(tree, _noise(tree, where, 0.8, 6), 0.45, 0.75, (0.0, 0.6))
    damp = 0.55 if wetness["value"] else 1.0
    _colour(tree, _mix(tree, stains, brick.outputs["Color"], _scaled(colour, 0.3 * damp)))
    _wet(tree, 0.75)
    _bump(tree, brick.outputs["Fac"], -0.4, 0.006)


def _marking(tree: Nodes, colour: Any, _number: float) -> None:
    where = _coordinates(tree)
    worn = _range(tree, _noise(tree, where, 9, 6), 0.42, 0.62, (0.0, 0.75))
    _colour(tree, _mix(tree, worn, colour, (0.1, 0.1, 0.1, 1.0)))
    _wet(tree, 0.7)


def _concrete(tree: Nodes, colour: Any, _number: float) -> None:
    where = _coordinates(tree)
    stains = _range(tree, _noise(tree, where, 1.5, 7), 0.35, 0.7, (0.0, 0.7))
    grain = _noise(tree, where, 45, 3)
    _colour(tree, _mix(tree, stains, colour, _scaled(colour, 0.5)))
    _wet(tree, 0.9)
    _bump(tree, grain, 0.3, 0.004)


def _wall(tree: Nodes, colour: Any, _number: float) -> None:
    """A rendered or tiled wall with streaks of rain."""
    where = _coordinates(tree)
    stretch = _node(tree, "ShaderNodeMapping", {"Scale": (2.0, 2.0, 0.18)})
    tree.links.new(where, stretch.inputs["Vector"])
    streaks = _range(tree, _noise(tree, stretch.outputs[0], 1.6, 6), 0.45, 0.75, (0.0, 0.5))
    _colour(tree, _mix(tree, streaks, colour, _scaled(colour, 0.45)))
    _set(tree.nodes["Principled BSDF"], {"Roughness": 0.9})


def _plain(roughness: float, dirt: float, metal: float = 0.0) -> Callable[..., None]:
    def build(tree: Nodes, colour: Any, _number: float) -> None:
        _dirty(tree, colour, roughness, dirt, metal)

    return build


def _bag(tree: Nodes, colour: Any, _number: float) -> None:
    _set(tree.nodes["Principled BSDF"], {"Base Color": colour, "Roughness": 0.28})
    folds = _noise(tree, _object_coordinates(tree), 14, 5)
    _bump(tree, folds, 0.9, 0.03)


def _iron(tree: Nodes, colour: Any, _number: float) -> None:
    """Cast iron or concrete with a raised chequer pattern."""
    where = _object_coordinates(tree)
    turn = _node(tree, "ShaderNodeMapping", {"Rotation": (0, 0, 0.785), "Scale": (26, 26, 0)})
    tree.links.new(where, turn.inputs["Vector"])
    checker = _node(tree, "ShaderNodeTexChecker", {"Scale": 1.0})
    tree.links.new(turn.outputs[0], checker.inputs["Vector"])
    rust = _range(tree, _noise(tree, where, 3.0, 6), 0.4, 0.7, (0.0, 0.6))
    raised = _mix(tree, checker.outputs["Fac"], _scaled(colour, 0.55), colour)
    _colour(tree, _mix(tree, rust, raised, _scaled(colour, 0.6)))
    _set(tree.nodes["Principled BSDF"], {"Roughness": 0.55, "Metallic": 0.2})
    _bump(tree, checker.outputs["Fac"], 0.6, 0.008)


def _paint(tree: Nodes, colour: Any, _number: float) -> None:
    node = tree.nodes["Principled BSDF"]
    _set(node, {"Base Color": colour, "Roughness": 0.3, "Metallic": 0.25, "Coat Weight": 0.6})
    node.inputs["Coat Roughness"].default_value = 0.06


def _glass(tree: Nodes, colour: Any, _number: float) -> None:
    _set(
        tree.nodes["Principled BSDF"],
        {"Base Color": _scaled(colour, 0.12), "Roughness": 0.05, "Metallic": 0.0,
         "Specular IOR Level": 0.9},
    )  # fmt: skip


def _window(tree: Nodes, colour: Any, number: float) -> None:
    """A shop window: dark and shining by day, lit from inside at dusk."""
    _glass(tree, colour, 1.0)
    node = tree.nodes["Principled BSDF"]
    where = _coordinates(tree)
    cells = _node(tree, "ShaderNodeTexVoronoi", {"Scale": 2.4})
    tree.links.new(where, cells.inputs["Vector"])
    shelves = _mix(tree, 0.22, colour, cells.outputs["Color"])
    tree.links.new(shelves, node.inputs["Emission Color"])
    node.inputs["Emission Strength"].default_value = 0.05 + 0.4 * wetness["windows"] * number


def _leaf(tree: Nodes, colour: Any, _number: float) -> None:
    node = tree.nodes["Principled BSDF"]
    shade = _range(tree, _noise(tree, _coordinates(tree), 3.5, 2), 0.3, 0.7, (0.0, 1.0))
    _colour(tree, _mix(tree, shade, _scaled(colour, 0.55), _scaled(colour, 1.5)))
    _set(node, {"Roughness": 0.55, "Transmission Weight": 0.12})


def _emit(tree: Nodes, colour: Any, number: float) -> None:
    _set(
        tree.nodes["Principled BSDF"],
        {"Base Color": colour, "Emission Color": colour, "Emission Strength": number},
    )


def _sign(tree: Nodes, colour: Any, number: float) -> None:
    """A shop sign: painted by day, lit from inside at dusk."""
    _emit(tree, colour, 0.02 + wetness["windows"] * number)
    _set(tree.nodes["Principled BSDF"], {"Roughness": 0.4})


def _black(tree: Nodes, _: Any, _number: float) -> None:
    _set(
        tree.nodes["Principled BSDF"], {"Base Color": (0.002, 0.002, 0.002, 1.0), "Roughness": 1.0}
    )


KINDS: dict[str, Callable[[Any, Any, float], None]] = {
    "asphalt": _asphalt, "paving": _paving, "marking": _marking, "concrete": _concrete,
    "wall": _wall, "plastic": _plain(0.38, 0.35), "cloth": _plain(0.9, 0.3),
    "wood": _plain(0.8, 0.6),
    "skin": _plain(0.6, 0.05), "metal": _plain(0.35, 0.3, 0.8), "rubber": _plain(0.8, 0.2),
    "fruit": _plain(0.4, 0.15), "matt": _plain(0.85, 0.15), "bag": _bag, "iron": _iron,
    "paint": _paint, "glass": _glass, "window": _window, "leaf": _leaf, "emit": _emit,
    "sign": _sign, "black": _black,
}  # fmt: skip
