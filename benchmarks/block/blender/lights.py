"""Sun, dusk, night with lamps, rain: the sky, the sun and the lamps of a light."""

import math
from typing import Any

import bpy

from benchmarks.block.blender.materials import rgb, wetness

Light = dict[str, Any]


def prepare(light: Light) -> None:
    """Tell the materials how wet it is and how bright the windows are; before anything is built."""
    wetness["value"] = light["wet"]
    wetness["windows"] = light["windows"]


def sky(light: Light) -> None:
    """Set the world: a gradient from the horizon up, lit by strength."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    tree = world.node_tree
    where = tree.nodes.new("ShaderNodeTexCoord")
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    tree.links.new(where.outputs["Generated"], split.inputs[0])
    tree.links.new(split.outputs["Z"], ramp.inputs[0])
    ramp.color_ramp.elements[0].color = rgb(light["horizon"])
    ramp.color_ramp.elements[1].color = rgb(light["zenith"])
    ramp.color_ramp.elements[1].position = 0.6
    background = tree.nodes["Background"]
    tree.links.new(ramp.outputs[0], background.inputs[0])
    background.inputs[1].default_value = light["sky"]


def sun(light: Light) -> None:
    """Add the sun, unless the light has none."""
    if not light["sun"]:
        return
    data = bpy.data.lights.new("sun", "SUN")
    data.energy, data.angle = light["sun"], math.radians(light["sun_size_deg"])
    data.color = rgb(light["sun_colour"])[:3]
    lamp = bpy.data.objects.new("sun", data)
    high, turn = math.radians(light["sun_height_deg"]), math.radians(light["sun_turn_deg"])
    lamp.rotation_euler = (math.pi / 2 - high, 0, turn)
    bpy.context.collection.objects.link(lamp)


def street_lamp(light: Light, at: tuple[float, float, float]) -> None:
    """Switch a street lamp on, where the light has lamps."""
    if not light["lamps"]:
        return
    data = bpy.data.lights.new("lamp", "SPOT")
    data.energy, data.color = light["lamps"], rgb("#ffc98a")[:3]
    data.spot_size, data.spot_blend, data.shadow_soft_size = math.radians(150), 0.6, 0.25
    lamp = bpy.data.objects.new("lamp", data)
    lamp.location = at
    bpy.context.collection.objects.link(lamp)
