"""Run an exported detector: letterbox, infer, boxes back in picture pixels."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

Picture = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
PAD_VALUE = 114


@dataclass(frozen=True)
class Letterbox:
    """How a picture was fitted: scale, then offset, in input pixels."""

    scale: float
    pad_x: int
    pad_y: int

    def to_picture(self, rows: Boxes, width: int, height: int) -> Boxes:
        """Map rows whose first four columns are xyxy back to picture pixels, clipped to it."""
        out = rows.copy()
        out[:, [0, 2]] = ((rows[:, [0, 2]] - self.pad_x) / self.scale).clip(0, width)
        out[:, [1, 3]] = ((rows[:, [1, 3]] - self.pad_y) / self.scale).clip(0, height)
        return out


def letterbox(picture: Picture, height: int, width: int) -> tuple[Picture, Letterbox]:
    """Fit a picture [h, w, 3] into [height, width, 3] without distortion, centred on grey 114."""
    h, w = picture.shape[:2]
    scale = min(height / h, width / w)
    new_w, new_h = round(w * scale), round(h * scale)
    if (new_w, new_h) != (w, h):
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, (new_w, new_h), interpolation=method).astype(np.uint8)
    out = np.full((height, width, 3), PAD_VALUE, np.uint8)
    x, y = (width - new_w) // 2, (height - new_h) // 2
    out[y : y + new_h, x : x + new_w] = picture
    return out, Letterbox(scale, x, y)


class ByteNetwork:
    """An exported network of one input size: pictures in, boxes in picture pixels out."""

    height: int
    width: int

    def raw(self, batch: Picture) -> Boxes:
        """Return float32 [N, 300, 6] for uint8 [N, H, W, 3] RGB."""
        raise NotImplementedError

    def __call__(self, picture_bgr: Picture, score_min: float = 0.01) -> Boxes:
        """Return float32 [n, 6] in picture pixels: x1, y1, x2, y2, score, class; best first."""
        fitted, fit = letterbox(picture_bgr, self.height, self.width)
        rows = self.raw(np.ascontiguousarray(fitted[None, :, :, ::-1]))[0]
        rows = rows[rows[:, 4] >= score_min]
        return fit.to_picture(rows, picture_bgr.shape[1], picture_bgr.shape[0])


class OnnxDetector(ByteNetwork):
    """An exported detector on onnxruntime's CPU provider."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        _, self.height, self.width, _ = self._session.get_inputs()[0].shape

    def raw(self, batch: Picture) -> Boxes:
        """Return float32 [N, 300, 6] for uint8 [N, H, W, 3] RGB."""
        return np.asarray(self._session.run(None, {"images": batch})[0], np.float32)
