"""Who is where at each moment: the script's legs as placed assets, as few sprites as will do."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import atan2, ceil, cos, degrees, hypot, inf, radians, sin

from benchmarks.block.script import Actor, Day, Hour, Leg, Part
from benchmarks.block.things import Placed

# A person's stride of two steps; the phase of the walk follows from the way gone.
STRIDE_M = 1.4


@dataclass(frozen=True, slots=True)
class Pose:
    """An actor at one moment: its parts, and where sprites of it were rendered, nearest first."""

    actor: str
    kind: str
    parts: tuple[Placed, ...]
    shown: tuple[tuple[Placed, ...], ...]
    moving: bool


def poses(day: Day, hour: Hour, at_s: float) -> tuple[Pose, ...]:
    """Everybody who is in the street at a moment of the hour."""
    found = []
    for actor in all_actors(day, hour):
        leg = next((leg for leg in actor.legs if leg.start_s <= at_s < leg.end_s), None)
        if leg is not None:
            found.append(_pose(day, actor, leg, at_s))
    return tuple(found)


def all_actors(day: Day, hour: Hour) -> Iterator[Actor]:
    """The hour's actors and, as actors that stand, the bins with their states."""
    yield from hour.actors
    for name, own in day.bins.items():
        spans = sorted((s.start_s, s.end_s) for s in hour.bins if s.bin == name)
        legs, until_s = [], 0.0
        for start_s, end_s in [*spans, (hour.seconds, hour.seconds)]:
            legs += [(until_s, start_s, "ok"), (start_s, end_s, "full")]
            until_s = end_s
        yield Actor(
            id=own.component,
            kind="bin",
            legs=tuple(
                Leg(
                    start_s=start_s, end_s=end_s, at=own.at, heading_deg=own.heading_deg,
                    parts=(Part(asset=f"bin:{own.colour}:{own.seed}:{state}"),),
                )
                for start_s, end_s, state in legs
                if end_s > start_s
            ),
        )  # fmt: skip


def sprites(
    day: Day, hour: Hour, span: tuple[float, float] = (0.0, inf)
) -> dict[tuple[Placed, ...], bool]:
    """Every sprite that a span of the hour needs, and whether it is one of something moving."""
    found: dict[tuple[Placed, ...], bool] = {}
    for actor in all_actors(day, hour):
        for leg in actor.legs:
            if leg.end_s <= span[0] or leg.start_s >= span[1]:
                continue
            for gone_m in _samples(actor, leg):
                for number in range(actor.phases if leg.to else 1):
                    found[_parts(day, leg, gone_m, number / actor.phases)] = leg.to is not None
    return found


def _pose(day: Day, actor: Actor, leg: Leg, at_s: float) -> Pose:
    gone_m = _length_m(leg) * (at_s - leg.start_s) / (leg.end_s - leg.start_s)
    nearest = sorted(_samples(actor, leg), key=lambda sample: abs(sample - gone_m))
    phase = int(gone_m / STRIDE_M * actor.phases) % actor.phases / actor.phases if leg.to else 0.0
    shown = tuple(_parts(day, leg, sample_m, phase) for sample_m in nearest)
    true = _parts(day, leg, gone_m, phase)
    return Pose(actor.id, actor.kind, true, shown, leg.to is not None)


def _samples(actor: Actor, leg: Leg) -> list[float]:
    length_m = _length_m(leg)
    count = ceil(length_m / actor.step_m) if length_m else 0
    return [min(number * actor.step_m, length_m) for number in range(count + 1)]


def _length_m(leg: Leg) -> float:
    return hypot(leg.to[0] - leg.at[0], leg.to[1] - leg.at[1]) if leg.to else 0.0


def _parts(day: Day, leg: Leg, gone_m: float, phase: float) -> tuple[Placed, ...]:
    (x, y), heading = leg.at, leg.heading_deg or 0.0
    if leg.to:
        dx, dy = leg.to[0] - x, leg.to[1] - y
        share = gone_m / hypot(dx, dy)
        x, y = x + dx * share, y + dy * share
        heading = degrees(atan2(dy, dx)) if leg.heading_deg is None else leg.heading_deg
    return tuple(_placed(day, part, (x, y, heading), phase) for part in leg.parts)


def _placed(day: Day, part: Part, where: tuple[float, float, float], phase: float) -> Placed:
    x, y, heading = where
    c, s = cos(radians(heading)), sin(radians(heading))
    px = x + c * part.offset[0] - s * part.offset[1]
    py = y + s * part.offset[0] + c * part.offset[1]
    asset = part.asset.replace("{phase}", f"{phase:.2f}")
    at = (round(px, 3), round(py, 3), day.world.ground_z(py))
    return Placed(asset, at, round((heading + part.turn_deg) % 360, 2))
