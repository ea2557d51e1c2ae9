"""ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edge_agent.errors import ModelError

_FAILURES = (
    ort_errors.Fail,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidArgument,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class OnnxRuntimeSession:
    """A network in ONNX Runtime; with the same `threads` the same input gives the same output."""

    def __init__(self, path: Path, *, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Idle threads that spin would take the cores from decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except _FAILURES as error:
            raise ModelError(f"model {path}: ONNX Runtime cannot load it ({error})") from None
        self._input = self._session.get_inputs()[0]
        shape = self._input.shape
        if self._input.type != "tensor(uint8)" or len(shape) != 4 or shape[3] != 3:
            raise ModelError(
                f"model {path}: input is {self._input.type} {shape}; "
                "uint8 [batch, height, width, 3] was expected"
            )
        self._height, self._width = int(shape[1]), int(shape[2])
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
            output = self._session.run(None, {self._input.name: batch})[0]
        except _FAILURES as error:
            raise ModelError(f"model {self._path}: inference failed ({error})") from None
        return np.asarray(output, np.float32)
