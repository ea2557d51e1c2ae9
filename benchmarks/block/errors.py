"""What can go wrong in the block.

BlockError
├── ScriptError    a day script that cannot be used
└── RenderError    Blender is missing or failed, or a picture that should be there is not
"""


class BlockError(Exception):
    """Base of all errors of the block; the message says what to do."""


class ScriptError(BlockError):
    """A day script that cannot be used; the message names file and key."""


class RenderError(BlockError):
    """Blender is missing or failed, or a rendered picture is missing."""
