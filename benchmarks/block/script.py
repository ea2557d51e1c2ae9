"""The day of the block as a script: YAML to frozen values, every key checked."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.block.errors import ScriptError
from contract.catalogue import Category

Xy = tuple[float, float]
SCRIPT = Path(__file__).parent / "day.yaml"
TRIALS = Path(__file__).parent / "trials.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class World(_Part):
    """The street itself, metres."""

    length: float
    road_half: float
    pavement: float
    kerb: float
    seed: int
    patch: float
    crossings: tuple[float, ...]

    def ground_z(self, y: float) -> float:
        """Height of the ground beside the centre line."""
        return 0.0 if abs(y) < self.road_half else self.kerb


class OriginAt(_Part):
    """Where the street lies on the map."""

    lon: float
    lat: float
    heading_deg: float


class Light(_Part):
    """A light: strengths are Blender's, `exposure` is in stops."""

    sun: float = 0.0
    sun_size_deg: float = 0.8
    sun_colour: str = "#fff0d8"
    sun_height_deg: float = 50.0
    sun_turn_deg: float = -62.0
    horizon: str
    zenith: str
    sky: float
    lamps: float = 0.0
    windows: float = 0.0
    wet: float = 0.0
    exposure: float = 0.0
    quick: bool = Field(False, description="rendered as training pictures are: fewer bounces")
    gain: float = Field(1.0, description="of the light that was rendered, what the sensor takes")
    noise: float = Field(1.0, description="sensor noise, one sigma in grey levels")
    rain: int = Field(0, description="streaks of rain a frame")


class Row(_Part):
    """Equal things along the street."""

    asset: str
    xs: tuple[float, ...]
    y: float
    heading_deg: float = 0.0


class Static(_Part):
    """One thing that never moves."""

    asset: str
    at: Xy
    heading_deg: float = 0.0


class Cover(_Part):
    """A registered cover."""

    component: str
    at: Xy
    radius: float = 0.38
    colour: str = "#6b655d"
    surround: str = "#b5b0a6"
    aside: Xy = (0.3, 1.0)


class Bin(_Part):
    """A registered bin."""

    component: str
    at: Xy
    heading_deg: float = 0.0
    colour: str
    seed: int


class CameraAt(_Part):
    """A camera of the block."""

    name: str
    at: tuple[float, float, float]
    heading_deg: float
    down_deg: float
    focal_px: float = 1000.0


class Part(_Part):
    """One asset of an actor, beside the actor's own position and along its heading."""

    asset: str
    offset: Xy = (0.0, 0.0)
    turn_deg: float = 0.0


class Leg(_Part):
    """What an actor does from `start_s` to `end_s`: stand, or go to `to` at constant speed."""

    start_s: float
    end_s: float
    at: Xy
    to: Xy | None = None
    heading_deg: float | None = None
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]


class Actor(_Part):
    """Something that comes, stays, moves and goes.

    Its way is rendered every `step_m`, each time in so many `phases` of its stride.
    """

    id: str
    kind: str
    step_m: Annotated[float, Field(gt=0)] = 5.0
    phases: Annotated[int, Field(ge=1)] = 1
    legs: Annotated[tuple[Leg, ...], Field(min_length=1)]


class Matter(_Part):
    """An event of the script: an actor's stay, or a state of a component."""

    id: str
    category: Category
    start_s: float
    end_s: float
    of: str
    note: str


class CoverState(_Part):
    """A cover is missing or broken for a while."""

    cover: str
    state: Literal["missing", "broken"]
    start_s: float
    end_s: float


class BinState(_Part):
    """A bin is overfull for a while."""

    bin: str
    start_s: float
    end_s: float


class Hour(_Part):
    """One stretch of the day, seen by one or more cameras."""

    light: str
    seconds: float
    start_utc: datetime | None = Field(None, description="when it begins; absent: by day")
    actors: tuple[Actor, ...] = ()
    covers: tuple[CoverState, ...] = ()
    bins: tuple[BinState, ...] = ()
    events: tuple[Matter, ...] = ()


class ViewZone(_Part):
    """A zone of a preset, as the camera file holds it."""

    id: str
    polygon_xyn: tuple[Xy, ...]
    categories: tuple[Category, ...] = ()


class View(_Part):
    """From `start_s` on the camera looks aside and down; it turned for `turn_s`, or was hit.

    What it turned to is a `preset` with zones; without one nobody wanted it to look there.
    """

    start_s: float
    heading_deg: float = 0.0
    down_deg: float = 0.0
    turn_s: float = 0.0
    preset: str | None = None
    zones: tuple[ViewZone, ...] = ()


HOME = View(start_s=0.0)


class Dark(_Part):
    """From `start_s` to `end_s` only a share of the light reaches the sensor.

    `veil` is light from what hangs before the lens, everywhere the same.
    """

    start_s: float
    end_s: float
    share: float
    veil: float = 0.0


class Clip(_Part):
    """A clip: one camera during one hour; `home` is its view until the first of `views`."""

    name: str
    title: str
    camera: str
    hour: str
    home: View = HOME
    views: tuple[View, ...] = ()
    darks: tuple[Dark, ...] = ()
    night: Literal["judge", "suspend", "if_lit"] | None = None


class Day(_Part):
    """The whole script."""

    world: World
    origin: OriginAt
    cells: dict[str, tuple[Xy, ...]]
    grid_version: str
    lights: dict[str, Light]
    rows: tuple[Row, ...]
    statics: tuple[Static, ...] = ()
    covers: dict[str, Cover]
    bins: dict[str, Bin]
    cameras: dict[str, CameraAt]
    hours: dict[str, Hour]
    crf: int = Field(29, description="how much H.264 may lose: its constant rate factor")
    clips: tuple[Clip, ...]


def load_day(path: Path = SCRIPT) -> Day:
    """Read a script. Raises ScriptError naming file and key."""
    try:
        return Day.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise ScriptError(f"{path}: is not YAML ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ScriptError(f"{path}: {where}: {first['msg']}") from None
