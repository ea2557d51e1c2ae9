"""Agent and camera YAML as frozen models: every key is explained by its field's description.

Unknown keys are refused with file, line and the nearest valid key; secrets stand in YAML only as
`${secret:NAME}` and are resolved where they are used, never stored or printed.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from contract.catalogue import Category
from contract.messages import Fraction, Metres, Name, Seconds, Severity
from edge_agent.action_config import Action
from edge_agent.enrolment import read_enrolment
from edge_agent.errors import ConfigError
from edge_agent.shedding import Priority
from edge_agent.yaml_file import Section, read_yaml

Positive = Annotated[float, Field(gt=0)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
PointXyn = tuple[Fraction, Fraction]

Decoder = Literal["software", "auto", "cuda", "vaapi", "qsv", "v4l2m2m"]

_HOURS = re.compile(r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("an IANA time zone such as Asia/Shanghai was expected") from None
    return name


def _check_hours(text: str) -> str:
    if not _HOURS.match(text):
        raise ValueError("hours such as 06:00-22:00 were expected (22:00-06:00 spans midnight)")
    return text


class Location(Section):
    """Where the camera stands; the fallback position of its issues."""

    lon: Longitude = Field(description="longitude, degrees, CGCS2000")
    lat: Latitude = Field(description="latitude, degrees, CGCS2000")
    error_m: Metres = Field(30, description="how far an issue in view may be from here, metres")


class CameraInfo(Section):
    """Who the camera is and where it stands."""

    id: Name = Field(description="name in topics and reports: letters, digits, '_' and '-'")
    name: str = Field("", description="name for people, any language")
    timezone: Annotated[str, AfterValidator(_check_timezone)] = Field(
        "Asia/Shanghai", description="IANA time zone in which zone hours are read"
    )
    location: Location | None = Field(None, description="where the camera stands")


class Stream(Section):
    """One video source."""

    url: str = Field(
        min_length=1, description="rtsp://…, rtsps://… or a file; may hold ${secret:NAME}"
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="RTSP transport")
    decoder: Decoder = Field(
        "software",
        description="auto, or hardware by name; what cannot be used is replaced by software, "
        "which the camera's state says",
    )
    loop: bool = Field(False, description="play a file again from its start (demo)")


class Streams(Section):
    """The camera's streams: a small one to judge, a large one for evidence."""

    detect: Stream = Field(description="the stream that is judged")
    evidence: Stream | None = Field(
        None,
        description="full resolution for stills and clips, kept as packets, decoded only for them; "
        "absent: detect serves both",
    )


class LookRule(Section):
    """How often, and how closely, a camera is looked at."""

    every_s: Positive = Field(0.2, description="seconds between looks")
    quiet_every_s: Positive | None = Field(
        None, description="while nothing changes the interval grows to this; absent: it does not"
    )
    priority: Priority = Field(
        "normal", description="whose interval is stretched less when the machine is overloaded"
    )
    decode: Literal["auto", "all", "keyframes"] = Field(
        "auto", description="decode every frame, key frames only, or what the interval allows"
    )
    tiles: tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]] = Field(
        (1, 1), description="columns and rows; [2, 2] adds four looks at double size"
    )

    @model_validator(mode="after")
    def _quiet_is_longer(self) -> Self:
        if self.quiet_every_s is not None and self.quiet_every_s < self.every_s:
            raise ValueError(
                f"quiet_every_s {self.quiet_every_s} is shorter than every_s {self.every_s}: "
                "looks come more rarely while nothing changes"
            )
        return self

    @property
    def longest_s(self) -> float:
        """The longest time between two looks that the rule allows."""
        return self.quiet_every_s or self.every_s


class Zone(Section):
    """A part of the picture in which some categories are judged, at some hours."""

    id: Name = Field(description="name of the zone")
    polygon_xyn: Annotated[tuple[PointXyn, ...], Field(min_length=3)] = Field(
        description="corners as fractions of the frame"
    )
    categories: tuple[Category, ...] = Field(
        (), description="what is judged here; empty: every category"
    )
    hours: Annotated[str, AfterValidator(_check_hours)] | None = Field(
        None, description="local hours such as 06:00-22:00; absent: always"
    )


class GroundPoint(Section):
    """A point of the ground, in the picture and on the map."""

    xyn: PointXyn = Field(description="fractions of the frame")
    lonlat: tuple[Longitude, Latitude] = Field(description="degrees")


