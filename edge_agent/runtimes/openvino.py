"""OpenVINO on the CPU: an extra. Its bf16 is the fastest where the processor has it."""

import queue
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.runtimes import Choice

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import openvino
except ModuleNotFoundError as missing:
    raise ModelError(
        "runtime openvino is not installed; run: pip install 'gridwatch[openvino]', "
        "or set runtime: onnxruntime"
    ) from missing

PRECISIONS = {"FP32": "f32", "BF16": "bf16"}


def precisions() -> tuple[str, ...]:
    """Name the float precisions that OpenVINO computes in on this CPU."""
    there = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(ours for theirs, ours in PRECISIONS.items() if theirs in there)


class OpenVinoSession:
    """A network in OpenVINO, compiled once for exactly `choice.batch` pictures.

    A fixed shape is a fifth faster than a free one. Each inference takes one of the requests that
    wait in a queue, so that any thread may infer and as many run at once as there are streams.
    """

    def __init__(self, path: Path, choice: Choice) -> None:
        hints = {
            "NUM_STREAMS": choice.streams,
            "INFERENCE_NUM_THREADS": choice.streams * choice.threads,
            "INFERENCE_PRECISION_HINT": choice.precision,
            # Decoding shares the cores: a stream bound to a busy one would wait beside an idle one.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = openvino.Core().read_model(path)
            shape = model.input(0).get_partial_shape()
            self._height, self._width = int(shape[1].get_length()), int(shape[2].get_length())
            model.reshape([choice.batch, self._height, self._width, 3])
            network = openvino.compile_model(model, "CPU", hints)
            self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
            # One more than streams, so that none idles while a thread prepares its next picture.
            for _ in range(choice.streams + 1):
                self._requests.put(network.create_infer_request())
        except RuntimeError as error:
            raise ModelError(f"model {path}: OpenVINO cannot load it ({error})") from None
        self._batch = choice.batch
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
        parts = [batch[at : at + self._batch] for at in range(0, len(batch), self._batch)]
        with self._request() as request:
            return np.concatenate([self._run(request, part) for part in parts])[: len(batch)]

    def _run(self, request: Any, part: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(part) < self._batch:
            filling = np.zeros((self._batch - len(part), *part.shape[1:]), np.uint8)
            part = np.concatenate([part, filling])
        try:
            request.infer([np.ascontiguousarray(part)], share_inputs=True)
        except RuntimeError as error:
            raise ModelError(f"model {self._path}: inference failed ({error})") from None
        # A copy: the request's own memory is written by its next inference.
        return np.array(request.get_output_tensor(0).data, np.float32)

    @contextmanager
    def _request(self) -> "Iterator[Any]":
        request = self._requests.get()
        try:
            yield request
        finally:
            self._requests.put(request)
