"""The centre's settings: one YAML file → frozen models.

Unknown keys are refused with file, line and the nearest key. Secrets stand in no file: a value
`${secret:NAME}` is read from the environment variable NAME, or from the file NAME in the folder
that GRIDWATCH_SECRETS_DIR names.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)

from central_ingest.calendar import TimeKind, TimeLimit, WorkCalendar
from central_ingest.dedup import DuplicateRules
from central_ingest.errors import ConfigError
from contract.catalogue import Category
from contract.messages import Name

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_SECRET = re.compile(r"\$\{secret:([A-Za-z0-9_.-]+)\}")
Port = Annotated[int, Field(ge=1, le=65535)]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_local(host: str) -> bool:
    """Whether a host leads another machine to itself: loopback, or the address of all addresses."""
    try:
        found = ip_address(host.strip("[]"))
    except ValueError:
        return host in LOOPBACK
    return found.is_loopback or found.is_unspecified


class Section(BaseModel):
    """A frozen part of the settings; keys it does not know are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(Section):
    """Where cases are kept; without `url` a SQLite file in the data folder."""

    url: SecretStr | None = None


class HttpSettings(Section):
    """Where API and pages listen.

    `hosts` are the names that browsers may use for this centre; loopback names always may.
    `public_url` is the address that people type when a reverse proxy stands before it.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    hosts: tuple[str, ...] = ()
    public_url: str | None = None
    session_h: float = Field(default=12, gt=0, le=720)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK

    @property
    def address(self) -> str:
        """The URL that people open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


class BrokerSettings(Section):
    """The MQTT broker. `client_id` is made once and kept in the database where it is not given.

    `public_host` and `public_port` are what agents are told; port 0 is the usual one. `folder` is
    where the broker's own files are written: accounts, ACL, certificates.
    """

    host: str = "127.0.0.1"
    port: Port = 1883
    username: str | None = None
    password: SecretStr | None = None
    tls_ca: Path | None = None
    public_host: str | None = None
    public_port: int = Field(default=0, ge=0, le=65535)
    folder: Path | None = None
    client_id: Name | None = None
    share: Name | None = None
    keepalive_s: int = Field(default=20, ge=5, le=600)
    session_expiry_s: int = Field(default=604_800, ge=60, le=2_592_000)
    reconnect_max_s: int = Field(default=15, ge=1, le=600)


class IngestSettings(Section):
    """How reports are gathered into transactions, and how many may be under way.

    The broker sends at most `receive_maximum` messages that have no PUBACK. An agent is told at
    most every `receipt_ms` what is held; beyond `agent_per_s` reports a second of one agent are
    passed over: without a receipt, their agent offers them again. `page_cache_mb` is memory for the
    pages of an SQLite file, which new reports change all over: what is open should fit. Of
    `remembered_issues`, SQLite is not asked when they are seen again.
    """

    batch_ms: int = Field(default=5, ge=0, le=5000)
    batch_size: int = Field(default=2500, ge=1, le=10_000)
    receive_maximum: int = Field(default=8000, ge=1, le=65_535)
    receipt_ms: int = Field(default=250, ge=0, le=10_000)
    agent_per_s: float = Field(default=500, ge=1)
    body_max_bytes: int = Field(default=262_144, ge=1024)
    page_cache_mb: int = Field(default=256, ge=16, le=1_048_576)
    remembered_issues: int = Field(default=100_000, ge=0, le=100_000_000)


def _default_limits() -> dict[Category, TimeLimit]:
    return {
        Category.STREET_VENDOR: TimeLimit(2, TimeKind.URGENT_HOUR),
        Category.BIN_OVERFLOW: TimeLimit(4, TimeKind.WORK_HOUR),
        Category.EXPOSED_GARBAGE: TimeLimit(4, TimeKind.WORK_HOUR),
        Category.MANHOLE_DAMAGED: TimeLimit(4, TimeKind.WORK_HOUR),
        Category.MANHOLE_MISSING: TimeLimit(2, TimeKind.URGENT_HOUR),
    }


class CaseSettings(Section):
    """How cases are numbered, how long they may take, and when they are proposed for void.

    `number` may hold {source}, {yyyymmdd} and {sequence}, which counts from 1 for each prefix.
    """

    number: str = "{source}{yyyymmdd}{sequence:05d}"
    source: str = Field(default="SP", pattern=r"^[0-9A-Za-z]{0,16}$")
    deadlines: dict[Category, TimeLimit] = Field(default_factory=_default_limits)
    calendar: WorkCalendar = WorkCalendar()
    propose_void_after_h: float = Field(default=24, gt=0)
    suppress_days: float = Field(default=30, gt=0, le=3650)

    @field_validator("number")
    @classmethod
    def _counts(cls, template: str) -> str:
        try:
            first, second = (
                template.format(source="SP", yyyymmdd="20260101", sequence=n) for n in (1, 2)
            )
        except (LookupError, ValueError, AttributeError) as error:
            raise ValueError(
                f"case number {template!r} cannot be filled in ({error}); "
                "{source}, {yyyymmdd} and {sequence} are known"
            ) from error
        if first == second or len(first) > 60:
            raise ValueError(f"case number {template!r} must hold {{sequence}}, at most 60 long")
        return template


class S3Settings(Section):
    """A bucket that several servers share; `endpoint` where it is not Amazon's own.

    Without keys the environment's or the machine's own credentials are used. `cache_bytes` bounds
    what each server keeps of what people looked at lately.
    """

    bucket: str
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]+/)*$")] = ""
    endpoint: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    cache_bytes: int = Field(default=2_000_000_000, ge=0)