class Place(Section):
    """Ground points from which picture and map are brought together."""

    crs: Literal["CGCS2000", "WGS84"] = Field("CGCS2000", description="of the points")
    points: Annotated[tuple[GroundPoint, ...], Field(min_length=4)] = Field(
        description="four or more ground points, no three on a line"
    )


class Preset(Section):
    """One position of a turning camera."""

    id: Name = Field(description="name of the preset")
    reference: str | None = Field(
        None, description="masked still by which the preset is recognised; calibrate writes it"
    )
    zones: tuple[Zone, ...] = Field((), description="as on the camera, for this preset")
    place: Place | None = Field(None, description="as on the camera, for this preset")


class Rule(Section):
    """When an issue of one category is raised, repeated and cleared."""

    enabled: bool = Field(
        True, description="false: not judged on this camera; its open issues are withdrawn"
    )
    score_min: Fraction | None = Field(
        None, description="lowest score that raises; absent: the model card's threshold"
    )
    seen_m: int = Field(6, ge=1, description="raise when seen in this many …")
    of_n: int = Field(8, ge=1, le=64, description="… of the last so many visible looks")
    dwell_s: Seconds = Field(60, description="and standing there for so long")
    clear_after_s: Seconds = Field(60, description="cleared after not being seen for so long")
    heartbeat_s: Positive = Field(300, description="an open issue is reported again this often")
    severity: Severity = Field(Severity.NORMAL, description="normal or urgent")
    side_max: Fraction = Field(
        1.0, description="a box with a side longer than this share of the frame's is something else"
    )
    night: Literal["judge", "suspend", "if_lit"] = Field(
        "judge",
        description="from dusk to dawn by the sun at the camera: judge as by day, suspend "
        "judgement (nothing is raised and nothing cleared), or judge only while the street is lit",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.seen_m > self.of_n:
            raise ValueError(f"seen_m {self.seen_m} can never be reached: of_n is {self.of_n}")
        return self


class CameraEvidence(Section):
    """What is kept in memory for pictures of an issue, and whether clips are made."""

    clips: bool = Field(True, description="a masked clip when an issue is raised and cleared")
    before_s: float = Field(5, ge=0, le=30, description="a clip begins so long before, seconds")
    after_s: float = Field(3, ge=0, le=30, description="and ends so long after, seconds")
    ring_bytes: int = Field(
        16_000_000, ge=1_000_000, description="memory for the last seconds of undecoded video"
    )


class Privacy(Section):
    """What leaves the gateway."""

    mask: bool = Field(True, description="heads and plates are masked; false only for test images")


# Vendors come and go: many quick looks. Bins, garbage and covers stand still and may be small: few
# looks, but close ones. A cover is 0.7 m wide and fills an eighth of the picture at the foot of a
# pole of 4 m; the dark under a tree can fill half. Reasons stand in docs/guide.
DEFAULT_RULES: dict[Category, dict[str, object]] = {
    Category.STREET_VENDOR: {"dwell_s": 60, "clear_after_s": 60},
    Category.BIN_OVERFLOW: {"dwell_s": 300, "clear_after_s": 120, "seen_m": 3, "of_n": 4},
    Category.EXPOSED_GARBAGE: {"dwell_s": 600, "clear_after_s": 120, "seen_m": 3, "of_n": 4},
    Category.MANHOLE_DAMAGED: {"seen_m": 3, "of_n": 4, "severity": "urgent", "side_max": 0.25},
    Category.MANHOLE_MISSING: {"seen_m": 3, "of_n": 4, "severity": "urgent", "side_max": 0.25},
}
CLOSE_TILES = (2, 2)
CLOSE_LOOKS_PER_DWELL = 6


class CameraConfig(Section):
    """One camera file."""

    camera: CameraInfo = Field(description="who the camera is and where it stands")
    streams: Streams | None = Field(None, description="where its video comes from")
    looks: dict[Literal["default"] | Category, LookRule] = Field(
        default_factory=dict, description="how often to look, by default and by category"
    )
    zones: tuple[Zone, ...] = Field((), description="absent: the whole picture is judged")
    place: Place | None = Field(None, description="absent: an issue has the camera's position")
    reference: str | None = Field(
        None,
        description="masked still of the view that zones and ground points belong to, beside this "
        "file; calibrate writes it; absent: the view of the first half minute counts",
    )
    presets: tuple[Preset, ...] = Field(
        (),
        description="positions of a turning camera, instead of zones, place and reference; "
        "elsewhere nothing is judged",
    )
    rules: dict[Category, Rule] = Field(
        default_factory=dict, description="when issues are raised and cleared, by category"
    )
    evidence: CameraEvidence = Field(
        default_factory=CameraEvidence, description="pictures and clips of an issue"
    )
    privacy: Privacy = Field(default_factory=Privacy, description="what leaves the gateway")

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        for zones in (self.zones, *(preset.zones for preset in self.presets)):
            names = [zone.id for zone in zones]
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"zone id {min(twice)} is used twice")
        presets = [preset.id for preset in self.presets]
        if twice := {name for name in presets if presets.count(name) > 1}:
            raise ValueError(f"preset id {min(twice)} is used twice")
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.presets and (self.zones or self.place or self.reference):
            raise ValueError(
                "a camera with presets has zones, place and reference in each preset, "
                "not beside them"
            )
        return self

    def views(self) -> "dict[str | None, CameraConfig]":
        """This camera as it is at each of its presets; under None where it has none."""
        if not self.presets:
            return {None: self}
        return {
            preset.id: self.model_copy(
                update={
                    "zones": preset.zones,
                    "place": preset.place,
                    "reference": preset.reference,
                    "presets": (),
                }
            )
            for preset in self.presets
        }

    @model_validator(mode="after")
    def _night_is_known(self) -> Self:
        wanting = [name for name, rule in self.rules.items() if rule.night != "judge"]
        if wanting and self.lonlat is None:
            raise ValueError(
                f"rules.{wanting[0]}.night needs camera.location (or place): "
                "when night falls depends on where the camera stands"
            )
        return self

    @property
    def lonlat(self) -> tuple[float, float] | None:
        """Where the camera stands, or at least one of its ground points."""
        if self.camera.location is not None:
            return self.camera.location.lon, self.camera.location.lat
        places = [self.place, *(preset.place for preset in self.presets)]
        return next((place.points[0].lonlat for place in places if place), None)

    def rule(self, category: Category) -> Rule:
        """The rule of a category: what the file says, over the category's defaults."""
        own = self.rules[category].model_dump(exclude_unset=True) if category in self.rules else {}
        return Rule.model_validate(DEFAULT_RULES[category] | own)

    def look(self, category: Category) -> LookRule:
        """How a category is looked for: its own rule, the file's default, or ours.

        What stands still is, without a rule of its own, looked for in tiles, just often enough
        for its dwell time; the file's default then says how often at most, and what is decoded.
        """
        default = self.looks.get("default", LookRule())
        if category in self.looks:
            return self.looks[category]
        if category.family == "vendor" or default.tiles != (1, 1):
            return default
        often = max(default.every_s, self.rule(category).dwell_s / CLOSE_LOOKS_PER_DWELL)
        return default.model_copy(
            update={"every_s": often, "quiet_every_s": None, "tiles": CLOSE_TILES}
        )


