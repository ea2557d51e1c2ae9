from datetime import UTC, datetime, time
from typing import Any

import pytest

from contract.catalogue import Category, Family
from edge_agent import config
from edge_agent.errors import ConfigError
from edge_agent.zones import Box, Hours, Zones, ground_point

LEFT = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]
NOON_IN_SHANGHAI = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
IN_LEFT: Box = (0.1, 0.4, 0.2, 0.6)
IN_RIGHT: Box = (0.7, 0.4, 0.8, 0.6)


def zones(*documents: dict[str, Any]) -> Zones:
    named = [{"id": f"z{index}", "polygon_xyn": LEFT} | one for index, one in enumerate(documents)]
    return Zones.of([config.Zone.model_validate(one) for one in named], "Asia/Shanghai")


def test_without_zones_everything_is_judged_everywhere() -> None:
    assert all(zones().judge(one, IN_RIGHT, NOON_IN_SHANGHAI) for one in Category)


def test_a_category_that_no_zone_names_is_judged_everywhere() -> None:
    vending = zones({"categories": ["street_vendor"]})
    assert vending.judge(Category.BIN_OVERFLOW, IN_RIGHT, NOON_IN_SHANGHAI)
    assert not vending.judge(Category.STREET_VENDOR, IN_RIGHT, NOON_IN_SHANGHAI)
    assert vending.judge(Category.STREET_VENDOR, IN_LEFT, NOON_IN_SHANGHAI)


def test_a_zone_without_categories_names_them_all() -> None:
    everything = zones({})
    assert all(everything.judge(one, IN_LEFT, NOON_IN_SHANGHAI) for one in Category)
    assert not any(everything.judge(one, IN_RIGHT, NOON_IN_SHANGHAI) for one in Category)


@pytest.mark.parametrize(
    ("hours", "local", "judged"),
    [
        ("06:00-22:00", "06:00", True),
        ("06:00-22:00", "21:59:59", True),
        ("06:00-22:00", "22:00", False),
        ("22:00-06:00", "23:30", True),
        ("22:00-06:00", "00:00", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("20:00-24:00", "23:59:59", True),
        ("20:00-24:00", "00:00", False),
        ("08:00-08:00", "03:00", True),
    ],
)
def test_hours_include_their_start_and_not_their_end(hours: str, local: str, judged: bool) -> None:  # noqa: FBT001 - a table's column
    assert Hours.parse(hours).include(time.fromisoformat(local)) is judged


def test_hours_are_read_in_the_cameras_time_zone() -> None:
    mornings = zones({"hours": "11:30-12:30"})
    assert mornings.judge(Category.STREET_VENDOR, IN_LEFT, NOON_IN_SHANGHAI)
    assert not mornings.judge(Category.STREET_VENDOR, IN_LEFT, NOON_IN_SHANGHAI.replace(hour=12))


def test_two_zones_of_one_category_add_up() -> None:
    right = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]
    both = zones({"hours": "00:00-01:00"}, {"polygon_xyn": right})
    assert not both.judge(Category.STREET_VENDOR, IN_LEFT, NOON_IN_SHANGHAI)
    assert both.judge(Category.STREET_VENDOR, IN_RIGHT, NOON_IN_SHANGHAI)


def test_a_zone_concerns_a_place_at_any_hour() -> None:
    night = zones({"hours": "00:00-01:00"})
    assert night.concern(Category.STREET_VENDOR, IN_LEFT)
    assert not night.concern(Category.STREET_VENDOR, IN_RIGHT)


def test_upright_things_stand_on_their_bottom_edge_and_covers_lie_in_their_middle() -> None:
    box = (0.2, 0.4, 0.4, 0.8)
    assert ground_point(Family.COVER, box) == pytest.approx((0.3, 0.6))
    for family in (Family.VENDOR, Family.BIN, Family.GARBAGE):
        assert ground_point(family, box) == pytest.approx((0.3, 0.8))


def test_what_stands_at_the_lower_edge_of_the_picture_is_inside_a_full_zone() -> None:
    assert zones({}).judge(Category.STREET_VENDOR, (0.1, 0.8, 0.2, 1.0), NOON_IN_SHANGHAI)


@pytest.mark.parametrize(
    "corners",
    [
        [[0, 0], [1, 1], [1, 0], [0, 1]],
        [[0, 0], [0.5, 0.5], [1, 1]],
    ],
)
def test_an_outline_that_crosses_itself_or_is_flat_is_refused_by_name(
    corners: list[list[float]],
) -> None:
    with pytest.raises(ConfigError, match="zone z0: polygon_xyn is not a plain outline"):
        zones({"polygon_xyn": corners})
