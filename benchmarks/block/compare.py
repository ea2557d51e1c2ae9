"""Hold a folder rendered anew against the shipped one: texts byte for byte, pictures by tolerance.

The denoiser may differ in the last bits on another processor, and H.264 then spends its bits
elsewhere; a thing that is missing, moved or lit otherwise is far beyond what that changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.block.errors import BlockError

# Of any frame: mean absolute difference, and the share of pixels further off than OFF_LEVELS.
MEAN_LEVELS_MAX, OFF_LEVELS, OFF_SHARE_MAX = 2.0, 16, 0.01
Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a clip is from the shipped one, in its worst frame; all the way, where one lacks."""

    name: str
    frames: int
    mean_levels: float
    off_share: float

    @property
    def within(self) -> bool:
        """Whether it is the same clip by the stated tolerance."""
        return self.mean_levels <= MEAN_LEVELS_MAX and self.off_share <= OFF_SHARE_MAX


def changed_texts(made: Path, shipped: Path, names: list[str]) -> list[str]:
    """The names of those text files that are not the shipped bytes, or lack."""
    return [n for n in names if _bytes(made / n) != _bytes(shipped / n)]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def clip_difference(made: Path, shipped: Path) -> Difference:
    """Compare two clips frame by frame, as luma. Raises BlockError on what cannot be read."""
    worst_mean, worst_share, count = 0.0, 0.0, 0
    for one, other in zip_longest(_frames(made), _frames(shipped)):
        count += 1
        if one is None or other is None or one.shape != other.shape:
            return Difference(made.name, count, 255.0, 1.0)
        off = np.abs(one.astype(np.int16) - other)
        worst_mean = max(worst_mean, float(off.mean()))
        worst_share = max(worst_share, float((off > OFF_LEVELS).mean()))
    return Difference(made.name, count, worst_mean, worst_share)


def _frames(path: Path) -> Iterator[Grey]:
    try:
        with av.open(str(path)) as video:
            for frame in video.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    except (OSError, av.FFmpegError) as error:
        raise BlockError(
            f"{path}: cannot be read ({error}); expected a clip of the block"
        ) from error


def table(differences: list[Difference]) -> str:
    """A line a clip."""
    lines = [
        f"| clip | frames | mean difference, grey levels | off by more than {OFF_LEVELS} | same |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {d.name} | {d.frames} | {d.mean_levels:.2f} | {100 * d.off_share:.3f} % "
        f"| {'yes' if d.within else 'no'} |"
        for d in differences
    ]
    return "\n".join(lines)
