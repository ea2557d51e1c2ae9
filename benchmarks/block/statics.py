"""What is there the whole hour: trees, lamps, parked cars, covers with their lids."""

from benchmarks.block.script import Cover, Day
from benchmarks.block.things import Placed


def statics(day: Day) -> tuple[Placed, ...]:
    """Everything that stands all day, in a fixed order; covers come last."""
    found = []
    for row in day.rows:
        for number, x in enumerate(row.xs):
            asset = row.asset.replace("{n}", str(number % 4))
            turn = row.heading_deg + (number * 77 % 360 if asset.startswith("tree") else 0)
            found.append(Placed(asset, (x, row.y, day.world.ground_z(row.y)), turn))
    found += [
        Placed(one.asset, (*one.at, day.world.ground_z(one.at[1])), one.heading_deg)
        for one in day.statics
    ]
    for cover in day.covers.values():
        found += [surround(day, cover), lid(day, cover)]
    return tuple(found)


def surround(day: Day, cover: Cover) -> Placed:
    """The concrete and the shaft of a cover."""
    return Placed(f"patch:{day.world.patch}:{cover.radius}:{cover.surround}", _at(day, cover), 0.0)


def lid(day: Day, cover: Cover) -> Placed:
    """The lid that lies on it."""
    return Placed(f"lid:{cover.radius}:{cover.colour}", _at(day, cover), 20.0)


def state_of(day: Day, cover: Cover, state: str) -> tuple[Placed, ...]:
    """What replaces the lid: nothing but the lid beside it, or its broken rest."""
    x, y, z = _at(day, cover)
    if state == "missing":
        aside = (x + cover.aside[0], y + cover.aside[1], z + 0.05)
        return (Placed(f"lid:{cover.radius}:{cover.colour}", aside, 65.0),)
    return (Placed(f"broken:{cover.radius}:{cover.colour}:3", (x, y, z), 0.0),)


def _at(day: Day, cover: Cover) -> tuple[float, float, float]:
    return (*cover.at, day.world.ground_z(cover.at[1]))
