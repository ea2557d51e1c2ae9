"""What is known of cameras' views, on disk: reference stills, what was learned, the new picture.

Learned are mean edges only, 320 × 180 of them in eight bits: nobody's picture.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np

from edge_agent.config import CameraConfig
from edge_agent.edges import Edges
from edge_agent.errors import ConfigError
from edge_agent.frames import ArrayPicture
from edge_agent.health import SAMPLE_EVERY_S, HealthWatch
from edge_agent.known_view import KnownView, Learned, in_place
from edge_agent.looks import plans_of
from edge_agent.luma import Sample

log = logging.getLogger(__name__)

FOLDER = "views"
_SCALE = 127.0
_LIGHTS = {"day": False, "night": True}


@dataclass(frozen=True, slots=True, eq=False)
class ViewFile:
    """One view, its file, and whether it shows something else than when it was last saved."""

    view: KnownView
    path: Path | None
    still_sha256: str
    changed: bool = False

    def save(self) -> None:
        """Write what was learned, all of it or nothing. Raises OSError."""
        if self.path is None or not self.view.learned:
            return
        arrays: dict[str, object] = {"still_sha256": self.still_sha256}
        if self.view.still is not None:
            arrays["still"] = _packed(self.view.still)
        for light, night in _LIGHTS.items():
            if (known := self.view.learned.get(night)) is not None:
                arrays[light] = _packed(known.edges)
                arrays[f"{light}_sharpness"] = known.sharpness
                arrays[f"{light}_samples"] = known.samples
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial.npz")
        np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]  # the stub names one keyword
        partial.replace(self.path)


class Views:
    """All cameras' views as they are kept in one state folder."""

    def __init__(self, cameras: Mapping[Path, CameraConfig], state_dir: Path) -> None:
        """Read what is known. Raises ConfigError for a reference still that cannot be read."""
        self._folder = state_dir / FOLDER
        self._files = {
            one.camera.id: known_views(path, one, state_dir) for path, one in cameras.items()
        }
        self._configs = {one.camera.id: one for one in cameras.values()}

    @property
    def changed(self) -> frozenset[str]:
        """The slots whose reference still shows something else than what was learned before."""
        return frozenset(
            slot_of(camera_id, file.view.preset_id)
            for camera_id, files in self._files.items()
            for file in files
            if file.changed
        )

    def eyes(self, camera_id: str) -> HealthWatch:
        """A watch over one camera."""
        return eyes_of(self._files[camera_id], self._configs[camera_id])

    def save(self) -> None:
        """Write what was learned; what cannot be written is learned anew after a restart."""
        for files in self._files.values():
            for file in files:
                try:
                    file.save()
                except OSError as error:
                    log.warning("%s: cannot be written (%s)", file.path, error.strerror)

    def keep_new(self, camera_id: str, data: bytes) -> None:
        """Write the masked picture (JPEG) of a camera that was moved, for its recalibration."""
        path = self._folder / f"{camera_id}.moved.jpg"
        try:
            write_file(path, data)
        except OSError as error:
            log.warning("%s: cannot be written (%s)", path, error.strerror)


def slot_of(camera_id: str, preset_id: str | None) -> str:
    """The name under which one view of a camera keeps its state."""
    return camera_id if preset_id is None else f"{camera_id}/{preset_id}"


def known_views(
    camera_file: Path, config: CameraConfig, state_dir: Path | None = None
) -> tuple[ViewFile, ...]:
    """Read what is known of a camera's views: of its presets, or of its only one.

    Raises ConfigError for a reference still that is missing or no picture.
    """
    return tuple(
        _known(camera_file, config, preset_id, reference, state_dir)
        for preset_id, reference in _references(config)
    )


def eyes_of(files: Sequence[ViewFile], config: CameraConfig) -> HealthWatch:
    """Watch a camera against what is known of its views."""
    often_s = min((plan.every_s for plan in plans_of(config)), default=SAMPLE_EVERY_S)
    return HealthWatch([file.view for file in files], turning=bool(config.presets), every_s=often_s)


def read_still(path: Path) -> Edges:
    """The edges of a reference still. Raises ConfigError."""
    bgr = cv2.imread(str(path)) if path.is_file() else None
    if bgr is None:
        raise ConfigError(
            f"{path}: a reference still was expected here and cannot be read; "
            "write it with: edge-agent calibrate"
        )
    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    return Sample.of(ArrayPicture(rgb)).edges


def write_file(path: Path, data: bytes) -> None:
    """Write a file through a partial one, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _references(config: CameraConfig) -> Iterator[tuple[str | None, str | None]]:
    if not config.presets:
        yield None, config.reference
    for preset in config.presets:
        yield preset.id, preset.reference


def _known(
    camera_file: Path,
    config: CameraConfig,
    preset_id: str | None,
    reference: str | None,
    state_dir: Path | None,
) -> ViewFile:
    still_path = None if reference is None else camera_file.resolve().parent / reference
    still = None if still_path is None else read_still(still_path)
    sha256 = "" if still_path is None else hashlib.sha256(still_path.read_bytes()).hexdigest()
    view = KnownView(preset_id, still, fixed=preset_id is not None)
    if state_dir is None:
        return ViewFile(view, None, sha256)
    name = slot_of(config.camera.id, preset_id).replace("/", ".")
    path = state_dir / FOLDER / f"{name}.npz"
    saved = _saved(path)
    if saved is None:
        return ViewFile(view, path, sha256)
    saved_sha256, saved_still, learned = saved
    if saved_sha256 == sha256:
        view.learned = learned
        view.still = still or saved_still
        return ViewFile(view, path, sha256)
    known = [one.edges for one in learned.values()]
    same = still is None or any(in_place(edges.match(still)) for edges in known)
    if same:
        view.learned = learned
    return ViewFile(view, path, sha256, changed=not same)


def _saved(path: Path) -> tuple[str, Edges | None, dict[bool, Learned]] | None:
    """Read a saved view; None where there is none that can be read: it is learned anew."""
    try:
        with path.open("rb") as file, np.load(file) as data:
            learned = {
                night: Learned(
                    _unpacked(data[light]),
                    float(data[f"{light}_sharpness"]),
                    int(data[f"{light}_samples"]),
                )
                for light, night in _LIGHTS.items()
                if light in data
            }
            still = _unpacked(data["still"]) if "still" in data else None
            return str(data["still_sha256"]), still, learned
    except (OSError, ValueError, KeyError, BadZipFile):
        return None


def _packed(edges: Edges) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.round(edges.field * _SCALE).astype(np.int8)


def _unpacked(packed: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> Edges:
    return Edges(packed.astype(np.float32) / np.float32(_SCALE))
