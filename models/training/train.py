"""Train: a lean loop on a CPU's bf16 or a GPU, resumable after a kill."""

import copy
import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from models.training.batches import batch_stream, phase_at
from models.training.classes import CLASSES
from models.training.losses import MaskedLoss
from models.training.prepared import Prepared
from models.training.recipe import Recipe, Training, start_weights
from models.training.rendered import rendered_folder
from models.training.toolkit import build_model, load_weights, pick_device, save_weights

GRADIENT_NORM_MAX = 10.0
LOG_EVERY = 10
LOG_FIELDS = (
    "step",
    "seconds",
    "images_per_s",
    "rate",
    "loss",
    "box_loss",
    "cls_loss",
    "l1_loss",
    "dfl_loss",
)


@dataclass
class Run:
    """All that a training run carries from step to step."""

    model: nn.Module
    average: nn.Module  # exponential moving average of the weights: what is shipped
    optimizer: torch.optim.Optimizer
    step: int = 0


def progress_at(training: Training, step: int) -> float:
    """Return how much of the way is done at a step, 0 to 1, by the recipe's ``pace``."""
    knots = [(0, 0.0), *training.pace, (max(training.steps, 1), 1.0)]
    return float(np.interp(step, [k[0] for k in knots], [k[1] for k in knots]))


def rate_at(training: Training, step: int) -> float:
    """Return the learning rate: linear warm-up, then half a cosine down to ``final_share``."""
    if step < training.warmup_steps:
        return training.learning_rate * (step + 1) / training.warmup_steps
    warm = progress_at(training, training.warmup_steps)
    done = (progress_at(training, step) - warm) / max(1 - warm, 1e-9)
    share = training.final_share + (1 - training.final_share) * 0.5 * (1 + math.cos(math.pi * done))
    return training.learning_rate * share


def _optimizer(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return AdamW that decays convolution weights only."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": training.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, 0.999))


def _start(recipe: Recipe, device: torch.device) -> Run:
    model = build_model(recipe.architecture, len(CLASSES))
    load_weights(model, start_weights(recipe))
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Run(model, copy.deepcopy(model).eval(), _optimizer(model, recipe.training))


def _save(run: Run, path: Path) -> None:
    state = {
        "model": run.model.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def _resume(run: Run, path: Path) -> None:
    state = torch.load(path, map_location="cpu", weights_only=True)
    run.model.load_state_dict(state["model"])
    run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.step = int(state["step"])


@torch.no_grad()
def _update_average(run: Run, decay_max: float) -> None:
    """Move the average towards the model; fast at first."""
    decay = decay_max * (1 - math.exp(-(run.step + 1) / 300))
    current = run.model.state_dict()
    for name, kept in run.average.state_dict().items():
        if torch.is_floating_point(kept):
            kept.mul_(decay).add_(current[name].detach(), alpha=1 - decay)
        else:
            kept.copy_(current[name])


def freeze(model: nn.Module, count: int) -> None:
    """Let all but the first ``count`` layers learn; the first cost most and change least.

    The last layer, the head, is left as it is: a part of it may be fixed by design.
    """
    for number, layer in enumerate(list(model.model)[:-1]):  # type: ignore[arg-type]
        for weight in layer.parameters():
            weight.requires_grad_(number >= count)


def _one_step(
    run: Run, loss: MaskedLoss, batch: dict[str, torch.Tensor], recipe: Recipe
) -> dict[str, float]:
    """Do one optimiser step; return the loss' parts."""
    training, device = recipe.training, next(run.model.parameters()).device
    for group in run.optimizer.param_groups:
        group["lr"] = rate_at(training, run.step)
    loss.set_progress(progress_at(training, run.step))
    batch = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
    pictures = batch["img"].float().div_(255).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=training.precision == "bf16"):
        predictions = run.model(pictures)
    total, parts = loss(predictions, batch)
    run.optimizer.zero_grad(set_to_none=True)
    (total / len(pictures)).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.model.parameters(), GRADIENT_NORM_MAX)
    run.optimizer.step()
    _update_average(run, training.ema_decay)
    return {"loss": float(total.detach()) / len(pictures), **parts}


class _Log:
    """Rows of ``log.csv``, one every few steps, with the mean of each number since the last.

    Rows beyond ``step``, from before a kill, are dropped: those steps are taken again.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept: list[dict[str, str]] = []
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as before:
                kept = [row for row in csv.DictReader(before) if int(row["step"]) <= step]
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._stream, LOG_FIELDS, restval="")
        self._writer.writeheader()
        self._writer.writerows(kept)
        self._stream.flush()
        self._rows: list[dict[str, float]] = []
        self._images = 0
        self._since = time.monotonic()

    def add(self, step: int, rate: float, images: int, parts: dict[str, float]) -> str:
        """Take one step's numbers; return a short note for the progress bar."""
        self._rows.append(parts)
        self._images += images
        if len(self._rows) < LOG_EVERY:
            return ""
        seconds = time.monotonic() - self._since
        mean = {k: round(float(np.mean([r[k] for r in self._rows])), 4) for k in parts}
        row = {
            "step": step,
            "seconds": round(seconds, 1),
            "images_per_s": round(self._images / seconds, 1),
        }
        self._writer.writerow({**row, "rate": f"{rate:.2e}", **mean})
        self._stream.flush()
        self._rows, self._images, self._since = [], 0, time.monotonic()
        return f"{row['images_per_s']} images/s, loss {mean['loss']}"


def train(recipe: Recipe, folder: Path) -> Path:
    """Train or go on training; return the weights file (the average of the run).

    Writes ``checkpoint.pt`` every so many steps and ``log.csv`` beside it.
    """
    torch.manual_seed(recipe.seed)
    folders = [folder / "prepared", *([rendered_folder(folder)] if recipe.rendered else [])]
    prepared = Prepared(*folders)
    run = _start(recipe, pick_device())
    checkpoint, weights = folder / "checkpoint.pt", folder / "weights.safetensors"
    if checkpoint.is_file():
        _resume(run, checkpoint)
    loss = MaskedLoss(run.model)
    run.model.train()
    log = _Log(folder / "log.csv", run.step)
    columns = (
        TextColumn("train"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("train", total=recipe.training.steps, completed=run.step, note="")
        for step, batch in batch_stream(prepared, recipe, run.step):
            freeze(run.model, phase_at(recipe, step).frozen)
            parts = _one_step(run, loss, batch, recipe)
            run.step = step + 1
            note = log.add(run.step, rate_at(recipe.training, step), len(batch["img"]), parts)
            progress.update(task, completed=run.step)
            if note:
                progress.update(task, note=note)
            if run.step % recipe.training.checkpoint_every == 0:
                _save(run, checkpoint)
                save_weights(run.average, weights)
    _save(run, checkpoint)
    save_weights(run.average, weights)
    return weights
