"""What a precision costs and gains: AP50 on val and milliseconds, runtime by runtime."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.training.classes import VAL_CLASSES
from models.training.detector import Boxes, ByteNetwork, OnnxDetector, Picture
from models.training.errors import DataError
from models.training.metrics import Judged, evaluate_split
from models.training.pictures import LabelledPicture
from models.training.speed import median_ms

OPENVINO_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoDetector(ByteNetwork):
    """An exported detector in OpenVINO, at the precision asked for."""

    def __init__(self, path: Path, precision: str, threads: int = 2) -> None:
        try:
            import openvino  # noqa: PLC0415 - an extra: only who measures it needs it
        except ModuleNotFoundError as missing:
            raise DataError(
                "openvino is not installed: pip install 'gridwatch[openvino]'"
            ) from missing
        self._network = openvino.compile_model(
            openvino.Core().read_model(path),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": OPENVINO_HINTS[precision],
            },
        )
        shape = self._network.input(0).get_partial_shape()
        self.height, self.width = int(shape[1].get_length()), int(shape[2].get_length())

    def raw(self, batch: Picture) -> Boxes:
        """Return float32 [N, 300, 6] for uint8 [N, H, W, 3] RGB."""
        return np.array(self._network(batch)[0], np.float32)


@dataclass(frozen=True)
class Variant:
    """One way to run a file, with what it costs and gains."""

    runtime: str
    precision: str
    ap50: float  # mean over the classes of val
    ms_1: float  # milliseconds a picture on one thread
    ms_2: float  # on two


def mean_ap50(network: ByteNetwork, pictures: list[LabelledPicture]) -> float:
    """Return the mean AP50 of a network over the classes of val."""
    judged = []
    for item in pictures:
        picture = item.read()
        h, w = picture.shape[:2]
        rows = item.rows(w, h)
        judged.append(Judged(item.name, (w, h), rows, rows[:0], network(picture)))
    return float(np.mean([s.ap50 for s in evaluate_split("val", judged, VAL_CLASSES, 1)]))


def open_variant(path: Path, runtime: str, precision: str, threads: int) -> ByteNetwork:
    """Open a file in a runtime at a precision; the int8 variant is its own file beside it."""
    if runtime == "openvino":
        return OpenVinoDetector(path, precision, threads)
    variant = path.with_name(f"{path.stem}-int8.onnx") if precision == "int8" else path
    if not variant.is_file():
        raise DataError(f"no file {variant}: run 'export', for int8 'quantise'")
    return OnnxDetector(variant, threads)


def compare_precisions(
    path: Path, pictures: list[LabelledPicture], rounds: int
) -> Iterator[Variant]:
    """Yield each runtime and precision of one exported file; int8 where it was written."""
    kinds = [("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")]
    if path.with_name(f"{path.stem}-int8.onnx").is_file():
        kinds.append(("onnxruntime", "int8"))
    for runtime, precision in kinds:
        one, two = (open_variant(path, runtime, precision, threads) for threads in (1, 2))
        yield Variant(
            runtime,
            precision,
            mean_ap50(two, pictures),
            median_ms(one, rounds),
            median_ms(two, rounds),
        )