class EvidenceSettings(Section):
    """Where pictures are kept; without `folder` inside the data folder, with `s3` in a bucket."""

    folder: Path | None = None
    s3: S3Settings | None = None
    max_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    lost_after_h: float = Field(default=72, gt=0)


def default_data(environment: Mapping[str, str], user_id: int) -> Path:
    """Where data lies unless told otherwise: the same place wherever one stands.

    What systemd names (`StateDirectory=`); for root `/var/lib/gridwatch`; else in the user's own
    data folder.
    """
    if named := environment.get("STATE_DIRECTORY"):
        return Path(named.split(":")[0])
    if user_id == 0:
        return Path("/var/lib/gridwatch")
    own = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(own) / "gridwatch"


class Settings(Section):
    """All settings; each part of the centre is given its own section only."""

    data: Path = Field(default_factory=lambda: default_data(os.environ, os.geteuid()))
    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    broker: BrokerSettings = BrokerSettings()
    ingest: IngestSettings = IngestSettings()
    duplicates: DuplicateRules = DuplicateRules()
    cases: CaseSettings = CaseSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    # Where `database.url` stands, for messages: file and line.
    _url_stands_at: str | None = PrivateAttr(default=None)

    @property
    def database_url(self) -> str:
        """Where cases are kept."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.data / 'centre.db'}"

    @property
    def database_name(self) -> str:
        """What messages call the database: never its address, which holds a secret."""
        if self.database.url is None:
            return str(self.data / "centre.db")
        return ": ".join(filter(None, (self._url_stands_at, "database.url")))

    @property
    def authority_folder(self) -> Path:
        """Where the certificate authority keeps its key."""
        return self.data / "authority"

    @property
    def broker_folder(self) -> Path:
        """Where the broker's files are written."""
        return self.broker.folder or self.data / "broker"

    @property
    def evidence_folder(self) -> Path:
        """Where pictures are kept."""
        return self.evidence.folder or self.data / "evidence"


def load(path: Path | None, overrides: Mapping[str, Mapping[str, Any] | Path]) -> Settings:
    """Read the settings file, then lay `overrides` (from the command line) over it.

    Raises ConfigError naming file, line, what was found and the nearest key.
    """
    values, lines = _read(path) if path else ({}, {})
    for section, given in overrides.items():
        if not isinstance(given, Mapping):
            values[section] = given
        elif (held := values.get(section)) is None:
            values[section] = dict(given)
        elif isinstance(held, Mapping):
            values[section] = {**held, **given}
    source = str(path) if path else "command line"
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error, source, lines))) from None
    if (line := lines.get(("database", "url"))) is not None:
        settings._url_stands_at = f"{source}:{line}"  # noqa: SLF001 -- only who reads a file knows
    return settings


_Key = tuple[str | int, ...]


def _read(path: Path) -> tuple[dict[str, Any], dict[_Key, int]]:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is no YAML: {error}") from error
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}:1: keys such as 'http:' were expected at the top")
    lines: dict[_Key, int] = {}
    plain = _plain(root, _Place(path, (), lines))
    return dict(plain), lines


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    key: _Key
    lines: dict[_Key, int]

    def inside(self, step: str | int) -> "_Place":
        return _Place(self.path, (*self.key, step), self.lines)


def _plain(node: yaml.Node, place: _Place) -> Any:
    """The node's plain value, its secrets filled in; notes the line of every key."""
    place.lines[place.key] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in found:
                raise ConfigError(f"{place.path}:{line}: key '{key}' stands here a second time")
            found[key] = _plain(value_node, place.inside(key))
            place.lines[(*place.key, key)] = line
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, place.inside(index)) for index, item in enumerate(node.value)]
    value = yaml.SafeLoader("").construct_object(node)
    return _with_secrets(value, place) if isinstance(value, str) else value


def _with_secrets(value: str, place: _Place) -> str:
    def look_up(match: re.Match[str]) -> str:
        name = match.group(1)
        folder = os.environ.get("GRIDWATCH_SECRETS_DIR")
        file = Path(folder) / name if folder else None
        if name in os.environ:
            return os.environ[name]
        if file is not None and file.is_file():
            return file.read_text(encoding="utf-8").strip()
        raise ConfigError(
            f"{place.path}:{place.lines[place.key]}: secret {name} is not there: set the "
            f"environment variable {name}, or put a file {name} into GRIDWATCH_SECRETS_DIR"
        )

    return _SECRET.sub(look_up, value)


def _explain(error: ValidationError, source: str, lines: Mapping[_Key, int]) -> list[str]:
    said = []
    for problem in error.errors(include_input=False, include_url=False):
        key = problem["loc"]
        line = next((lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in lines), None)
        where = f"{source}:{line}" if line else source
        name = ".".join(str(step) for step in key)
        if problem["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
            said.append(f"{where}: unknown key '{name}'{_nearest(key)}")
        elif problem["type"] in {"model_type", "dataclass_type", "dict_type"}:
            said.append(f"{where}: {name}: a mapping of keys was expected")
        else:
            said.append(f"{where}: {name}: {problem['msg']}")
    return said


def _nearest(key: _Key) -> str:
    """The known key that looks most like this one, in words."""
    model: Any = Settings
    for step in key[:-1]:
        field = getattr(model, "model_fields", {}).get(step)
        model = field.annotation if field is not None else None
    if model is None:
        return ""
    known = list(getattr(model, "model_fields", None) or getattr(model, "__annotations__", {}))
    known = [name for name in known if not name.startswith("_")]
    close = difflib.get_close_matches(str(key[-1]), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are: {', '.join(known)}"
