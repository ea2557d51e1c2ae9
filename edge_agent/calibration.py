"""What the calibration page asks: the fit of its points, the cells over the picture, saving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from contract.catalogue import Category
from edge_agent.config import CameraConfig, GroundPoint
from edge_agent.errors import AgentError, ConfigError, PlaceError
from edge_agent.judge import Surroundings
from edge_agent.place import Homography, LocalPlane, mistaken
from edge_agent.view_files import write_file
from edge_agent.yaml_edit import ViewEdit, save_view, view_of

# Cells and components this far around the camera are shown on the map.
AROUND_M = 250.0
# Lines are drawn in steps: straight on the ground is straight in the picture, but for its ends.
STEP_M = 1.0
LATTICE_M = 10.0
LATTICE_REACH = 4

# Further away lines run together: nobody could tell a cell from the next there.
DRAWN_SHARE = 0.12

Points = NDArray[np.float64]
Json = dict[str, Any]
_POINTS = TypeAdapter(tuple[GroundPoint, ...])


@dataclass(frozen=True, slots=True)
class Target:
    """The view to be calibrated: a camera file, and one of its presets where it has some."""

    file: Path
    preset_id: str | None = None

    @property
    def still(self) -> Path:
        """Where the view's reference still is written."""
        preset = f".{self.preset_id}" if self.preset_id else ""
        return self.file.with_name(f"{self.file.stem}{preset}.reference.jpg")


class Calibration:
    """One view while it is calibrated."""

    def __init__(self, target: Target, config: CameraConfig, near: Surroundings) -> None:
        """Raises ConfigError where the camera has presets and none is named."""
        self.target = target
        self._config = config
        self._view = view_of(config, target.preset_id)
        self._near = near

    def state(self) -> Json:
        """Everything the page starts from."""
        camera = self._config.camera
        points = self._view.place.points if self._view.place else ()
        return {
            "camera": {"id": camera.id, "name": camera.name, "preset": self.target.preset_id},
            "file": str(self.target.file),
            "points": [{"xyn": one.xyn, "lonlat": one.lonlat} for one in points],
            "zones": [one.model_dump(mode="json") for one in self._view.zones],
            "categories": {
                one.value: {"zh": one.name_zh, "en": one.value.replace("_", " ")}
                for one in Category
            },
            "map": self._map(),
        }

    def fit(self, raw: Any) -> Json:
        """Fit the points of the page: how each misses, and what lies over the picture.

        Points that cannot be fitted give `problem` in words.
        """
        try:
            points = _POINTS.validate_python(raw)
            fitted = Homography.fit(points)
            wrong = mistaken(points)
        except (PlaceError, ValidationError) as error:
            return {"problem": _words(error)}
        return {
            "residuals_m": [round(miss_m, 2) for miss_m in fitted.residuals_m],
            "left_out_m": [
                None if miss_m is None else round(miss_m, 2) for miss_m in fitted.left_out_m
            ],
            "click_share": round(fitted.click_fraction, 5),
            "wrong": list(wrong),
            "spare": len(points) - 4,
            "cells": self._cells_over(fitted),
            "lattice": _lattice_over(fitted),
        }

    def where(self, raw: Any) -> Json:
        """What a report would say of a spot in the picture: position, error, cells, component."""
        try:
            points = _POINTS.validate_python(raw["points"])
            fitted = Homography.fit(points)
            spot = (float(raw["xyn"][0]), float(raw["xyn"][1]))
            share = fitted.click_fraction
            position = fitted.position(spot, (share, share))
        except (AgentError, ValidationError, KeyError, TypeError, ValueError) as error:
            return {"problem": _words(error)}
        cells = self._near.grid.lookup(position) if self._near.grid else ()
        return {
            "lon": round(position.lon, 7),
            "lat": round(position.lat, 7),
            "error_m": position.error_m,
            "cells": [one.code for one in cells],
        }

    def save(self, raw: Any, still: bytes, now: datetime) -> Json:
        """Write points, zones and the reference still. Raises ConfigError; then nothing changed."""
        try:
            points = _POINTS.validate_python(raw["points"])
            zones = [_zone(one) for one in raw["zones"]]
        except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"what the page sent cannot be used: {_words(error)}") from None
        if points:
            Homography.fit(points)
        written = [
            {"xyn": _rounded(one.xyn, 4), "lonlat": _rounded(one.lonlat, 7)} for one in points
        ]
        still_path = self.target.still
        edit = ViewEdit(written, zones, still_path.name)
        backup = save_view(self.target.file, self.target.preset_id, edit, now)
        try:
            write_file(still_path, still)
        except OSError as error:
            raise ConfigError(f"{still_path}: cannot be written ({error.strerror})") from None
        return {"file": str(self.target.file), "backup": str(backup), "still": str(still_path)}

    # -- the map and the cells over the picture

    def _centre(self) -> tuple[float, float] | None:
        if self._view.place is not None:
            lonlat = np.mean([one.lonlat for one in self._view.place.points], axis=0)
            return float(lonlat[0]), float(lonlat[1])
        if self._config.lonlat is not None:
            return self._config.lonlat
        if self._near.grid is not None:
            middle = self._near.grid.polygons[0].centroid
            return float(middle.x), float(middle.y)
        return None

    def _map(self) -> Json | None:
        """Cells and components around the camera, in degrees."""
        centre = self._centre()
        if centre is None:
            return None
        plane = LocalPlane(*centre)
        reach = plane.to_lonlat(np.array([[-AROUND_M, -AROUND_M], [AROUND_M, AROUND_M]]))
        (west, south), (east, north) = reach.tolist()
        grid, components = self._near.grid, self._near.components
        cells = [
            {"code": code, "rings": [np.array(ring.coords).tolist() for ring in _rings(polygon)]}
            for code, polygon in (zip(grid.codes, grid.polygons, strict=True) if grid else ())
            if _touches(polygon.bounds, (west, south, east, north))
        ]
        near = [
            {"id": one.id, "lonlat": [one.lon, one.lat]}
            for one in (components.components if components else ())
            if west <= one.lon <= east and south <= one.lat <= north
        ]
        location = self._config.camera.location
        return {
            "centre": list(centre),
            "degrees_a_metre": ((reach[1] - reach[0]) / (2 * AROUND_M)).tolist(),
            "camera": [location.lon, location.lat] if location else None,
            "cells": cells,
            "components": near,
        }

    def _cells_over(self, fitted: Homography) -> list[Json]:
        grid = self._near.grid
        if grid is None:
            return []
        reach = fitted.plane.to_lonlat(np.array([[-AROUND_M] * 2, [AROUND_M] * 2])).ravel()
        found = []
        for code, polygon in zip(grid.codes, grid.polygons, strict=True):
            if not _touches(polygon.bounds, tuple(reach.tolist())):
                continue
            lines = [
                line
                for ring in _rings(polygon)
                for line in _over_picture(fitted, fitted.plane.to_xy(np.array(ring.coords)[:, :2]))
            ]
            if lines:
                found.append({"code": code, "lines": lines})
        return found