class Broker(Section):
    """The MQTT broker."""

    host: str = Field("127.0.0.1", description="host name or address")
    port: int = Field(1883, ge=1, le=65535, description="1883, or 8883 with TLS")
    username: str | None = Field(None, description="account on the broker")
    password: str | None = Field(None, description="as ${secret:NAME}")
    tls_ca: Path | None = Field(None, description="PEM file of the CA; switches TLS on")
    tls_cert: Path | None = Field(None, description="PEM file of the client certificate")
    tls_key: Path | None = Field(None, description="PEM file of the client key")
    enrolment: Path | None = Field(
        None, description="credentials from this file; set for broker and centre by `enrolment`"
    )


class Centre(Section):
    """The centre's evidence store."""

    url: str = Field("http://127.0.0.1:8080", description="base address of the centre")
    token: str | None = Field(None, description="as ${secret:NAME}")
    enrolment: Path | None = Field(
        None, description="the token from this file; set for broker and centre by `enrolment`"
    )


class Limits(Section):
    """What the agent may use."""

    store_bytes: int = Field(2_000_000_000, ge=10_000_000, description="disk quota of the state")
    evidence_bytes: int = Field(
        1_500_000_000, ge=0, description="of it, for pictures that wait for the centre"
    )
    evidence_days: float = Field(30, gt=0, description="a picture waits no longer for the centre")
    inference_threads: int = Field(0, ge=0, description="inferences side by side; 0: one a core")
    ledger: Path | None = Field(
        None, description="for fault tests: a file that lists every report before it is stored"
    )


