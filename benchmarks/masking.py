"""How many heads and plates the masking rules cover, measured on labels drawn by hand.

The labels are committed, the frames are not: each is a val picture or a moment of a street clip
of the shared folder. A head or plate counts as masked when its box lies in masked regions nearly
whole. One frame is masked by its own detections alone; the agent's union over a second around
can only mask more.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, sqrt
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.detect import read_picture
from edge_agent.detector import WHOLE, Detector
from edge_agent.errors import AgentError
from edge_agent.frames import Picture
from edge_agent.masking import MaskRegions
from edge_agent.video import read_clip
from edge_agent.witness import MASK_TILES
from edge_agent.zones import Box

LABELS = Path(__file__).with_name("masking_labels.json")

# This share of a label's area in masked regions makes it unrecognisable: what is left is a rim.
MASKED_SHARE = 0.9
# `--check` fails below it. Plates have no floor: what is masked of them is reported.
HEAD_RECALL_MIN = 0.95
# By height of a head or plate, pixels of the labelled frame: below the first, below the second, …
SIZE_BOUNDS_PX = (12.0, 20.0)
# 97.5th percentile of the normal distribution: two-sided 95 %.
Z95 = 1.959964
# A clip's frame is the labelled one when its time is this near.
SAME_FRAME_S = 0.005

Kind = Literal["head", "plate"]
KINDS: tuple[Kind, ...] = ("head", "plate")


class MaskingError(AgentError):
    """Labels or a labelled frame that cannot be used; the message names file and key."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Part):
    """A head or plate that a person could recognise, box in pixels of its frame."""

    kind: Kind
    box: tuple[float, float, float, float]
    hard: bool = False

    @property
    def size_px(self) -> float:
        """Height, pixels."""
        return self.box[3] - self.box[1]


