"""The only door to ultralytics and safetensors: build, load, save, fuse."""

import importlib.metadata
import logging
import os
import types
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.training.errors import DataError
from models.training.recipe import Head

DETECT_GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}  # ultralytics' defaults


@cache
def _ultralytics_tasks() -> types.ModuleType:
    """Import ``ultralytics.nn.tasks``, also where torchvision is not installed.

    Ultralytics asks for torchvision's version at import and needs nothing else of it here.
    """
    os.environ.setdefault("YOLO_OFFLINE", "1")
    true_version = importlib.metadata.version

    def version(distribution_name: str) -> str:
        try:
            return true_version(distribution_name)
        except importlib.metadata.PackageNotFoundError:
            if distribution_name != "torchvision":
                raise
            return "0.28.0"

    importlib.metadata.version = version
    try:
        from ultralytics.nn import tasks  # noqa: PLC0415 - heavy, and only with the answer above
    finally:
        importlib.metadata.version = true_version
    logging.getLogger("ultralytics").setLevel(
        logging.WARNING
    )  # it narrates every network it builds
    return tasks


def build_model(architecture: str, class_count: int) -> nn.Module:
    """Return an untrained detector of the named ultralytics architecture."""
    model = cast(
        "nn.Module",
        _ultralytics_tasks().DetectionModel(architecture, nc=class_count, verbose=False),
    )
    model.args = types.SimpleNamespace(**DETECT_GAINS, epochs=100)  # type: ignore[assignment]
    return model


def load_weights(model: nn.Module, path: Path) -> int:
    """Load every tensor of ``path`` whose name and shape match; return how many did not.

    Raises DataError where the file is absent or nothing matches.
    """
    if not path.is_file():
        msg = f"no weights at {path}: name an existing .safetensors file in the recipe"
        raise DataError(msg)
    given = load_file(path)
    own = model.state_dict()
    fitting = {
        k: v.to(own[k].dtype) for k, v in given.items() if k in own and own[k].shape == v.shape
    }
    if not fitting:
        msg = f"{path} holds no tensor that fits this architecture"
        raise DataError(msg)
    model.load_state_dict({**own, **fitting})
    return len(own) - len(fitting)


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the model's state as float32 safetensors, whole or not at all."""
    state = {k: v.detach().contiguous().clone() for k, v in model.state_dict().items()}
    part = path.with_suffix(".part")
    save_file(state, part)
    part.replace(path)


def save_halved(source: Path, target: Path) -> None:
    """Copy weights as float16: half the size, and good enough to start another training from."""
    state = load_file(source)
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, target)
    target.chmod(0o644)


def fused_for_inference(model: nn.Module, head: Head) -> nn.Module:
    """Return the model in place with batch-norms folded and only the named head left.

    Its output is [N, 4 + classes, anchors] (xyxy in input pixels, scores) for one_to_many, and the
    best 300 rows [N, 300, 6] for one_to_one.
    """
    model.eval()
    detect = cast("Any", model).model[-1]
    detect.end2end = head == "one_to_one" and getattr(detect, "one2one_cv2", None) is not None
    cast("Any", model).fuse(verbose=False)
    detect.export, detect.format, detect.dynamic, detect.shape, detect.xyxy = (
        True,
        "onnx",
        False,
        None,
        True,
    )
    return model


def detection_losses() -> types.ModuleType:
    """Return ultralytics' loss module (imported through the same door)."""
    _ultralytics_tasks()
    from ultralytics.utils import loss  # noqa: PLC0415 - behind the same door

    return loss


def pick_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
