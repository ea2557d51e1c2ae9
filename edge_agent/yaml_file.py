"""A YAML file as a frozen model; every complaint names file, line and the nearest valid key."""

import difflib
import os
import re
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from edge_agent.errors import ConfigError

_SECRET = re.compile(r"\$\{secret:([A-Za-z0-9_]+)\}")
SECRETS_DIR_VARIABLE = "GRIDWATCH_SECRETS_DIR"

Location = tuple[int | str, ...]


class Section(BaseModel):
    """A part of a configuration: frozen, and closed against unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read `path` as `model`. Raises ConfigError with file, line, expectation and remedy."""
    root = _compose(path)
    lines: dict[Location, int] = {}
    data = _plain(root, (), lines, path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        complaints = [_complaint(path, lines, detail, model) for detail in error.errors()]
        raise ConfigError("\n".join(complaints)) from None


def resolve_secrets(text: str, owner: str) -> str:
    """Replace `${secret:NAME}` by the environment's or the secrets directory's value.

    Raises ConfigError naming the missing secret and `owner`; never shows a value.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in os.environ:
            return os.environ[name]
        directory = os.environ.get(SECRETS_DIR_VARIABLE)
        if directory and (file := Path(directory) / name).is_file():
            return file.read_text().strip()
        raise ConfigError(
            f"{owner}: secret {name} is not set; set the environment variable {name} "
            f"or put a file of that name into the directory named by {SECRETS_DIR_VARIABLE}"
        )

    return _SECRET.sub(value, text)


def _compose(path: Path) -> yaml.Node:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigError(f"{path}{line}: {problem}") from None
    if root is None:
        raise ConfigError(f"{path}: is empty")
    return root


def _plain(node: yaml.Node, at: Location, lines: dict[Location, int], path: Path) -> Any:
    """Turn a node into plain values and remember the line of each."""
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in result:
                raise ConfigError(f"{path}:{line}: key '{key}' stands here a second time")
            result[key] = _plain(value_node, (*at, key), lines, path)
            lines[(*at, key)] = line
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*at, i), lines, path) for i, item in enumerate(node.value)]
    return yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper))


def _complaint(
    path: Path, lines: dict[Location, int], detail: ErrorDetails, model: type[BaseModel]
) -> str:
    at = tuple(detail["loc"])
    known = at
    while known and known not in lines:
        known = known[:-1]
    where = f"{path}:{lines.get(known, 1)}"
    key = ".".join(str(part) for part in at if part != "[key]")
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'{_nearest(str(at[-1]), _siblings(model, at[:-1]))}"
    if detail["type"] == "missing":
        return f"{where}: key '{key}' is missing"
    found = detail["input"]
    shown = "" if isinstance(found, dict | list) else f"; found {found!r}"
    return f"{where}: {key}: {detail['msg']}{shown}"


def _nearest(key: str, valid: list[str]) -> str:
    close = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; expected one of: {', '.join(sorted(valid))}" if valid else ""


def _siblings(model: type[BaseModel], at: Location) -> list[str]:
    """Names of the keys that are valid at `at`."""
    current: Any = model
    for part in at:
        if _is_model(current):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
            if get_origin(current) in (Union, UnionType):
                current = _inner_model(current)
        else:  # inside a list or mapping: `part` is its index or key
            current = _inner_model(current)
    return list(current.model_fields) if _is_model(current) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _inner_model(annotation: Any) -> Any:
    """Unpack `dict[str, X]`, `list[X]`, `tuple[X, ...]` and `X | None` to the model inside."""
    if _is_model(annotation):
        return annotation
    for argument in get_args(annotation):
        inner = _inner_model(argument)
        if inner is not None:
            return inner
    return None
