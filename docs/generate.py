"""Write docs/reference from the code, or check that it is up to date and that no link is dead."""

import dataclasses
import json
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from benchmarks.__main__ import app as bench
from benchmarks.truth import Truth
from central_ingest.__main__ import app as central_ingest
from central_ingest.config import Settings
from contract import messages
from contract.catalogue import Category
from edge_agent.__main__ import cli as edge_agent
from edge_agent.config import AgentConfig, CameraConfig
from edge_agent.model import ModelCard

try:
    from docs.centre_yaml import MEANINGS
except ModuleNotFoundError:  # run as a script, its own folder is what it can import from
    from centre_yaml import MEANINGS

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Written by docs/generate.py from the code; to change it: `make reference`. -->\n\n"
PAGES: dict[str, tuple[str, type[BaseModel]]] = {
    "camera-yaml.md": ("Camera YAML", CameraConfig),
    "agent-yaml.md": ("Agent YAML", AgentConfig),
    "model-card.md": ("Model card", ModelCard),
    "centre-yaml.md": ("Centre YAML", Settings),
}
SCHEMAS: dict[str, type[BaseModel]] = {
    "camera": CameraConfig,
    "agent": AgentConfig,
    "model-card": ModelCard,
    "truth": Truth,
    "issue-report": messages.IssueReport,
    "receipt": messages.Receipt,
}
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def pages() -> dict[Path, str]:
    """Return every generated page with its text."""
    folder = ROOT / "docs" / "reference"
    result = {
        folder / name: NOTE + f"# {title}\n\n{_first(model)}\n\n{table(model)}"
        for name, (title, model) in PAGES.items()
    }
    result[folder / "camera-yaml.md"] += "\n## Defaults by category\n\n" + category_defaults()
    result[folder / "messages.md"] = NOTE + "# Messages\n\n" + "\n".join(message_sections())
    for name, model in SCHEMAS.items():
        schema = json.dumps(model.model_json_schema(by_alias=True), indent=1, ensure_ascii=False)
        result[folder / "schemas" / f"{name}.schema.json"] = schema + "\n"
    result[folder / "commands.md"] = NOTE + "# Commands\n\n" + "\n".join(command_sections())
    return result


def table(model: type[BaseModel]) -> str:
    """Return one row a key, nested keys with dots."""
    head = "| key | value | default | meaning |\n|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows(model, ""))