class LabelledFrame(_Part):
    """One frame with every head and plate in it: a val picture, or a clip's moment."""

    image: str | None = None
    clip: str | None = None
    time_s: float = Field(0.0, ge=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    labels: tuple[Label, ...]

    @model_validator(mode="after")
    def _boxes_lie_inside(self) -> Self:
        if (self.image is None) == (self.clip is None):
            raise ValueError("either image or clip must be named")
        for label in self.labels:
            x1, y1, x2, y2 = label.box
            if not (0 <= x1 < x2 <= self.width and 0 <= y1 < y2 <= self.height):
                raise ValueError(
                    f"box {label.box} lies outside its frame ({self.width}x{self.height})"
                )
        return self

    @property
    def name(self) -> str:
        """How a miss names its frame."""
        return self.image or f"{self.clip} at {self.time_s:g} s"

    @property
    def source(self) -> str:
        """The camera or clip it comes from."""
        return self.image.split("_")[0] if self.image else str(self.clip)


class LabelFile(_Part):
    """`masking-labels/1.0`."""

    schema_: Literal["masking-labels/1.0"] = Field("masking-labels/1.0", alias="schema")
    note: str
    frames: tuple[LabelledFrame, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One label, and how much of its area was masked."""

    source: str
    frame: str
    label: Label
    masked_share: float

    @property
    def masked(self) -> bool:
        """Whether nobody can recognise it any more."""
        return self.masked_share >= MASKED_SHARE


def load_labels(path: Path = LABELS) -> LabelFile:
    """Read a label file. Raises MaskingError naming file and key."""
    try:
        return LabelFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise MaskingError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MaskingError(f"{path}: {where}: {first['msg']}") from None


def read_frames(
    frames: Iterable[LabelledFrame], shared: Path
) -> Iterator[tuple[LabelledFrame, Picture]]:
    """Yield each frame's picture; a clip is decoded once for all its frames that stand together.

    Raises MaskingError for a frame that is missing or of another size, CameraError and
    ConfigError for files that cannot be read.
    """
    for clip, group in groupby(frames, key=lambda frame: frame.clip):
        if clip is None:
            pairs: Iterable[tuple[LabelledFrame, Picture]] = (
                (frame, read_picture(shared / "data" / "images" / "val" / str(frame.image)))
                for frame in group
            )
        else:
            pairs = _of_clip(shared / "clips" / "street" / clip, tuple(group))
        for frame, picture in pairs:
            if (picture.width, picture.height) != (frame.width, frame.height):
                raise MaskingError(
                    f"{frame.name}: is {picture.width}x{picture.height}; the labels were drawn "
                    f"on {frame.width}x{frame.height}"
                )
            yield frame, picture


def _of_clip(
    path: Path, frames: Sequence[LabelledFrame]
) -> Iterator[tuple[LabelledFrame, Picture]]:
    waiting = sorted(frames, key=lambda frame: frame.time_s)
    for time_s, picture in read_clip(path):
        if waiting and abs(time_s - waiting[0].time_s) <= SAME_FRAME_S:
            yield waiting.pop(0), picture
        if not waiting:
            return
    raise MaskingError(f"{path}: has no frame at {waiting[0].time_s:g} s, where labels were drawn")


def covered(regions: Iterable[Box], width: int, height: int) -> NDArray[np.bool_]:
    """Paint regions in fractions of a picture as [height, width]: every pixel that one touches."""
    mask = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in regions:
        rows = slice(floor(y1 * height), ceil(y2 * height))
        mask[rows, floor(x1 * width) : ceil(x2 * width)] = True
    return mask


def masked_share(box: Box, mask: NDArray[np.bool_]) -> float:
    """Return how much of a box, in pixels, is masked; pixels at its rim count by their part."""
    x1, y1, x2, y2 = box
    rows, columns = _overlap(y1, y2, mask.shape[0]), _overlap(x1, x2, mask.shape[1])
    return float(rows @ mask @ columns) / ((x2 - x1) * (y2 - y1))


def _overlap(low: float, high: float, count: int) -> NDArray[np.float64]:
    """Return how much of each of `count` pixels in a line lies between `low` and `high`."""
    pixel = np.arange(count)
    part: NDArray[np.float64] = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, 1)
    return part


def judge(frame: LabelledFrame, mask: NDArray[np.bool_]) -> list[Judged]:
    """Judge each label of a frame by the mask of that frame."""
    return [
        Judged(frame.source, frame.name, label, masked_share(label.box, mask))
        for label in frame.labels
    ]


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927); (0, 1) when nothing was counted."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = hits / count, Z95 * Z95
    centre = share + z2 / (2 * count)
    spread = Z95 * sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    scale = 1 + z2 / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def recall(judged: Sequence[Judged]) -> dict[str, Any]:
    """Count what was masked, as a share with its interval; the share of nothing is null."""
    hits, count = sum(one.masked for one in judged), len(judged)
    low, high = wilson(hits, count)
    return {
        "masked": hits,
        "of": count,
        "recall": round(hits / count, 4) if count else None,
        "ci95": [round(low, 4), round(high, 4)],
    }


def by(judged: Iterable[Judged], key: Callable[[Judged], str]) -> dict[str, dict[str, Any]]:
    """Recall of each group that `key` names."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(key(one), []).append(one)
    return {name: recall(groups[name]) for name in sorted(groups)}


def size_bucket(judged: Judged) -> str:
    """Name the size of a head or plate: "< 12 px", "12-20 px", "> 20 px"."""
    low, high = SIZE_BOUNDS_PX
    if judged.label.size_px < low:
        return f"< {low:g} px"
    return f"{low:g}-{high:g} px" if judged.label.size_px <= high else f"> {high:g} px"


def report(judged: Sequence[Judged]) -> dict[str, Any]:
    """Recall of heads and plates: all, the clear ones alone, by size, by source; and misses."""
    result: dict[str, Any] = {}
    for kind in KINDS:
        these = [one for one in judged if one.label.kind == kind]
        result[kind] = recall(these) | {
            "clear": recall([one for one in these if not one.label.hard]),
            "by_size": by(these, size_bucket),
            "by_source": by(these, lambda one: one.source),
        }
    result["misses"] = [
        {
            "frame": one.frame,
            **one.label.model_dump(),
            "masked_share": round(one.masked_share, 3),
        }
        for one in judged
        if not one.masked
    ]
    return result


def measure(
    model: Path, shared: Path, looks: Sequence[tuple[int, int]] = (WHOLE, MASK_TILES)
) -> dict[str, Any]:
    """Detect and mask on every labelled frame, and report what was masked.

    `looks` are the layouts of tiles (columns, rows) whose detections are joined; by default those
    of the agent, for a frame that it will write.
    Raises MaskingError for labels or frames that cannot be used, ModelError for the model.
    """
    detector = Detector(model, threads=1)
    judged: list[Judged] = []
    shares: list[float] = []
    for frame, picture in read_frames(load_labels().frames, shared):
        regions = MaskRegions.of(
            [detector.detect(picture, tiles) for tiles in looks], (frame.width, frame.height)
        )
        mask = covered(regions.boxes_xyxyn, frame.width, frame.height)
        judged += judge(frame, mask)
        shares.append(float(mask.mean()))
    return {
        "model": detector.card.name,
        "model_sha256": {file.path: file.sha256 for file in detector.card.files},
        "looks": [f"{columns}x{rows}" for columns, rows in looks],
        "frames": len(shares),
        "masked_area_share": round(float(np.mean(shares)), 4),
        **report(judged),
    }


def failed(result: Mapping[str, Any]) -> str | None:
    """Say why `--check` fails on a result of `measure`, or None when it passes."""
    reached = result["head"]["recall"]
    if reached is not None and reached >= HEAD_RECALL_MIN:
        return None
    return (
        f"heads masked: {reached} of 1; at least {HEAD_RECALL_MIN} is wanted. Look at `misses`: "
        "train `person` further, lower the masking score, or widen the regions in "
        "edge_agent/masking.py"
    )


def summary(result: Mapping[str, Any]) -> str:
    """Return the figures of `measure` in one line of JSON, without groups and misses."""
    keys = ("masked", "of", "recall", "ci95")
    kinds = {kind: {key: result[kind][key] for key in keys} for kind in KINDS}
    return json.dumps(kinds | {"masked_area_share": result["masked_area_share"]})
