"""ONNX Runtime: on the CPU, or through another execution provider where one is installed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edge_agent.errors import ModelError
from edge_agent.runtimes import Choice

_FAILURES = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidArgument,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}


def providers() -> tuple[str, ...]:
    """Name the execution providers that this build of ONNX Runtime has, of those we know."""
    there = ort.get_available_providers()
    return tuple(name for name, theirs in PROVIDERS.items() if theirs in there)


class OnnxRuntimeSession:
    """A network in ONNX Runtime; with the same `threads` the same input gives the same output.

    One session serves all threads: an inference of one thread runs on the caller's own, and the
    weights are held once.
    """

    def __init__(self, path: Path, choice: Choice) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = choice.threads
        options.inter_op_num_threads = 1
        # Idle threads that spin would take the cores from decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                str(path), sess_options=options, providers=_wanted(choice)
            )
        except _FAILURES as error:
            raise ModelError(f"model {path}: ONNX Runtime cannot load it ({error})") from None
        if (theirs := PROVIDERS[choice.provider]) not in self._session.get_providers():
            raise ModelError(
                f"model {path}: ONNX Runtime fell back from {theirs} to the CPU; check the driver, "
                "or set runtime: auto"
            )
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


def _wanted(choice: Choice) -> list[str | tuple[str, dict[str, Any]]]:
    """Name the provider with its options; never a silent second one before the CPU."""
    if choice.provider not in PROVIDERS:
        raise ModelError(
            f"ONNX Runtime provider {choice.provider!r} is not known; "
            f"{', '.join(PROVIDERS)} were expected"
        )
    half = choice.precision == "f16"
    options: dict[str, dict[str, Any]] = {
        "tensorrt": {"trt_fp16_enable": half},
        "openvino": {"device_type": "CPU", "num_streams": choice.streams},
    }
    theirs = PROVIDERS[choice.provider]
    if choice.provider == "cpu":
        return [theirs]
    return [(theirs, options.get(choice.provider, {})), PROVIDERS["cpu"]]
