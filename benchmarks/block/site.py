"""What an agent needs to know of the block: camera files, grid, components; exact."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.block.script import Bin, Clip, Cover, Day, View
from benchmarks.block.truths import truth_text
from benchmarks.block.views import camera_at, camera_in, origin_of, presets_of

STANDARD = "GB/T 47678.5-2026"
# Where ground points are taken: spread over the ground that matters, in fractions of the picture.
POINTS_XYN = ((0.08, 0.94), (0.92, 0.94), (0.15, 0.6), (0.85, 0.6), (0.3, 0.38), (0.7, 0.38))
RULE = "{dwell_s: 8, clear_after_s: 6, heartbeat_s: 30}"
# A cart is looked at once a second only, so fewer looks must do than by default.
VENDOR_RULE = RULE.replace("}", ", seen_m: 3, of_n: 4}")


def site_files(day: Day) -> dict[str, str]:
    """Every text file of the demo's folder by its name, the same bytes for the same script."""
    found = {"grid.geojson": grid_text(day), "components.geojson": components_text(day)}
    for clip in day.clips:
        found[f"{clip.name}.yaml"] = camera_text(day, clip)
        found[f"{clip.name}.json"] = truth_text(day, clip)
    return found


def write_site(day: Day, folder: Path) -> None:
    """Write the files of the demo's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in site_files(day).items():
        (folder / name).write_text(text, encoding="utf-8")


def grid_text(day: Day) -> str:
    """The unit grid cells as GeoJSON."""
    features = [
        _feature({"code": code}, {"type": "Polygon", "coordinates": [_ring(day, ring)]})
        for code, ring in day.cells.items()
    ]
    return _collection(features, grid_version=day.grid_version)


def components_text(day: Day) -> str:
    """The registered covers and bins as GeoJSON."""
    owned: list[Cover | Bin] = [*day.covers.values(), *day.bins.values()]
    features = []
    for one in owned:
        lonlat = _lonlat(day, np.array([one.at]))[0]
        properties = {"id": one.component, "standard": STANDARD}
        features.append(_feature(properties, {"type": "Point", "coordinates": lonlat}))
    return _collection(features)


def camera_text(day: Day, clip: Clip) -> str:
    """A camera file: its ground points follow exactly from the camera's pose."""
    camera = camera_at(day, clip, 0.0)
    lon, lat = _lonlat(day, np.array([camera.at[:2]]))[0]
    night = f", night: {clip.night}}}" if clip.night else "}"
    rule, vendor_rule = RULE.replace("}", night), VENDOR_RULE.replace("}", night)
    lines = [
        "# Written by `python -m benchmarks.block site`; the clip comes from the virtual block.",
        "# Eight seconds of dwell and six of clearing, because the clip's time is compressed.",
        "camera:",
        f"  id: {clip.name}",
        f"  name: {clip.title}",
        "  timezone: Asia/Shanghai",
        f"  location: {{lon: {lon}, lat: {lat}, error_m: 40}}",
        "streams:",
        f"  detect: {{url: {clip.name}.mp4, loop: true}}",
        "looks:",
        "  default: {every_s: 1, tiles: [2, 2]}",
        f"# Of a camera {camera.at[2]} m high with {camera.focal_px:.0f} px of focal length.",
        *_where(day, clip),
        "rules:",
        f"  street_vendor: {vendor_rule}",
        *(f"  {name}: {rule}" for name in ("bin_overflow", "exposed_garbage")),
        *(f"  {name}: {rule}" for name in ("manhole_damaged", "manhole_missing")),
    ]
    return "\n".join(lines) + "\n"


def _where(day: Day, clip: Clip) -> Iterator[str]:
    """Zones and ground points: of the only view, or of each preset."""
    turns = presets_of(clip)
    if not turns:
        yield from _view(day, clip, clip.home)
        return
    yield "presets:"
    for view in turns:
        yield f"  - id: {view.preset}"
        yield f"    reference: {reference_name(clip, view)}"
        yield from ("    " + line for line in _view(day, clip, view))


def _view(day: Day, clip: Clip, view: View) -> Iterator[str]:
    if view.zones:
        yield "zones:"
    for zone in view.zones:
        corners = [list(corner) for corner in zone.polygon_xyn]
        judged = ", ".join(zone.categories)
        only = f", categories: [{judged}]" if judged else ""
        yield f"  - {{id: {zone.id}, polygon_xyn: {corners}{only}}}"
    camera = camera_in(day, clip, view)
    pixels = np.array(POINTS_XYN) * (camera.width, camera.height)
    points = _lonlat(day, camera.ground(pixels))
    yield from ("place:", "  crs: CGCS2000", "  points:")
    for xyn, at in zip(POINTS_XYN, points, strict=True):
        yield f"    - {{xyn: {list(xyn)}, lonlat: {at}}}"


def reference_name(clip: Clip, view: View) -> str:
    """The file of the still by which a preset is recognised."""
    return f"{clip.name}.{view.preset}.jpg"


def _lonlat(day: Day, xy: Any) -> list[list[float]]:
    return [[round(v, 8) for v in point] for point in origin_of(day).lonlat(xy).tolist()]


def _ring(day: Day, ring: Any) -> list[list[float]]:
    corners = _lonlat(day, np.array(ring, np.float64))
    return [*corners, corners[0]]


def _feature(properties: dict[str, Any], geometry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _collection(features: list[dict[str, Any]], **more: Any) -> str:
    lines = ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in features)
    head = "".join(f' "{key}": {json.dumps(value)},\n' for key, value in more.items())
    return f'{{\n "type": "FeatureCollection",\n{head} "features": [\n{lines}\n ]\n}}\n'
