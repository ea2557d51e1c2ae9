"""OpenVINO on the CPU: an extra, in bf16 by itself where the processor has it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError

try:
    import openvino
except ModuleNotFoundError as missing:
    raise ModelError(
        "runtime openvino is not installed; run: pip install 'gridwatch[openvino]', "
        "or set runtime: onnxruntime"
    ) from missing


class OpenVinoSession:
    """A network in OpenVINO."""

    def __init__(self, path: Path, *, threads: int) -> None:
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        try:
            model = openvino.Core().read_model(path)
            self._network = openvino.compile_model(model, "CPU", hints)
        except RuntimeError as error:
            raise ModelError(f"model {path}: OpenVINO cannot load it ({error})") from None
        shape = self._network.input(0).get_partial_shape()
        self._height, self._width = int(shape[1].get_length()), int(shape[2].get_length())
        self._path = path

    @property
    def height(self) -> int:
        """Height of the input, pixels."""
        return self._height

    @property
    def width(self) -> int:
        """Width of the input, pixels."""
        return self._width

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run RGB pictures [N, height, width, 3]; see `Session.infer`."""
        try:
            return np.array(self._network(batch)[0], np.float32)
        except RuntimeError as error:
            raise ModelError(f"model {self._path}: inference failed ({error})") from None
