"""Batches of one shape each: sampled, disturbed, with their boxes and class weights."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from models.training.detector import PAD_VALUE, Picture
from models.training.errors import DataError
from models.training.losses import Region, anchor_points, class_weight_map
from models.training.pictures import Rows
from models.training.prepared import Prepared
from models.training.recipe import Phase, Recipe
from models.training.weather import any_weather

STREET_SHAPE = (384, 640)
STREET_PARTS = {"look": 0.45, "tile": 0.35, "frame": 0.2}  # of the real street views, by kind
KEEP_VISIBLE = 0.35
BOX_MIN_PX = 4.0
PICTURE_WEATHER = 0.2
_LOOK_S = 1.0
Generator = np.random.Generator
_Entry = tuple[int, dict[str, torch.Tensor]] | None


@dataclass
class Sample:
    """One training example: BGR [h, w, 3] with rows in its pixels."""

    picture: Picture
    labels: Rows
    unsure: Rows
    regions: list[Region]


def _moved(
    rows: Rows, matrix: npt.NDArray[np.float64], window: tuple[float, float, float, float]
) -> tuple[Rows, Rows]:
    """Scale and shift rows, clip them to ``window``; return the visible and the barely visible."""
    out = rows.copy()
    out[:, [1, 3]] = rows[:, [1, 3]] * matrix[0, 0] + matrix[0, 2]
    out[:, [2, 4]] = rows[:, [2, 4]] * matrix[1, 1] + matrix[1, 2]
    out[:, [1, 3]] = np.sort(out[:, [1, 3]], axis=1)  # a mirrored box starts at its other side
    full = (out[:, 3] - out[:, 1]) * (out[:, 4] - out[:, 2])
    out[:, [1, 3]] = out[:, [1, 3]].clip(window[0], window[2])
    out[:, [2, 4]] = out[:, [2, 4]].clip(window[1], window[3])
    w, h = out[:, 3] - out[:, 1], out[:, 4] - out[:, 2]
    share = w * h / np.maximum(full, 1e-6)
    good = (share > KEEP_VISIBLE) & (w >= BOX_MIN_PX) & (h >= BOX_MIN_PX)
    return out[good], out[~good & (share > 0)]


class Sampler:
    """Draws items by their weight and turns them into samples of the wanted shape."""

    def __init__(self, prepared: Prepared, seed: int, rendered_share: float = 0.0) -> None:
        self._prepared = prepared
        self._rng = np.random.default_rng(seed)
        kinds = np.array([item.kind for item in prepared.items])
        repeat = np.array([item.repeat for item in prepared.items])
        self._pictures = _weighted(kinds == "picture", repeat)
        street = street_weights(kinds, rendered_share)
        self._street = _weighted(street > 0, street)

    def reseed(self, seed: int, step: int) -> None:
        """Make the next batch depend on the seed and the step only."""
        self._rng = np.random.default_rng([seed, step])

    def batch(self, phase: Phase) -> list[Sample]:
        """Return a batch for one step: street views of 384 x 640, or square pictures."""
        rng = self._rng
        if self._street is not None and rng.random() < phase.street_share:
            return [self._street_sample() for _ in range(phase.batch)]
        make = self._square_sample
        return [
            make(phase.picture_px, phase.zoom, mosaic=rng.random() < phase.mosaic)
            for _ in range(phase.batch)
        ]

    def _draw(self, table: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]] | None) -> int:
        if table is None:
            msg = "no item of this kind is prepared"
            raise ValueError(msg)
        return int(self._rng.choice(table[0], p=table[1]))

    def _placed(
        self,
        number: int,
        canvas: Picture,
        window: tuple[int, int, int, int],
        zoom: float,
        *,
        shift: float,
    ) -> Sample:
        """Draw one item into a window of the canvas: fitted, zoomed, shifted, maybe mirrored."""
        rng, item = self._rng, self._prepared.items[number]
        half = (
            zoom * max(window[2] - window[0], window[3] - window[1]) < 330
            and item.kind == "picture"
        )
        picture = self._prepared.picture(number, half=half)
        unit = 2.0 if half else 1.0  # labels are in pixels of the full file
        h, w = picture.shape[:2]
        ww, wh = window[2] - window[0], window[3] - window[1]
        scale = min(ww / w, wh / h) * zoom
        slack_x, slack_y = ww - w * scale, wh - h * scale
        x = window[0] + slack_x * (0.5 + rng.uniform(-0.5, 0.5) * shift)
        y = window[1] + slack_y * (0.5 + rng.uniform(-0.5, 0.5) * shift)
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        if rng.random() < 0.5:
            matrix[0] = -scale, 0, x + w * scale
        local = matrix - np.array([[0, 0, window[0]], [0, 0, window[1]]])
        method = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR
        fitted = cv2.warpAffine(
            picture, local, (ww, wh), flags=method, borderValue=(PAD_VALUE,) * 3
        )
        canvas[window[1] : window[3], window[0] : window[2]] = fitted
        matrix[:, :2] /= unit
        labels, lost = _moved(item.labels, matrix, window)
        unsure, small = _moved(item.unsure, matrix, window)
        return Sample(
            canvas, labels, np.concatenate([unsure, small, lost]), [Region(window, item.weights)]
        )

    def _street_sample(self) -> Sample:
        h, w = STREET_SHAPE
        zoom = 1.0 if self._rng.random() < 0.4 else float(self._rng.uniform(0.8, 1.35))
        sample = self._placed(
            self._draw(self._street),
            np.zeros((h, w, 3), np.uint8),
            (0, 0, w, h),
            zoom,
            shift=float(zoom != 1.0),
        )
        sample.picture = _tinted(sample.picture, self._rng, 0.12)
        return sample

    def _square_sample(
        self, side: int, zoom: tuple[float, float] | None, *, mosaic: bool
    ) -> Sample:
        rng = self._rng
        canvas = np.zeros((side, side, 3), np.uint8)
        if not mosaic:
            low, high = zoom or ((0.9, 1.5) if rng.random() < 0.75 else (0.5, 0.9))
            size = float(rng.uniform(low, high))
            sample = self._placed(
                self._draw(self._pictures), canvas, (0, 0, side, side), size, shift=1.0
            )
        else:
            cx, cy = (int(rng.uniform(0.35, 0.65) * side) for _ in range(2))
            windows = [(0, 0, cx, cy), (cx, 0, side, cy), (0, cy, cx, side), (cx, cy, side, side)]
            parts = [
                self._placed(
                    self._draw(self._pictures), canvas, win, float(rng.uniform(0.9, 1.7)), shift=1.0
                )
                for win in windows
            ]
            sample = _joined(canvas, parts)
        if rng.random() < PICTURE_WEATHER:
            sample.picture = any_weather(sample.picture, rng)
        sample.picture = _tinted(sample.picture, rng, 0.3)
        return sample


def street_weights(kinds: npt.NDArray[np.str_], rendered_share: float) -> npt.NDArray[np.float64]:
    """Return how often each item is drawn as a street view, zero for what is none; sums to 1 or 0.

    Rendered ones together have their share, the kinds made from real frames divide the rest.
    """
    real = {kind: part for kind, part in STREET_PARTS.items() if (kinds == kind).any()}
    apart = rendered_share if (kinds == "rendered").any() else 0.0
    parts = {kind: part / sum(real.values()) * (1 - apart) for kind, part in real.items()}
    weights = np.zeros(len(kinds))
    for kind, part in {**parts, "rendered": apart}.items():
        weights[kinds == kind] = part / max((kinds == kind).sum(), 1)
    return weights


def _joined(canvas: Picture, parts: list[Sample]) -> Sample:
    labels = np.concatenate([p.labels for p in parts])
    unsure = np.concatenate([p.unsure for p in parts])
    return Sample(canvas, labels, unsure, [r for p in parts for r in p.regions])


def _weighted(
    chosen: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]] | None:
    numbers = np.flatnonzero(chosen)
    return (numbers, weight[numbers] / weight[numbers].sum()) if len(numbers) else None


def _tinted(picture: Picture, rng: Generator, strength: float) -> Picture:
    """Vary brightness, contrast and colour balance by a lookup table a channel."""
    base = np.arange(256, dtype=np.float32)
    gain = 1 + rng.uniform(-strength, strength)
    shift = rng.uniform(-40, 40) * strength
    balance = 1 + rng.uniform(-0.35, 0.35, 3) * strength
    table = np.clip(base[:, None] * gain * balance + shift, 0, 255).astype(np.uint8)
    out = cv2.LUT(picture, table.reshape(1, 256, 3))
    if rng.random() < 0.3 * strength:
        out = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(out, np.uint8)


def to_tensors(samples: list[Sample]) -> dict[str, torch.Tensor]:
    """Stack samples of a shape: img uint8 [b, 3, h, w] RGB, boxes xywhn, weights [b, a, 9]."""
    h, w = samples[0].picture.shape[:2]
    points = anchor_points(h, w)
    pictures = np.stack([s.picture[:, :, ::-1] for s in samples])
    rows = np.concatenate([s.labels for s in samples])
    index = np.repeat(np.arange(len(samples)), [len(s.labels) for s in samples])
    x1, y1, x2, y2 = rows[:, 1:].T
    xywhn = np.stack([(x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h], axis=1)
    weights = np.stack([class_weight_map(points, s.regions, s.labels, s.unsure) for s in samples])
    return {
        "img": torch.from_numpy(pictures).permute(0, 3, 1, 2),
        "cls": torch.from_numpy(rows[:, :1].astype(np.float32)),
        "bboxes": torch.from_numpy(xywhn.astype(np.float32)),
        "batch_idx": torch.from_numpy(index.astype(np.float32)),
        "class_weights": torch.from_numpy(weights),
    }


def batch_stream(
    prepared: Prepared, recipe: Recipe, first_step: int
) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
    """Yield (step, batch) from ``first_step`` on, made ahead by one background thread.

    What a step holds depends on the recipe's seed and the step alone, so a resumed run sees what an
    unbroken one would. Raises DataError where a batch could not be made; the thread has said why.
    """
    ready: queue.Queue[_Entry] = queue.Queue(maxsize=4)
    stop = threading.Event()
    share = recipe.rendered.share if recipe.rendered else 0.0
    sampler = Sampler(prepared, recipe.seed, share)

    def work() -> None:
        for step in range(first_step, recipe.training.steps):
            if stop.is_set():
                break
            sampler.reseed(recipe.seed, step)
            ready.put((step, to_tensors(sampler.batch(phase_at(recipe, step)))))
        ready.put(None)

    maker = threading.Thread(target=work, daemon=True, name="batches")
    maker.start()
    try:
        while (entry := _next(ready, maker)) is not None:
            yield entry
    finally:
        stop.set()


def _next(ready: queue.Queue[_Entry], maker: threading.Thread) -> _Entry:
    """Wait for a batch as long as its thread lives."""
    while True:
        try:
            return ready.get(timeout=_LOOK_S)
        except queue.Empty:
            if not maker.is_alive() and ready.empty():
                raise DataError("a batch could not be made; the error above says why") from None


def phase_at(recipe: Recipe, step: int) -> Phase:
    """Return the phase a step belongs to."""
    for phase in recipe.training.phases:
        if step < phase.steps:
            return phase
        step -= phase.steps
    return recipe.training.phases[-1]
