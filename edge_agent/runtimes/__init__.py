"""Inference runtimes behind one small protocol."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Session(Protocol):
    """One loaded network; used by one thread at a time."""

    @property
    def height(self) -> int:
        """Height of the input, pixels."""
        ...

    @property
    def width(self) -> int:
        """Width of the input, pixels."""
        ...

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run RGB pictures [N, height, width, 3]; returns x1, y1, x2, y2, score, class [N, 300, 6].

        Boxes are pixels of the input, best score first. Raises ModelError.
        """
        ...
