"""Whether it is night at a place: the sun's elevation, to a hundredth of a degree.

Low-precision formulae of the Astronomical Almanac (page C5), good from 1950 to 2050.
"""

from datetime import UTC, datetime
from math import asin, atan2, cos, degrees, radians, sin

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
# The end of civil twilight: without lamps a street cannot be seen any more.
DUSK_DEG = -6.0


def elevation_deg(lon: float, lat: float, at_utc: datetime) -> float:
    """The sun's elevation over the horizon, negative below it; degrees, east and north positive."""
    days = (at_utc - J2000).total_seconds() / 86_400
    anomaly = radians(357.528 + 0.9856003 * days)
    ecliptic = radians(280.460 + 0.9856474 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    obliquity = radians(23.439 - 4e-7 * days)
    ascension = atan2(cos(obliquity) * sin(ecliptic), cos(ecliptic))
    declination = asin(sin(obliquity) * sin(ecliptic))
    sidereal = radians(15 * (18.697374558 + 24.06570982441908 * days) + lon)
    hour_angle = sidereal - ascension
    height = sin(radians(lat)) * sin(declination)
    return degrees(asin(height + cos(radians(lat)) * cos(declination) * cos(hour_angle)))


def is_night(lon: float, lat: float, at_utc: datetime) -> bool:
    """Say whether civil twilight is over there and then."""
    return elevation_deg(lon, lat, at_utc) < DUSK_DEG
