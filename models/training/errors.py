"""What can go wrong in the workshop.

WorkshopError
├── RecipeError      a recipe that cannot be followed
├── DataError        shared data or weights that are absent or damaged
└── RefusedError     a result that must not be shipped
"""


class WorkshopError(Exception):
    """Any failure with a message for the person at the keyboard."""


class RecipeError(WorkshopError):
    """The recipe asks for something unknown or impossible."""


class DataError(WorkshopError):
    """A picture, label or weight file is absent or damaged."""


class RefusedError(WorkshopError):
    """A file was made, but it is too poor or too different to be shipped."""
