"""Changes one view in a camera file and leaves its comments, order and quotes as they are."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from edge_agent.config import CameraConfig, load_camera
from edge_agent.errors import ConfigError
from edge_agent.view_files import write_file


@dataclass(frozen=True, slots=True)
class ViewEdit:
    """What a view becomes; `points` may be empty: then it has no place."""

    points: Sequence[Mapping[str, Any]]
    zones: Sequence[Mapping[str, Any]]
    reference: str


def save_view(path: Path, preset_id: str | None, edit: ViewEdit, now: datetime) -> Path:
    """Write a view into a camera file and return the backup of the file as it was.

    The new file is read as the agent would read it before it takes the old one's place. Raises
    ConfigError, and then nothing is changed.
    """
    try:
        old = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    text = edited(old, preset_id, edit, path)
    trial = path.with_name(f".{path.name}.trial")
    backup = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%S}.bak")
    try:
        trial.write_text(text, encoding="utf-8")
        load_camera(trial)
        write_file(backup, old.encode())
        write_file(path, text.encode())
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(trial), str(path))) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        trial.unlink(missing_ok=True)
    return backup


def edited(text: str, preset_id: str | None, edit: ViewEdit, path: Path) -> str:
    """The file's text with the view changed. Raises ConfigError where it is no mapping."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        root = yaml.load(text)
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(root, CommentedMap):
        raise ConfigError(f"{path}: a camera file was expected")
    _change(_view(root, preset_id, path), edit)
    out = io.StringIO()
    yaml.dump(root, out)
    return out.getvalue()


def _view(root: CommentedMap, preset_id: str | None, path: Path) -> CommentedMap:
    """The mapping that holds the view: the file itself, or one of its presets."""
    presets = root.get("presets")
    if preset_id is None:
        if presets:
            raise ConfigError(f"{path}: has presets; name the one to calibrate with --preset")
        return root
    if not presets:
        if root.get("zones") or root.get("place"):
            raise ConfigError(
                f"{path}: has zones or ground points of a camera that does not turn; move them "
                "into a preset, or remove them"
            )
        root.pop("reference", None)
        presets = root["presets"] = CommentedSeq()
    for preset in presets:
        if preset.get("id") == preset_id:
            found: CommentedMap = preset
            return found
    added = CommentedMap(id=preset_id)
    presets.append(added)
    return added


def _change(view: CommentedMap, edit: ViewEdit) -> None:
    view["reference"] = edit.reference
    if edit.points:
        place = view.setdefault("place", CommentedMap())
        place.setdefault("crs", "CGCS2000")
        place["points"] = CommentedSeq([_flow(point) for point in edit.points])
    else:
        view.pop("place", None)
    if edit.zones:
        _change_zones(view.setdefault("zones", CommentedSeq()), edit.zones)
    else:
        view.pop("zones", None)


def _change_zones(zones: CommentedSeq, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Change, remove and append in place: a comment belongs to what stands before it."""
    names = [zone["id"] for zone in wanted]
    for index in reversed(range(len(zones))):
        if zones[index].get("id") not in names:
            del zones[index]
    known = {zone.get("id"): zone for zone in zones}
    for zone in wanted:
        if zone["id"] in known:
            _merged(known[zone["id"]], zone)
        else:
            zones.append(_merged(CommentedMap(), zone))


def _merged(zone: CommentedMap, new: Mapping[str, Any]) -> CommentedMap:
    """A zone as it was, with what changed; its comments stay."""
    for key, value in new.items():
        if value in (None, [], ()):
            zone.pop(key, None)
        elif zone.get(key) != value:
            zone[key] = _flow(value)
    return zone


def _flow(value: Any) -> Any:
    """Lists and mappings on one line, as people write points."""
    if isinstance(value, Mapping):
        mapping = CommentedMap({key: _flow(inner) for key, inner in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list | tuple):
        sequence = CommentedSeq([_flow(inner) for inner in value])
        sequence.fa.set_flow_style()
        return sequence
    return value


def view_of(config: CameraConfig, preset_id: str | None) -> CameraConfig:
    """The view that is to be calibrated, empty where the preset is new."""
    views = config.views()
    if preset_id in views:
        return views[preset_id]
    if preset_id is None:
        names = ", ".join(str(name) for name in views)
        raise ConfigError(f"camera {config.camera.id} has presets; choose --preset of {names}")
    return config.model_copy(update={"presets": (), "zones": (), "place": None, "reference": None})
