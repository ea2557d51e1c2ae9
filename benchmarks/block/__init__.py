"""A virtual street block of our own: demo clips, exact truth, training pictures, one script.

`geometry` (cameras) → `script` (the day, read from YAML) → `actors` (who is where when) → `truths`,
`site` (truth files, camera files, grid) and `jobs` (what to render) → `compose` (clips). Only
`blender/` needs Blender; everything else is arithmetic.
"""
