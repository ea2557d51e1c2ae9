from datetime import UTC, datetime

import pytest

from edge_agent.sun import elevation_deg, is_night


@pytest.mark.parametrize(
    ("lon", "lat", "at", "expected_deg"),
    [
        # noon on the equator at an equinox, and the poles at the solstice
        (0.0, 0.0, "2026-03-20T12:07:00", 90.0),
        (0.0, 90.0, "2026-06-21T12:00:00", 23.4),
        (0.0, -90.0, "2026-06-21T12:00:00", -23.4),
        # Bengbu: noon at the solstices, by 90 - latitude +- 23.44
        (117.36, 32.93, "2026-06-21T04:12:00", 80.5),
        (117.36, 32.93, "2026-12-21T04:08:00", 33.6),
    ],
)
def test_the_sun_stands_where_the_almanac_says(
    lon: float, lat: float, at: str, expected_deg: float
) -> None:
    found = elevation_deg(lon, lat, datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert found == pytest.approx(expected_deg, abs=0.2)


@pytest.mark.parametrize(
    ("at", "night"),
    [
        # Bengbu in November: the sun sets at 17:05 local time, civil twilight ends at 17:32
        ("2026-11-21T09:10:00", False),
        ("2026-11-21T09:45:00", True),
        ("2026-11-21T22:00:00", True),
        ("2026-11-21T22:50:00", False),
    ],
)
def test_night_begins_when_civil_twilight_ends(at: str, night: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_night(117.36, 32.93, datetime.fromisoformat(at).replace(tzinfo=UTC)) is night