class Metrics(Section):
    """Where /metrics and /healthz are served."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(9108, ge=0, le=65535, description="0 switches it off")


class AgentInfo(Section):
    """Who the agent is."""

    city: Name = Field(description="city in topics")
    id: Name = Field(description="agent in topics: its account on the broker")


class AgentConfig(Section):
    """The agent file; paths in it are relative to the file itself."""

    agent: AgentInfo = Field(description="who the agent is")
    cameras: tuple[str, ...] = Field(description="camera files, or patterns such as cameras/*.yaml")
    model: Path = Field(description="folder of the detector, with its card")
    model_keys: tuple[Path, ...] = Field(
        (), description="public keys (PEM) whose models are run too; ours is built in"
    )
    state_dir: Path = Field(Path("state"), description="folder of the agent's database")
    grid: Path | None = Field(None, description="GeoJSON of unit grid cells")
    components: Path | None = Field(None, description="GeoJSON of registered components")
    enrolment: Path | None = Field(
        None,
        description="the file that `central-ingest enrol` wrote: broker, centre and credentials; "
        "it is read anew at each connection, so a new file needs no restart",
    )
    broker: Broker = Field(default_factory=Broker, description="the MQTT broker")
    centre: Centre = Field(default_factory=Centre, description="the centre")
    runtime: Literal["auto", "onnxruntime", "openvino"] = Field(
        "auto",
        description="inference runtime; auto measures once what is installed (openvino is an extra)"
        " and remembers it in state_dir; `edge-agent doctor` shows it",
    )
    limits: Limits = Field(default_factory=Limits, description="what the agent may use")
    metrics: Metrics = Field(default_factory=Metrics, description="where metrics are served")
    actions: tuple[Action, ...] = Field(
        (), description="done on the spot when an issue is reported; no command can set them"
    )


def load_camera(path: Path) -> CameraConfig:
    """Read one camera file. Raises ConfigError with file, line and remedy."""
    return read_yaml(path, CameraConfig)


def load_agent(path: Path) -> AgentConfig:
    """Read the agent file, its paths made absolute. Raises ConfigError."""
    base = path.resolve().parent
    config = _with_enrolment(read_yaml(path, AgentConfig), path, base)

    def absolute(value: Path | None) -> Path | None:
        return None if value is None else base / value

    return config.model_copy(
        update={
            "model": base / config.model,
            "model_keys": tuple(base / key for key in config.model_keys),
            "state_dir": base / config.state_dir,
            "grid": absolute(config.grid),
            "components": absolute(config.components),
            "limits": config.limits.model_copy(update={"ledger": absolute(config.limits.ledger)}),
            "cameras": tuple(str(base / pattern) for pattern in config.cameras),
            "broker": config.broker.model_copy(
                update={
                    name: absolute(getattr(config.broker, name))
                    for name in ("tls_ca", "tls_cert", "tls_key", "enrolment")
                }
            ),
            "centre": config.centre.model_copy(
                update={"enrolment": absolute(config.centre.enrolment)}
            ),
        }
    )


def _with_enrolment(config: AgentConfig, path: Path, base: Path) -> AgentConfig:
    """Fill broker and centre from the enrolment, which must be this agent's. Raises ConfigError."""
    if config.enrolment is None:
        return config
    file = base / config.enrolment
    given = read_enrolment(file)
    named, own = (given.city, given.agent_id), (config.agent.city, config.agent.id)
    if named != own:
        raise ConfigError(
            f"{file}: is of agent {given.agent_id} in city {given.city}, but {path} says "
            f"{config.agent.id} in {config.agent.city}; copy this agent's own file"
        )
    broker = Broker(host=given.broker.host, port=given.broker.port, enrolment=file)
    centre = Centre(url=given.centre.url, enrolment=file)
    return config.model_copy(update={"enrolment": file, "broker": broker, "centre": centre})


def load_cameras(patterns: Iterable[str]) -> dict[Path, CameraConfig]:
    """Read every camera file that the patterns name. Raises ConfigError, also for an id twice."""
    cameras: dict[Path, CameraConfig] = {}
    owners: dict[str, Path] = {}
    for pattern in patterns:
        target = Path(pattern)
        found = sorted(target.parent.glob(target.name))
        if not found:
            raise ConfigError(f"cameras: no file matches {pattern}")
        for path in found:
            camera = load_camera(path)
            if other := owners.get(camera.camera.id):
                raise ConfigError(f"{path}: camera id {camera.camera.id} is also used by {other}")
            owners[camera.camera.id] = path
            cameras[path] = camera
    return cameras


def config_sha256(*configs: Section) -> str:
    """Fingerprint of what judged: the hash of the models' JSON, secrets unresolved."""
    text = "\n".join(config.model_dump_json() for config in configs)
    return hashlib.sha256(text.encode()).hexdigest()
