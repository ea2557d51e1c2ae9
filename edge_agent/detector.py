"""A model on pictures of any size: letterboxed whole or in tiles, results as frame fractions."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contract.messages import ModelRef
from edge_agent.detections import Detections, area, intersection_matrix
from edge_agent.frames import Picture, Rgb
from edge_agent.model import ModelCard, ModelFile, load_card, verified_path
from edge_agent.runtimes import Choice, Session, open_session

# Below this nothing is reported by `detect`, and nothing is ever looked at.
SCORE_FLOOR = 0.01
# Neighbouring tiles share this part of their width, so that an object lies whole in one of them.
TILE_OVERLAP = 0.125
# Two tiles' boxes of one class that share this part of the smaller one are one object.
SAME_OBJECT = 0.6

WHOLE = (1, 1)

# A picture and the layout of tiles (columns, rows) in which it is looked at.
Job = tuple[Picture, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the picture, scaled: where it lies in the network's input, pixels.

    A point (u, v) of the input lies at ((u - left) / scaled_width, (v - top) / scaled_height)
    of the frame.
    """

    scaled_width: int
    scaled_height: int
    left: int
    top: int

    def to_frame(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn boxes [N, 4] in input pixels into fractions of the frame, clipped to it."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        size = np.array([self.scaled_width, self.scaled_height] * 2, np.float32)
        clipped: NDArray[np.float32] = np.clip((xyxy - offset) / size, 0, 1).astype(np.float32)
        return clipped


def windows_of(
    picture: tuple[int, int], model_size: tuple[int, int], tiles: tuple[int, int]
) -> tuple[Window, ...]:
    """Lay `tiles` (columns, rows) of the network's input over a picture; sizes (width, height).

    One tile is the letterboxed picture. Tiles overlap by TILE_OVERLAP at least.
    """
    (width, height), (across, down) = picture, model_size
    columns, rows = tiles
    scale = min(
        across * (columns - (columns - 1) * TILE_OVERLAP) / width,
        down * (rows - (rows - 1) * TILE_OVERLAP) / height,
    )
    scaled_width = min(max(1, round(width * scale)), columns * across)
    scaled_height = min(max(1, round(height * scale)), rows * down)
    lefts = _offsets(scaled_width, across, columns)
    tops = _offsets(scaled_height, down, rows)
    return tuple(Window(scaled_width, scaled_height, left, top) for top in tops for left in lefts)


def _offsets(length: int, window: int, count: int) -> list[int]:
    """Where the scaled picture starts inside each of `count` windows laid along one side."""
    if length <= window:
        return [(window - length) // 2]
    step = (length - window) / max(1, count - 1)
    return [-round(step * index) for index in range(count)]


def cut(scaled: Rgb, window: Window, model_size: tuple[int, int], pad: int) -> Rgb:
    """Cut a window out of the scaled picture, padded where it reaches beyond."""
    across, down = model_size
    left, top = max(0, -window.left), max(0, -window.top)
    part = scaled[top : top + down, left : left + across]
    if part.shape[:2] == (down, across):
        return part
    canvas = np.full((down, across, 3), pad, np.uint8)
    y, x = max(0, window.top), max(0, window.left)
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    return canvas


def to_detections(rows: NDArray[np.float32], window: Window) -> Detections:
    """Read one picture's output [K, 6] as detections of the whole frame."""
    rows = rows[rows[:, 4] >= SCORE_FLOOR]
    boxes = window.to_frame(rows[:, :4])
    found = Detections(boxes, rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int64))
    return found.only(area(found.xyxyn) > 0)


def merge_tiles(parts: list[Detections]) -> Detections:
    """Join the tiles' detections; of one object seen in two tiles the better box stays."""
    every = parts[0]
    for part in parts[1:]:
        every = every.joined(part)
    order = np.argsort(-every.scores, kind="stable")
    every = every.only(order)
    areas = area(every.xyxyn)
    smaller = np.minimum(areas[:, None], areas[None, :])
    shared = intersection_matrix(every.xyxyn, every.xyxyn) / np.maximum(smaller, 1e-12)
    same = (shared > SAME_OBJECT) & (every.classes[:, None] == every.classes[None, :])
    keep = np.ones(len(every), bool)
    for index in range(len(every)):
        if keep[index]:
            keep[index + 1 :] &= ~same[index, index + 1 :]
    return every.only(keep)


class Detects(Protocol):
    """What looks at pictures: a `Detector`, or what stands in its place where one is tried out."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        ...

    @property
    def choice(self) -> Choice:
        """How the network is run."""
        ...

    def detect(self, picture: Picture, tiles: tuple[int, int] = WHOLE) -> Detections:
        """Detect in one picture."""
        ...

    def detect_many(self, jobs: Sequence[Job]) -> list[Detections]:
        """Detect in several pictures; one result a job, in their order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """One input of the network: which picture it belongs to, where it lies, its pixels."""

    job: int
    window: Window
    pixels: Rgb


class Detector:
    """One model for all threads; a network is loaded once for each shape of picture it meets."""

    def __init__(self, folder: Path, *, threads: int = 1, choice: Choice | None = None) -> None:
        """Read the card; networks are loaded when they are first needed. Raises ModelError.

        Without a `choice` it is ONNX Runtime on so many threads, which always gives the same.
        """
        self._folder = folder
        self.choice = choice or Choice(threads=threads)
        self._sessions: dict[ModelFile, Session] = {}
        self._loading = threading.Lock()
        self.card: ModelCard = load_card(folder)

    def reference(self, width: int, height: int) -> ModelRef:
        """Name the file that judges pictures of that size."""
        return self.card.reference(self.card.file_for(width, height))

    def detect(self, picture: Picture, tiles: tuple[int, int] = WHOLE) -> Detections:
        """Detect everything above SCORE_FLOOR, boxes as fractions of the picture.

        A tiled look takes the whole picture too: what is small is seen in a tile, what is larger
        than the tiles' overlap is seen whole.
        """
        return self.detect_many([(picture, tiles)])[0]

    def detect_many(self, jobs: Sequence[Job]) -> list[Detections]:
        """Detect in several pictures, of any cameras; the network takes as many as it gains from.

        Returns one result a job, in their order.
        """
        cuts: dict[ModelFile, list[_Cut]] = {}
        for index, (picture, tiles) in enumerate(jobs):
            file = self.card.file_for(picture.width, picture.height)
            layouts = (WHOLE,) if tiles == WHOLE else (WHOLE, tiles)
            for layout in layouts:
                cuts.setdefault(file, []).extend(self._cuts(index, picture, file, layout))
        found: list[list[Detections]] = [[] for _ in jobs]
        for file, theirs in cuts.items():
            for cut_, rows in zip(theirs, self._infer(file, theirs), strict=True):
                found[cut_.job].append(to_detections(rows, cut_.window))
        return [parts[0] if len(parts) == 1 else merge_tiles(parts) for parts in found]

    def warm_up(self, width: int, height: int) -> None:
        """Load what pictures of that size need. Raises ModelError."""
        self._session(self.card.file_for(width, height))

    def _cuts(
        self, job: int, picture: Picture, file: ModelFile, tiles: tuple[int, int]
    ) -> list[_Cut]:
        """Scale the picture for a layout and cut its windows out."""
        size = (file.width, file.height)
        windows = windows_of((picture.width, picture.height), size, tiles)
        scaled = picture.rgb(windows[0].scaled_width, windows[0].scaled_height)
        pad = self.card.input.pad
        return [_Cut(job, window, cut(scaled, window, size, pad)) for window in windows]

    def _infer(self, file: ModelFile, cuts: list[_Cut]) -> list[NDArray[np.float32]]:
        session, at_once = self._session(file), self.choice.batch
        rows: list[NDArray[np.float32]] = []
        for at in range(0, len(cuts), at_once):
            part = [one.pixels for one in cuts[at : at + at_once]]
            rows.extend(session.infer(part[0][None] if len(part) == 1 else np.stack(part)))
        return rows

    def _session(self, file: ModelFile) -> Session:
        with self._loading:
            if file not in self._sessions:
                path = verified_path(self._folder, file)
                self._sessions[file] = open_session(self.choice, path)
            return self._sessions[file]
