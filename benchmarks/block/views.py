"""Where a clip's camera looks at each moment: it may turn to a preset, be knocked, or go dark."""

import numpy as np

from benchmarks.block.geometry import Camera, Origin
from benchmarks.block.script import Clip, Dark, Day, View


def origin_of(day: Day) -> Origin:
    """Where the street lies on the map."""
    return Origin(day.origin.lon, day.origin.lat, day.origin.heading_deg)


def view_at(clip: Clip, at_s: float) -> View:
    """The view that holds at a moment, or that the camera still turns away from."""
    return [view for view in views_of(clip) if view.start_s <= at_s][-1]


def views_of(clip: Clip) -> tuple[View, ...]:
    """A clip's views in their order, the first from its start on."""
    return (clip.home, *clip.views)


def span_of(clip: Clip, view: View, seconds: float) -> tuple[float, float]:
    """From when to when a view holds in a clip of so many seconds."""
    later = [one.start_s for one in clip.views if one.start_s > view.start_s]
    return view.start_s, min(later, default=seconds)


def presets_of(clip: Clip) -> tuple[View, ...]:
    """The presets of a turning camera, each once; of a fixed camera none."""
    first: dict[str, View] = {}
    for view in views_of(clip):
        if view.preset is not None:
            first.setdefault(view.preset, view)
    return tuple(first.values())


def knocked_s(clip: Clip) -> float | None:
    """When the camera of a fixed view was knocked askew; None when it never was."""
    return next((view.start_s for view in clip.views if view.preset is None), None)


def camera_in(day: Day, clip: Clip, view: View) -> Camera:
    """The clip's camera as it stands in one view."""
    own = day.cameras[clip.camera]
    home = Camera(own.at, own.heading_deg, own.down_deg, own.focal_px)
    return home.turned(view.heading_deg, view.down_deg)


def camera_at(day: Day, clip: Clip, at_s: float) -> Camera:
    """The clip's camera at a moment, also while it turns."""
    now = view_at(clip, at_s)
    following = next((view for view in clip.views if view.start_s > at_s), None)
    if following is None or at_s < following.start_s - following.turn_s:
        return camera_in(day, clip, now)
    share = 1 - (following.start_s - at_s) / following.turn_s
    between = View(
        start_s=at_s,
        heading_deg=float(np.interp(share, (0, 1), (now.heading_deg, following.heading_deg))),
        down_deg=float(np.interp(share, (0, 1), (now.down_deg, following.down_deg))),
    )
    return camera_in(day, clip, between)


def turning(clip: Clip, at_s: float) -> bool:
    """Whether the camera is on its way to another preset."""
    return any(view.start_s - view.turn_s <= at_s < view.start_s for view in clip.views)


def light_share(clip: Clip, at_s: float) -> float:
    """How much of the light reaches the sensor: less while the lens is covered or fails."""
    return min((dark.share for dark in darks_at(clip, at_s)), default=1.0)


def veil(clip: Clip, at_s: float) -> float:
    """How much light comes from what hangs before the lens."""
    return max((dark.veil for dark in darks_at(clip, at_s)), default=0.0)


def darks_at(clip: Clip, at_s: float) -> tuple[Dark, ...]:
    """What keeps the light out at a moment."""
    return tuple(dark for dark in clip.darks if dark.start_s <= at_s < dark.end_s)
