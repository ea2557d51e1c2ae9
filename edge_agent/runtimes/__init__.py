"""Inference runtimes behind one small protocol."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

Runtime = Literal["onnxruntime", "openvino"]
Precision = Literal["f32", "bf16", "f16"]

_CLASSES: dict[Runtime, str] = {"onnxruntime": "OnnxRuntimeSession", "openvino": "OpenVinoSession"}


@dataclass(frozen=True, slots=True)
class Choice:
    """How networks are run.

    `streams` inferences run side by side, each on `threads` threads. Pictures are given to the
    network `batch` at a time, which pays on graphics cards and not on CPUs. `provider` is ONNX
    Runtime's (cpu, cuda, tensorrt, openvino); `precision` is what the arithmetic may be rounded to.
    """

    runtime: Runtime = "onnxruntime"
    provider: str = "cpu"
    precision: Precision = "f32"
    streams: int = 1
    threads: int = 1
    batch: int = 1

    def __str__(self) -> str:
        provider = "" if self.provider == "cpu" else f" {self.provider}"
        lanes = f"{self.streams}×{self.threads}"
        return f"{self.runtime}{provider} {self.precision} {lanes}, batch {self.batch}"


class Session(Protocol):
    """One loaded network, shared by all threads: as many may infer at once as it has streams."""

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


def open_session(choice: Choice, path: Path) -> Session:
    """Load a network in a runtime, which is imported only now. Raises ModelError."""
    module = import_module(f"edge_agent.runtimes.{choice.runtime}")
    return cast("Session", getattr(module, _CLASSES[choice.runtime])(path, choice))