def _lattice_over(fitted: Homography) -> list[list[list[float]]]:
    """A lattice of ten metres over the picture: a wrong fit is seen at once."""
    reach = LATTICE_REACH * LATTICE_M
    marks = np.arange(-LATTICE_REACH, LATTICE_REACH + 1) * LATTICE_M
    ends = [((mark, -reach), (mark, reach)) for mark in marks]
    ends += [((-reach, mark), (reach, mark)) for mark in marks]
    return [line for pair in ends for line in _over_picture(fitted, np.array(pair))]


def _over_picture(fitted: Homography, xy: Points) -> list[list[list[float]]]:
    """The parts of a line on the ground [N, 2] that lie in or near the picture, as fractions."""
    seen = fitted.to_picture(_dense(xy), DRAWN_SHARE)
    near = np.all((seen > -0.05) & (seen < 1.05), axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], near.astype(np.int8), [0]])))
    return [
        np.round(seen[start:end], 4).tolist()
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if end - start > 1
    ]


def _dense(xy: Points) -> Points:
    """The same line with a point a metre."""
    parts = [xy[:1]]
    for start, end in pairwise(xy):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / STEP_M)))
        parts.append(start + (end - start) * (np.arange(1, count + 1) / count)[:, None])
    return np.concatenate(parts)


def _rings(polygon: Any) -> list[Any]:
    parts = getattr(polygon, "geoms", [polygon])
    return [part.exterior for part in parts]


def _touches(bounds: tuple[float, ...], box: tuple[float, ...]) -> bool:
    return (
        bounds[0] <= box[2] and bounds[2] >= box[0] and bounds[1] <= box[3] and bounds[3] >= box[1]
    )


def _rounded(values: Sequence[float], digits: int) -> list[float]:
    return [round(value, digits) for value in values]


def _zone(raw: Mapping[str, Any]) -> Json:
    return {
        "id": str(raw["id"]),
        "polygon_xyn": [_rounded([float(x), float(y)], 4) for x, y in raw["polygon_xyn"]],
        "categories": [str(one) for one in raw.get("categories") or ()],
        "hours": str(raw["hours"]) if raw.get("hours") else None,
    }


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)
