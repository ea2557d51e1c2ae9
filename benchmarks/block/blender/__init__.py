"""The half that runs inside Blender's Python: geometry, materials, light and rendering.

It imports nothing but the standard library, numpy and bpy, so that Blender's own interpreter (which
pins an older numpy than the rest) runs it; the other half talks to it in JSON files.
"""
