"""Truth files by INTERFACES "Truth 1.0": what each camera can see of the script, exactly."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from shapely import MultiPoint, Polygon, union_all
from shapely.geometry import box as rectangle
from shapely.geometry.base import BaseGeometry

from benchmarks.block.actors import poses
from benchmarks.block.geometry import Array, Camera
from benchmarks.block.script import Actor, Clip, Dark, Day, Matter, View
from benchmarks.block.statics import statics
from benchmarks.block.things import Placed
from benchmarks.block.views import (
    camera_at,
    camera_in,
    knocked_s,
    light_share,
    origin_of,
    turning,
)
from contract.messages import CameraState

FPS = 10
EVERY_S = 0.5
# An object counts as seen when so much of its outline is in the picture and not covered.
VISIBLE_SHARE = 0.35
# Below this share of its light a camera sees nothing.
LIT_SHARE = 0.2
# Lists of numbers stand on one line, and so does each moment's box.
_NUMBERS = re.compile(r"\[[-\d.,\s]+\]|\{\s*\"t_s\"[^}]*\}")
NOT_RAISED = {
    "vendor_passing": ("street_vendor_passing", "a cart that only passes"),
    "vendor_allowed": ("street_vendor_allowed", "a cart where vending is allowed"),
}
# What is smaller or hardly in the picture is no event of this camera.
SEEN_PX = 22.0
SEEN_SHARE = 0.6
SEEN_TIME_SHARE = 0.5


def truth_text(day: Day, clip: Clip) -> str:
    """A clip's truth file, the same bytes for the same script."""
    text = json.dumps(truth(day, clip), indent=1, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: " ".join(found.group().split()), text) + "\n"


def truth(day: Day, clip: Clip) -> dict[str, Any]:
    """A clip's truth as plain values."""
    hour, camera = day.hours[clip.hour], camera_at(day, clip, 0.0)
    events, distractors = [], list(_distractors(day, clip))
    askew_s = knocked_s(clip)
    for matter in hour.events:
        event = _event(day, clip, matter)
        if event is None:
            continue
        if askew_s is not None and matter.start_s >= askew_s:
            distractors.append(_not_placed(matter, event["box"]))
        elif _worth(event, _whole(day, clip, matter)):
            events.append(event)
        else:
            distractors.append(_too_small(matter, event["box"]))
    return {
        "schema": "truth/1.0",
        "clip": f"{clip.name}.mp4",
        "camera": clip.camera,
        "fps": FPS,
        "width": camera.width,
        "height": camera.height,
        "seconds": hour.seconds,
        **({"start_utc": f"{hour.start_utc:%Y-%m-%dT%H:%M:%S.000Z}"} if hour.start_utc else {}),
        "homography": _homography(camera),
        **({"preset": clip.home.preset} if clip.home.preset else {}),
        "views": [_view(day, clip, view) for view in clip.views],
        **({"darks": [_dark(dark) for dark in clip.darks]} if clip.darks else {}),
        "events": events,
        "distractors": distractors,
    }


def _view(day: Day, clip: Clip, view: View) -> dict[str, Any]:
    """What the camera looks at from `start_s` on; without a preset it was knocked there."""
    turned = {"turn_s": view.turn_s, "preset": view.preset} if view.preset else {}
    homography = _homography(camera_in(day, clip, view))
    return {"start_s": view.start_s, **turned, "homography": homography}


def _dark(dark: Dark) -> dict[str, Any]:
    return {
        "start_s": dark.start_s, "end_s": dark.end_s,
        "state": (CameraState.COVERED if dark.veil else CameraState.DARK).value,
    }  # fmt: skip


def _homography(camera: Camera) -> list[list[float]]:
    found: list[list[float]] = (camera.ground_homography().round(9) + 0.0).tolist()
    return found