def rows(model: type[Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, value, default and meaning of every field, parts after their whole."""
    for name, field in fields_of(model):
        key = f"{prefix}{field.alias or name}"
        inner, suffix = _inner(field.annotation)
        shown = "mapping" if inner else _value(field.annotation)
        meaning = _meaning(key, field, inner)
        yield f"`{key}{suffix}`", shown.replace("|", "or"), _default(field), meaning
        if inner:
            yield from rows(inner, f"{key}{suffix}.")


def fields_of(model: type[Any]) -> list[tuple[str, FieldInfo]]:
    """The fields of a model or of a dataclass, which pydantic reads as well."""
    if dataclasses.is_dataclass(model):
        hints = typing.get_type_hints(model, include_extras=True)
        return [(f.name, _of_dataclass(f, hints[f.name])) for f in dataclasses.fields(model)]
    found: dict[str, FieldInfo] = model.model_fields
    return list(found.items())


def _of_dataclass(field: dataclasses.Field[Any], annotation: Any) -> FieldInfo:
    info = FieldInfo(annotation=annotation)
    if field.default is not dataclasses.MISSING:
        info.default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        info.default_factory = field.default_factory
    return info


def unexplained() -> Iterator[str]:
    """Yield every key of the YAML files that operators write which has no meaning."""
    for page in ("camera-yaml.md", "agent-yaml.md", "centre-yaml.md"):
        for key, _, _, meaning in rows(PAGES[page][1], ""):
            if not meaning:
                where = "docs/centre_yaml.py" if page == "centre-yaml.md" else "its Field"
                yield f"{page}: key {key} is not explained; describe it in {where}"


def category_defaults() -> str:
    """Return what holds for each category where a camera file says nothing."""
    camera = CameraConfig.model_validate({"camera": {"id": "any"}})
    head = "| category | seen | dwell_s | clear_after_s | severity | side_max | look_every_s "
    head += "| tiles |\n|---|---|---|---|---|---|---|---|\n"
    lines = []
    for category in Category:
        rule, look = camera.rule(category), camera.look(category)
        lines.append(
            f"| `{category}` {category.name_zh} | {rule.seen_m} of {rule.of_n} | {rule.dwell_s:g} "
            f"| {rule.clear_after_s:g} | {rule.severity} | {rule.side_max:g} | {look.every_s:g} "
            f"| {look.tiles[0]} x {look.tiles[1]} |\n"
        )
    return head + "".join(lines)


def message_sections() -> Iterator[str]:
    """Yield one section a message of the contract."""
    for name in (
        "IssueReport",
        "Canary",
        "Receipt",
        "AgentStatus",
        "CameraHealth",
        "Command",
        "CommandResult",
    ):
        model: type[BaseModel] = getattr(messages, name)
        yield f"## {name}\n\n{_first(model)}\n\n{table(model)}"


def command_sections() -> Iterator[str]:
    """Yield one section a command, with its options."""
    for program, app in (
        ("edge-agent", edge_agent), ("central-ingest", central_ingest), ("gridwatch-bench", bench),
    ):  # fmt: skip
        yield from _commands(program, typer.main.get_command(app))


def _commands(name: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", {})
    for child, inner in sorted(children.items()):
        yield from _commands(f"{name} {child}", inner)
    if not children:
        lines = [f"## {name}\n", f"{(command.help or '').strip()}\n"]
        lines += [
            f"- `{' '.join(p.opts)}`{f' — {p.help}' if getattr(p, 'help', None) else ''}"
            for p in command.params
            if p.name != "help"
        ]
        yield "\n".join(lines) + "\n"


def dead_links() -> Iterator[str]:
    """Yield every relative link in a Markdown file that leads nowhere."""
    skip = {".venv", "node_modules", ".cache", "runs"}
    for page in sorted(ROOT.rglob("*.md")):
        if skip & set(page.relative_to(ROOT).parts):
            continue
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: link to {target} leads nowhere"


def _first(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip()


def _inner(annotation: Any) -> tuple[type[Any] | None, str]:
    """Return the model or dataclass inside an annotation, and how a path goes into it."""
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)
    ):
        return annotation, ""
    origin, arguments = get_origin(annotation), get_args(annotation)
    suffix = ".*" if origin is dict else "[]" if origin in (tuple, list) else ""
    for argument in arguments:
        inner, deeper = _inner(argument)
        if inner:
            return inner, suffix + deeper
    return None, ""


def _plain(key: str) -> str:
    """A key as docs/centre_yaml.py writes it: what closes with a star explains the whole."""
    return key.removesuffix(".*")


def _value(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is typing.Annotated:
        return _value(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_value(a) for a in arguments if a is not type(None))
    if origin in (tuple, list):
        return "list of " + _value(arguments[0]) if arguments else "list"
    return getattr(annotation, "__name__", str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    made = field.default
    if made is PydanticUndefined and _inner(field.annotation)[0] is None and field.default_factory:
        made = field.default_factory()  # type: ignore[call-arg]
    if made is PydanticUndefined or made is None or made in ((), {}, frozenset(), ""):
        return "absent"
    return "its keys'" if _inner(field.annotation)[0] else f"`{_shown(made)}`"


def _shown(value: Any) -> str:
    """A default as one writes it in YAML, in the same order at every run."""
    if isinstance(value, frozenset | set):
        return str(sorted(value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(inner) for inner in value)}]"
    return str(value)


def _meaning(key: str, field: FieldInfo, inner: type[Any] | None) -> str:
    said = field.description or MEANINGS.get(_plain(key), "")
    return said or (_first(inner).splitlines()[0] if inner else "")


def main(*, check: bool) -> int:
    """Write the pages, or check them; returns the exit status."""
    problems = []
    for path, text in pages().items():
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            problems.append(f"{path.relative_to(ROOT)} is out of date: run `make reference`")
    problems.extend(unexplained())
    problems.extend(dead_links())
    print("\n".join(problems) or "docs: all pages up to date, all links lead somewhere")  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
