"""Which categories are judged where in the picture, and at which local hours."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Self
from zoneinfo import ZoneInfo

from shapely.geometry import Point, Polygon
from shapely.validation import explain_validity

from contract.catalogue import Category, Family
from edge_agent import config
from edge_agent.errors import ConfigError

Box = tuple[float, float, float, float]


def ground_point(family: Family, box_xyxyn: Box) -> tuple[float, float]:
    """Where a thing of this family touches the ground, in fractions of the frame.

    A cover lies flat, so its centre; anything upright stands on the bottom edge of its box.
    """
    x1, y1, x2, y2 = box_xyxyn
    return (x1 + x2) / 2, (y1 + y2) / 2 if family is Family.COVER else y2


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of local time, `start` included and `end` not; it may run over midnight.

    `end` None is midnight at the end of the day.
    """

    start: time
    end: time | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `06:00-22:00`; the configuration has checked the form."""
        start, end = text.split("-")
        return cls(time.fromisoformat(start), None if end == "24:00" else time.fromisoformat(end))

    def include(self, local: time) -> bool:
        """Say whether a local time lies in the span; equal ends mean the whole day."""
        if self.end is None:
            return local >= self.start
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """One checked zone: a polygon in fractions of the frame, its categories and hours."""

    id: str
    polygon: Polygon
    categories: frozenset[Category]
    hours: Hours | None

    @classmethod
    def of(cls, zone: config.Zone) -> Self:
        """Check a configured zone. Raises ConfigError when its outline crosses itself."""
        polygon = Polygon(zone.polygon_xyn)
        if not polygon.is_valid or polygon.area == 0:
            raise ConfigError(
                f"zone {zone.id}: polygon_xyn is not a plain outline "
                f"({explain_validity(polygon)}); list its corners in order, without crossings"
            )
        hours = Hours.parse(zone.hours) if zone.hours else None
        return cls(zone.id, polygon, frozenset(zone.categories or Category), hours)

    def holds(self, category: Category, point_xyn: tuple[float, float]) -> bool:
        """Say whether the zone names the category and the point lies in or on its polygon."""
        return category in self.categories and self.polygon.covers(Point(point_xyn))


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """All zones of a camera, and the time zone in which their hours are read."""

    zones: tuple[Zone, ...]
    timezone: ZoneInfo

    @classmethod
    def of(cls, zones: Iterable[config.Zone], timezone: str) -> Self:
        """Check configured zones. Raises ConfigError."""
        return cls(tuple(Zone.of(zone) for zone in zones), ZoneInfo(timezone))

    def concern(self, category: Category, box_xyxyn: Box) -> bool:
        """Say whether the category is judged at the box at any hour.

        A category that no zone names is judged everywhere.
        """
        return not self._naming(category) or bool(self._at(category, box_xyxyn))

    def judge(self, category: Category, box_xyxyn: Box, at_utc: datetime) -> bool:
        """Say whether the category is judged at the box at this moment."""
        if not self._naming(category):
            return True
        local = at_utc.astimezone(self.timezone).time()
        zones = self._at(category, box_xyxyn)
        return any(zone.hours is None or zone.hours.include(local) for zone in zones)

    def _naming(self, category: Category) -> bool:
        return any(category in zone.categories for zone in self.zones)

    def _at(self, category: Category, box_xyxyn: Box) -> list[Zone]:
        point = ground_point(category.family, box_xyxyn)
        return [zone for zone in self.zones if zone.holds(category, point)]
