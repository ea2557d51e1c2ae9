"""Inference runtimes behind one small protocol."""

from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

Runtime = Literal["onnxruntime", "openvino"]

_CLASSES: dict[Runtime, str] = {"onnxruntime": "OnnxRuntimeSession", "openvino": "OpenVinoSession"}


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


def open_session(runtime: Runtime, path: Path, *, threads: int) -> Session:
    """Load a network in a runtime, which is imported only now. Raises ModelError."""
    module = import_module(f"edge_agent.runtimes.{runtime}")
    return cast("Session", getattr(module, _CLASSES[runtime])(path, threads=threads))