def _event(day: Day, clip: Clip, matter: Matter) -> dict[str, Any] | None:
    boxes = list(_boxes(day, clip, matter))
    if not boxes:
        return None
    middle = [one["box"] for one in boxes][len(boxes) // 2]
    thing = subject(day, day.hours[clip.hour].events.index(matter), clip.hour, _middle_s(matter))
    camera = camera_at(day, clip, _middle_s(matter))
    footprint = Polygon(thing.footprint())
    cells = cells_of(day, footprint)
    component = matter.of if matter.of in _components(day) else None
    outline = np.array(footprint.exterior.coords)[:-1]
    return {
        "category": matter.category.value,
        "start_s": matter.start_s,
        "end_s": matter.end_s if matter.end_s < day.hours[clip.hour].seconds else None,
        "box": middle,
        "note": matter.note,
        "event_id": f"{clip.hour}/{matter.id}",
        "component_id": component,
        "footprint_lonlat": origin_of(day).lonlat(outline).round(8).tolist(),
        "cells": cells,
        "on_border": len(cells) > 1,
        "distance_m": round(float(np.linalg.norm(np.array(thing.at) - camera.at)), 2),
        "boxes": boxes,
    }  # fmt: skip


def _middle_s(matter: Matter) -> float:
    return (matter.start_s + matter.end_s) / 2


def _boxes(day: Day, clip: Clip, matter: Matter) -> Iterator[dict[str, Any]]:
    number = day.hours[clip.hour].events.index(matter)
    for step in range(int((matter.end_s - matter.start_s) / EVERY_S)):
        at_s = matter.start_s + step * EVERY_S
        thing = subject(day, number, clip.hour, at_s)
        pixels = in_picture(camera_at(day, clip, at_s), thing.body())
        if pixels is not None:
            lit = light_share(clip, at_s) >= LIT_SHARE
            seen = lit and visible_share(day, clip, thing, at_s) >= VISIBLE_SHARE
            yield {"t_s": round(at_s, 2), "box": pixels, "visible": seen}


def subject(day: Day, number: int, hour_name: str, at_s: float) -> Placed:
    """The thing that an event is about, where it stands at a moment."""
    hour = day.hours[hour_name]
    of = hour.events[number].of
    for cover in day.covers.values():
        if cover.component == of:
            x, y = cover.at
            return Placed("patch:", (x, y, day.world.ground_z(y)), 0.0)
    found = [pose for pose in poses(day, hour, at_s) if pose.actor == of]
    if not found:
        raise ValueError(f"event {hour.events[number].id}: {of!r} is not in the street at {at_s} s")
    return found[0].parts[0]


def cells_of(day: Day, footprint: Polygon) -> list[str]:
    """Codes of the cells that a footprint touches, the one with most of it first."""
    shares = [
        (footprint.intersection(Polygon(ring)).area, code) for code, ring in day.cells.items()
    ]
    return [code for area, code in sorted(shares, key=lambda s: (-s[0], s[1])) if area > 1e-6]


def _components(day: Day) -> set[str]:
    return {c.component for c in day.covers.values()} | {b.component for b in day.bins.values()}


def in_picture(camera: Camera, points: Array) -> list[float] | None:
    """The box of points in the picture, clipped to it; None when nothing is in it."""
    ahead = points[camera.depth_m(points) > 0.5]
    if len(ahead) < len(points):
        return None
    pixels = camera.project(ahead)
    (x1, y1), (x2, y2) = pixels.min(0), pixels.max(0)
    x1, x2 = max(0.0, x1), min(float(camera.width), x2)
    y1, y2 = max(0.0, y1), min(float(camera.height), y2)
    if x2 - x1 < 1 or y2 - y1 < 1:
        return None
    return [round(float(v), 1) for v in (x1, y1, x2, y2)]


def silhouette(camera: Camera, points: Array) -> BaseGeometry:
    """The outline of points in the picture; empty when they are not before the camera."""
    if (camera.depth_m(points) <= 0.5).any():
        return Polygon()
    return MultiPoint(camera.project(points)).convex_hull


def visible_share(day: Day, clip: Clip, thing: Placed, at_s: float) -> float:
    """How much of a thing's outline is in the picture and not behind something nearer."""
    camera = camera_at(day, clip, at_s)
    own = silhouette(camera, thing.body())
    if not own.area:
        return 0.0
    away = _away(camera, thing)
    others = [part for pose in poses(day, day.hours[clip.hour], at_s) for part in pose.parts]
    standing = [
        s for s in statics(day) if s.asset.split(":")[0] in {"tree", "lamp", "car", "lorry"}
    ]
    nearer = [one for one in others + standing if one != thing and _away(camera, one) < away - 0.2]
    shades = [one for one in nearer if re.match(r"cart:\d+:", one.asset)]
    hulls = [one.body() for one in nearer] + [one.overhang() for one in shades]
    covered = union_all([silhouette(camera, hull) for hull in hulls])
    frame = rectangle(0, 0, camera.width, camera.height)
    return float(own.intersection(frame).difference(covered).area / own.area)


def _away(camera: Camera, thing: Placed) -> float:
    return float(np.hypot(thing.at[0] - camera.at[0], thing.at[1] - camera.at[1]))


def _whole(day: Day, clip: Clip, matter: Matter) -> float:
    """How much of the thing's outline lies in the picture at all."""
    camera = camera_at(day, clip, _middle_s(matter))
    number = day.hours[clip.hour].events.index(matter)
    own = silhouette(camera, subject(day, number, clip.hour, _middle_s(matter)).body())
    frame = rectangle(0, 0, camera.width, camera.height)
    return float(own.intersection(frame).area / own.area) if own.area else 0.0


def _worth(event: dict[str, Any], share: float) -> bool:
    box, moments = event["box"], [one["visible"] for one in event["boxes"]]
    seen = sum(moments) >= SEEN_TIME_SHARE * len(moments)
    return seen and box[2] - box[0] >= SEEN_PX and share >= SEEN_SHARE


def _too_small(matter: Matter, box: list[float]) -> dict[str, Any]:
    return {
        "category": matter.category.value,
        "start_s": matter.start_s,
        "end_s": matter.end_s,
        "box": box,
        "note": "small, cut off or mostly hidden here; it is another camera's event",
        "score": False,
    }


def _not_placed(matter: Matter, box: list[float]) -> dict[str, Any]:
    return {
        "category": matter.category.value,
        "start_s": matter.start_s,
        "end_s": None,
        "box": box,
        "note": "comes after the camera was knocked: no place can be told, so none may be",
        "score": True,
    }


def _distractors(day: Day, clip: Clip) -> Iterator[dict[str, Any]]:
    """Intact covers, bins that never overflow here, and carts that only pass."""
    hour, camera = day.hours[clip.hour], camera_at(day, clip, 0.0)
    ill = {matter.of for matter in hour.events}
    for cover in day.covers.values():
        x, y = cover.at
        placed = Placed("patch:", (x, y, day.world.ground_z(y)), 0.0)
        yield from _standing(camera, placed, "manhole_ok", ill, cover.component)
    for own in day.bins.values():
        x, y = own.at
        placed = Placed(
            f"bin:{own.colour}:{own.seed}:ok", (x, y, day.world.ground_z(y)), own.heading_deg
        )
        yield from _standing(camera, placed, "garbage_bin", ill, own.component)
    for actor in hour.actors:
        if actor.kind in NOT_RAISED:
            yield from _kept_out(day, clip, actor)


def _standing(
    camera: Camera, placed: Placed, category: str, ill: set[str], component: str
) -> Iterator[dict[str, Any]]:
    pixels = in_picture(camera, placed.body())
    if component in ill or pixels is None or pixels[2] - pixels[0] < 8:
        return
    yield {
        "category": category, "start_s": 0.0, "end_s": None, "box": pixels,
        "note": f"component {component}, nothing wrong with it", "score": True,
    }  # fmt: skip


def _kept_out(day: Day, clip: Clip, actor: Actor) -> Iterator[dict[str, Any]]:
    """Where a cart is, all in all, that must not be raised."""
    found = []
    span = actor.legs[0].start_s, actor.legs[-1].end_s
    for step in range(int((span[1] - span[0]) / EVERY_S)):
        at_s = span[0] + step * EVERY_S
        for pose in poses(day, day.hours[clip.hour], at_s):
            if pose.actor != actor.id or turning(clip, at_s):
                continue
            pixels = in_picture(camera_at(day, clip, at_s), pose.parts[0].body())
            if pixels is not None:
                found.append((at_s, pixels))
    if found:
        boxes = np.array([pixels for _, pixels in found])
        category, note = NOT_RAISED[actor.kind]
        yield {
            "category": category, "start_s": found[0][0], "end_s": found[-1][0],
            "box": [*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist()],
            "note": note, "score": True,
        }  # fmt: skip
