"""Truth files of clips and of the virtual block: what is where, from when to when."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.catalogue import Category
from contract.messages import CameraState, UtcTime

BoxPixels = tuple[float, float, float, float]


class TruthError(Exception):
    """A truth file that cannot be used; the message names file and key."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class BoxAt(_Part):
    """Where an event's object lies at one moment, and whether one can see it."""

    t_s: float
    box: BoxPixels
    visible: bool


class Event(_Part):
    """Something that must be raised; `end_s` null: it stays to the end."""

    category: Category
    start_s: float
    end_s: float | None
    box: BoxPixels
    note: str = ""
    event_id: str | None = None
    component_id: str | None = None
    footprint_lonlat: tuple[tuple[float, float], ...] = ()
    cells: tuple[str, ...] = ()
    on_border: bool = False
    boxes: tuple[BoxAt, ...] = ()

    @property
    def seen(self) -> bool:
        """Whether this camera can see it at any time; what it cannot see it need not report."""
        return not self.boxes or any(one.visible for one in self.boxes)

    def box_at(self, t_s: float) -> BoxPixels:
        """Where it is at a moment: its only box, or the last one that was written down by then."""
        past = [one.box for one in self.boxes if one.t_s <= t_s]
        return past[-1] if past else self.boxes[0].box if self.boxes else self.box


class Distractor(_Part):
    """Something that must not be raised; `score` false: do not count it either way."""

    category: str
    start_s: float
    end_s: float | None
    box: BoxPixels
    note: str = ""
    score: bool = True


class ViewAt(_Part):
    """From `start_s` on the camera looks elsewhere: at a preset, or nobody meant it to."""

    start_s: float
    turn_s: float = 0.0
    preset: str | None = None


class DarkAt(_Part):
    """From `start_s` to `end_s` the camera sees nothing, and `state` is what it should say."""

    start_s: float
    end_s: float
    state: CameraState


class Truth(_Part):
    """`truth/1.0`: boxes in pixels of the clip, times in seconds from its start.

    `preset` is where a turning camera looks at first, `views` where it looks later, `darks` when
    it sees nothing.
    """

    schema_: str = Field("truth/1.0", alias="schema")
    clip: str
    fps: float = Field(gt=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    seconds: float = Field(gt=0)
    start_utc: UtcTime | None = None
    events: tuple[Event, ...]
    distractors: tuple[Distractor, ...] = ()
    preset: str | None = None
    views: tuple[ViewAt, ...] = ()
    darks: tuple[DarkAt, ...] = ()


def load_truth(path: Path) -> Truth:
    """Read a truth file. Raises TruthError naming file and key."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return Truth.model_validate(data)
    except OSError as error:
        raise TruthError(
            f"{path}: cannot be read ({error.strerror}); a clip's truth file stands beside it"
        ) from None
    except json.JSONDecodeError as error:
        raise TruthError(f"{path}:{error.lineno}: is not JSON ({error.msg})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TruthError(f"{path}: {where}: {first['msg']}") from None
