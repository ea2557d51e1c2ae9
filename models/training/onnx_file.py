"""One trained network as one ONNX file: uint8 NHWC RGB in, 300 boxes out."""

import hashlib
import warnings
from pathlib import Path

import torch
from torch import nn

from models.training.recipe import Head
from models.training.toolkit import fused_for_inference

OPSET = 17
BEST = 300
CANDIDATES = 600
SAME_IOU = 0.65


class ByteDetector(nn.Module):
    """A fused detector that takes bytes, scales inside the graph and drops its own duplicates."""

    def __init__(self, fused: nn.Module) -> None:
        super().__init__()
        self.fused = fused

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Turn uint8 [N, H, W, 3] into float32 [N, 300, 6]: xyxy in input pixels, score, class."""
        rows = self.fused(images.permute(0, 3, 1, 2).float() / 255.0)
        if rows.shape[1] != BEST:
            rows = _best_rows(rows)
        rows = without_duplicates(rows)
        order = rows[..., 4].topk(BEST, dim=1)[1]
        return rows.gather(1, order[..., None].expand(-1, -1, 6))


def _best_rows(raw: torch.Tensor) -> torch.Tensor:
    """Return a one-to-many head's best rows [N, CANDIDATES, 6] of [N, 4 + classes, anchors].

    A place gives a row for each class: between two states of one thing, both are told.
    """
    boxes, scores = raw[:, :4].transpose(1, 2), raw[:, 4:].transpose(1, 2)
    classes = scores.shape[2]
    top, index = scores.flatten(1).topk(CANDIDATES, dim=1)
    place = torch.div(index, classes, rounding_mode="floor")
    boxes = boxes.gather(1, place[..., None].expand(-1, -1, 4))
    kind = (index - place * classes).float()
    return torch.cat([boxes, top[..., None], kind[..., None]], dim=2)


def without_duplicates(rows: torch.Tensor) -> torch.Tensor:
    """Set scores of rows [N, K, 6] to 0 that a better one of the class overlaps; best come first.

    One pass, as YOLACT's fast NMS: a suppressed row still suppresses. Also NMS-free heads repeat
    themselves while they are young.
    """
    x1, y1, x2, y2, score, kind = rows.unbind(2)
    low_x, low_y = (
        torch.maximum(x1[:, :, None], x1[:, None]),
        torch.maximum(y1[:, :, None], y1[:, None]),
    )
    high_x, high_y = (
        torch.minimum(x2[:, :, None], x2[:, None]),
        torch.minimum(y2[:, :, None], y2[:, None]),
    )
    shared = (high_x - low_x).clamp(min=0) * (high_y - low_y).clamp(min=0)
    area = (x2 - x1) * (y2 - y1)
    same = (shared > SAME_IOU * (area[:, :, None] + area[:, None] - shared)) & (
        kind[:, :, None] == kind[:, None]
    )
    worse = torch.ones(rows.shape[1], rows.shape[1]).triu(1) > 0  # [better, worse]
    repeated = (same & worse).any(dim=1)
    return torch.cat([rows[..., :4], (score * ~repeated)[..., None], kind[..., None]], dim=2)


def write_onnx(model: nn.Module, path: Path, height: int, width: int, head: Head) -> None:
    """Write ``model`` (fused in place) for one input size; the batch axis stays free."""
    detector = ByteDetector(fused_for_inference(model, head)).eval()
    example = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the tracing exporter says that it is old; it is also the one that works here
        torch.onnx.export(
            detector,
            (example,),
            str(path),
            input_names=["images"],
            output_names=["detections"],
            dynamic_axes={"images": {0: "batch"}, "detections": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
