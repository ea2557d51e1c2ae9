"""int8 variants for onnxruntime, calibrated on training pictures; refused if they lose too much."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from models.training.detector import OnnxDetector, letterbox
from models.training.errors import RefusedError
from models.training.export import draft_folder
from models.training.judging import val_pictures
from models.training.precision import mean_ap50
from models.training.prepared import Prepared
from models.training.recipe import Recipe

CALIBRATION_PICTURES = 96
DROP_MAX = 0.01


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Letterboxed training pictures, one at a time."""

    def __init__(self, prepared: Prepared, height: int, width: int) -> None:
        numbers = np.random.default_rng(0).choice(len(prepared.items), CALIBRATION_PICTURES)
        self._batches = iter(
            {"images": letterbox(prepared.picture(int(n)), height, width)[0][None, :, :, ::-1]}
            for n in numbers
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input, or None at the end."""
        batch = next(self._batches, None)
        return batch and {"images": np.ascontiguousarray(batch["images"])}


def _last_convolutions(path: Path) -> list[str]:
    """Return the names of the head's convolutions: they stay in float."""
    nodes = onnx.load(path).graph.node
    return [n.name for n in nodes if n.op_type == "Conv" and "/model.23/" in n.name]


def quantise(recipe: Recipe, folder: Path, height: int, width: int) -> tuple[Path, float]:
    """Write the int8 variant of one size; return it and its loss of mean AP50 on val.

    Raises RefusedError, and removes the file, where the loss exceeds one point.
    """
    source = draft_folder(folder, recipe) / f"{recipe.name}-{height}x{width}.onnx"
    target = source.with_name(f"{source.stem}-int8.onnx")
    plain = folder / "quantise.onnx"
    quant_pre_process(str(source), str(plain), skip_symbolic_shape=True)
    quantize_static(
        str(plain),
        str(target),
        _Reader(Prepared(folder / "prepared"), height, width),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=_last_convolutions(plain),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    plain.unlink()
    pictures = val_pictures(recipe)
    before, after = (mean_ap50(OnnxDetector(path), pictures) for path in (source, target))
    loss = before - after
    if loss > DROP_MAX:
        target.unlink()
        raise RefusedError(f"{target.name} loses {100 * loss:.1f} AP50 points on val; not written")
    return target, loss
