"""What counts for an issue and against it: doubt, occlusion, intact things, night, suppression."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contract.catalogue import Category, Family
from contract.messages import Phase, Severity
from edge_agent.clock import Instant
from edge_agent.issue_state import CameraIssues
from edge_agent.policy import Policy
from edge_agent.suppressions import Suppression
from edge_agent.zones import Box
from tests.edge_agent.street import START, Seen, Street, policy, shifted
from tests.edge_agent.test_issues import cover_policy

SPOT: Box = (0.4, 0.5, 0.55, 0.7)
COVER: Box = (0.3, 0.8, 0.36, 0.84)
HEAP: Seen = ("exposed_garbage", SPOT, 0.7)
CART: Seen = ("street_vendor", SPOT, 0.7)
BROKEN: Seen = ("manhole_damaged", COVER, 0.6)
LORRY: Seen = ("vehicle", (0.2, 0.5, 0.5, 0.95), 0.9)
BUS: Seen = ("vehicle", (0.3, 0.2, 0.8, 0.8), 0.9)


def opened(*boxes: Seen, by: Policy | None = None) -> Street:
    street = Street(by or policy())
    street.watch(10, boxes)
    assert "raised" in street.phases
    return street


def garbage(score: float) -> Seen:
    return ("exposed_garbage", SPOT, score)


def test_a_heap_that_scores_below_keep_after_a_bus_passed_is_not_cleared() -> None:
    street = opened(HEAP)
    street.watch(3, [BUS])
    for index in range(100):
        street.watch(0.2, [garbage((0.12, 0.17, 0.16, 0.14, 0.25)[index % 5])])
    assert street.phases == ["raised"]
    street.watch(7)
    assert street.phases == ["raised", "cleared"]


def test_what_stays_doubtful_for_ever_is_cleared_in_the_end() -> None:
    street = opened(HEAP)
    street.watch(50, [garbage(0.199)])
    assert street.phases == ["raised"]
    street.watch(15, [garbage(0.199)])
    assert street.phases == ["raised", "cleared"]


def test_doubtful_scores_never_make_an_issue() -> None:
    street = Street()
    street.watch(60, [garbage(0.19)])
    assert street.reports == []
    assert street.state.places == ()


@pytest.mark.parametrize("seen_every", [2, 5, 20])
def test_a_parked_lorry_that_the_detector_often_loses_never_clears_an_open_cover(
    seen_every: int,
) -> None:
    street = opened(BROKEN)
    street.watch(2, [LORRY])
    for index in range(1500):
        street.watch(0.2, [LORRY] if index % seen_every == 0 else [])
    assert "cleared" not in street.phases
    street.watch(20)
    assert street.phases[-1] == "cleared"


def test_traffic_that_passes_before_a_place_does_not_keep_it_open() -> None:
    street = opened(BROKEN)
    for index in range(60):
        x = 0.1 + 0.01 * (index % 20)
        passing = ("vehicle", shifted((x, 0.5, x + 0.3, 0.95), 0.04 * (index % 3)), 0.8)
        street.watch(0.2, [passing] if index % 2 else [])
    street.watch(6)
    assert street.phases == ["raised", "cleared"]


def test_what_passes_slowly_is_not_parked() -> None:
    street = opened(BROKEN)
    for index in range(70):
        # each vehicle stands before the cover for four looks, then the place is bare for six
        x = 0.3 * (index // 10 % 2)
        passing = ("vehicle", (x, 0.5, x + 0.4, 0.95), 0.8)
        street.watch(0.2, [passing] if index % 10 < 4 else [])
    assert street.phases == ["raised", "cleared"]


def test_two_vehicles_at_one_spot_by_chance_are_not_one_parked_vehicle() -> None:
    street = Street(cover_policy(clear_after_s=60))
    street.watch(100, [BROKEN], every_s=10.0)
    for _ in range(2):
        street.watch(10, [LORRY], every_s=10.0)
    street.watch(70, every_s=10.0)
    assert street.phases == ["raised", "cleared"]


def test_a_lorry_remembered_from_before_a_reboot_into_the_past_is_forgotten() -> None:
    street = opened(BROKEN)
    street.watch(5, [LORRY])
    street.at = Instant(START.utc - timedelta(days=9), 5.0, "boot-2")
    street.watch(8)
    assert street.phases[-1] == "cleared"


@pytest.mark.parametrize(("ok", "damaged"), [((0.5, 0.5), (0.5, 0.5)), ((0.45, 0.55), (0.55, 0.5))])
def test_an_open_cover_that_wavers_between_broken_and_intact_stays_open(
    ok: tuple[float, float], damaged: tuple[float, float]
) -> None:
    street = opened(BROKEN)
    for index in range(600):
        now = index // 2 % 2
        street.watch(
            0.2, [("manhole_ok", COVER, ok[now]), ("manhole_damaged", COVER, damaged[now])]
        )
    assert "cleared" not in street.phases


def test_an_intact_cover_in_its_place_clears_it_although_people_stand_around_it() -> None:
    street = opened(BROKEN)
    worker = ("person", (0.29, 0.6, 0.34, 0.83), 0.8)
    street.watch(7, [("manhole_ok", COVER, 0.8), ("manhole_damaged", COVER, 0.4), worker])
    assert street.phases == ["raised", "cleared"]


def test_a_cover_that_looks_hardly_more_intact_than_broken_is_cleared_slowly() -> None:
    street = opened(BROKEN)
    hint = [("manhole_ok", COVER, 0.52), ("manhole_damaged", COVER, 0.5)]
    street.watch(15, hint)
    assert street.phases == ["raised"]
    street.watch(45, hint)
    assert street.phases == ["raised", "cleared"]


def test_a_place_of_which_a_part_is_hidden_is_cleared_slowly() -> None:
    street = opened(HEAP)
    passer_by = ("person", (0.4, 0.4, 0.43, 0.75), 0.8)  # before a fifth of it
    street.watch(9, [passer_by])
    assert street.phases == ["raised"]
    street.watch(9, [passer_by])
    assert street.phases == ["raised", "cleared"]


def test_a_look_that_shows_it_worse_than_thought_clears_nothing() -> None:
    by = policy(
        {
            "manhole_damaged": {"clear_after_s": 60, "seen_m": 3, "of_n": 4},
            "manhole_missing": {"clear_after_s": 3, "seen_m": 3, "of_n": 4},
        }
    )
    street = opened(BROKEN, ("manhole_missing", COVER, 0.5), by=by)
    street.watch(20, [("manhole_damaged", COVER, 0.4), ("manhole_missing", COVER, 0.49)])
    street.watch(5)
    street.watch(0.2, [("manhole_missing", COVER, 0.9)])
    assert street.phases == ["raised", "updated"]


def test_an_intact_cover_of_which_a_car_hides_a_part_is_not_raised() -> None:
    car = ("vehicle", (0.34, 0.5, 0.7, 0.9), 0.9)
    street = Street()
    street.watch(60, [car, BROKEN, ("manhole_ok", COVER, 0.4)])
    assert street.reports == []


def test_a_cover_whose_score_is_divided_between_its_states_is_raised() -> None:
    split = [("manhole_damaged", COVER, 0.3), ("manhole_missing", COVER, 0.25)]
    street = Street()
    street.watch(10, split)
    assert [one.category for one in street.reports] == [Category.MANHOLE_DAMAGED]
    assert street.reports[0].score == pytest.approx(1 - 0.7 * 0.75)


def test_an_intact_cover_that_looks_a_little_broken_both_ways_is_not_raised() -> None:
    street = Street()
    street.watch(
        60,
        [
            ("manhole_ok", COVER, 0.6),
            ("manhole_damaged", COVER, 0.3),
            ("manhole_missing", COVER, 0.25),
        ],
    )
    assert street.reports == []


def test_a_damaged_cover_that_goes_missing_is_the_same_issue() -> None:
    street = opened(BROKEN)
    for _ in range(100):
        street.watch(0.2, [("manhole_missing", COVER, 0.8), ("manhole_damaged", COVER, 0.2)])
    assert [one.category for one in street.reports] == ["manhole_damaged", "manhole_missing"]
    assert len({one.issue_id for one in street.reports}) == 1


def test_a_car_that_parks_where_the_stall_stood_clears_it() -> None:
    street = opened(CART)
    street.watch(8, [("vehicle", shifted(SPOT, 0.01), 0.8)])
    assert street.phases == ["raised", "cleared"]


def test_a_van_that_parks_before_the_stall_does_not_clear_it() -> None:
    street = opened(CART)
    street.watch(60, [("vehicle", (0.38, 0.45, 0.6, 0.85), 0.8)])
    assert street.phases == ["raised"]


def test_pedestrians_with_umbrellas_are_never_raised() -> None:
    street = Street()
    for index in range(100):
        standing = (0.2, 0.4, 0.26, 0.6)
        walking = shifted((0.0, 0.4, 0.06, 0.6), 0.009 * index)
        street.watch(
            0.2,
            [
                ("street_vendor", standing, 0.5), ("person", standing, 0.8),
                ("street_vendor", walking, 0.6), ("person", walking, 0.4),
            ],
        )  # fmt: skip
    assert street.reports == []


def test_a_heap_that_grows_is_reported_again_once() -> None:
    street = opened(HEAP)
    grown = ("exposed_garbage", (0.3, 0.5, 0.6, 0.75), 0.7)
    street.watch(60, [grown])
    assert street.phases == ["raised", "updated"]
    assert street.reports[-1].box_xyxyn == pytest.approx(grown[1], abs=0.01)


def test_a_rule_that_makes_an_open_issue_urgent_is_an_update() -> None:
    street = opened(HEAP)
    street.policy = policy({"exposed_garbage": {"severity": "urgent"}})
    (updated,) = street.watch(10, [HEAP])
    assert (updated.phase, updated.severity) == (Phase.UPDATED, Severity.URGENT)


# -- night

SHANGHAI = {"id": "cam-01", "location": {"lon": 117.36, "lat": 32.93}}
MIDNIGHT = Instant(datetime(2026, 11, 21, 16, 0, tzinfo=UTC), 1000.0, "boot-1")
NOON = Instant(datetime(2026, 11, 21, 4, 0, tzinfo=UTC), 1000.0, "boot-1")


def by_night(kind: str) -> Policy:
    return policy({"exposed_garbage": {"night": kind}}, camera=SHANGHAI)


@pytest.mark.parametrize(
    ("kind", "at", "luma", "judges"),
    [
        ("judge", MIDNIGHT, 5.0, True),
        ("suspend", MIDNIGHT, 200.0, False),
        ("suspend", NOON, 5.0, True),
        ("if_lit", MIDNIGHT, 60.0, True),
        ("if_lit", MIDNIGHT, 20.0, False),
        # nobody measured it
        ("if_lit", MIDNIGHT, None, False),
        ("if_lit", NOON, 20.0, True),
    ],
)
def test_by_night_only_what_the_policy_allows_is_raised_and_cleared(
    kind: str,
    at: Instant,
    luma: float | None,
    judges: bool,  # noqa: FBT001 - a table's column
) -> None:
    street = Street(by_night(kind), at=at)
    street.watch(10, [HEAP], luma=luma)
    assert street.phases == (["raised"] if judges else [])
    day = Street(by_night(kind), at=NOON)
    day.watch(10, [HEAP])
    day.at = at
    day.watch(20, luma=luma)
    assert day.phases == (["raised", "cleared"] if judges else ["raised"])


def test_a_night_policy_concerns_its_category_only() -> None:
    street = Street(by_night("suspend"), at=MIDNIGHT)
    street.watch(10, [HEAP, BROKEN])
    assert [one.category for one in street.reports] == [Category.MANHOLE_DAMAGED]


def test_a_suspended_night_does_not_silence_the_heartbeat() -> None:
    rule = {"night": "suspend", "heartbeat_s": 60}
    street = Street(policy({"exposed_garbage": rule}, camera=SHANGHAI), at=NOON)
    street.watch(10, [HEAP])
    street.at = MIDNIGHT
    street.watch(130, every_s=1.0)
    assert street.phases[:1] == ["raised"]
    assert set(street.phases[1:]) == {"updated"}


# -- suppression


def suppressed(category: Category, box: Box = SPOT, hours: float = 1.0) -> Suppression:
    until = START.utc + timedelta(hours=hours)
    return Suppression(UUID(int=7), "cam-01", category, box, 2.0, until)


def test_nothing_is_raised_where_a_person_said_that_it_is_no_issue_until_that_expires() -> None:
    quiet = replace(policy(), suppressions=(suppressed(Category.EXPOSED_GARBAGE),))
    street = Street(quiet)
    street.watch(60, [("exposed_garbage", shifted(SPOT, 0.02), 0.7)])
    assert street.reports == []
    assert street.state.withheld == 1
    assert CameraIssues.from_json(street.state.to_json()) == street.state
    street.at = street.at.plus(3600)
    street.watch(10, [HEAP])
    assert street.phases == ["raised"]


@pytest.mark.parametrize(
    "other",
    [
        # another place, another family, and a worse state of the same cover
        ("exposed_garbage", (0.7, 0.5, 0.85, 0.7), 0.7),
        ("street_vendor", SPOT, 0.7),
        ("manhole_missing", COVER, 0.7),
    ],
)
def test_a_suppression_holds_for_its_place_and_category_only(other: Seen) -> None:
    both = (suppressed(Category.EXPOSED_GARBAGE), suppressed(Category.MANHOLE_DAMAGED, COVER))
    street = Street(replace(policy(), suppressions=both))
    street.watch(10, [other])
    assert street.phases == ["raised"]


# -- the ground

POINTS = [
    {"xyn": xyn, "lonlat": lonlat}
    for xyn, lonlat in (
        ([0.0, 1.0], [117.3600, 32.9300]),
        ([1.0, 1.0], [117.3602, 32.9300]),
        ([0.7, 0.4], [117.3602, 32.9306]),
        ([0.3, 0.4], [117.3600, 32.9306]),
    )
]
FAR_BIN: Box = (0.4, 0.42, 0.5, 0.52)
NEAR_BIN: Box = (0.4, 0.455, 0.5, 0.6)


def test_two_boxes_that_overlap_but_stand_far_apart_on_the_ground_are_two_issues() -> None:
    seen = [("bin_overflow", FAR_BIN, 0.7), ("bin_overflow", NEAR_BIN, 0.7)]
    flat, placed = Street(), Street(policy(place={"points": POINTS}))
    flat.watch(10, seen)
    placed.watch(10, seen)
    assert len(flat.reports) == 1
    assert len(placed.reports) == 2


def test_two_boxes_that_hardly_overlap_are_one_when_they_stand_on_one_spot() -> None:
    one = ("manhole_damaged", (0.3, 0.9, 0.33, 0.92), 0.7)
    other = ("manhole_damaged", (0.318, 0.908, 0.348, 0.928), 0.7)
    flat, placed = Street(), Street(policy(place={"points": POINTS}))
    for street in (flat, placed):
        street.watch(10, [one, other])
    assert len(flat.reports) == 2
    assert len(placed.reports) == 1


def test_a_stall_whose_foot_is_hidden_is_the_same_stall() -> None:
    placed = Street(policy(place={"points": POINTS}))
    whole = ("street_vendor", (0.4, 0.4, 0.5, 0.6), 0.7)
    cut = ("street_vendor", (0.4, 0.4, 0.5, 0.5), 0.7)
    for index in range(60):
        placed.watch(0.2, [cut if index // 10 % 2 else whole])
    assert placed.phases == ["raised"]


@pytest.mark.parametrize("heap", ["bin_overflow", "exposed_garbage"])
def test_what_lies_on_a_cart_is_its_stock_and_no_issue(heap: str) -> None:
    fruit = (heap, (0.39, 0.52, 0.5, 0.62), 0.6)
    street = Street()
    street.watch(30, [("street_vendor", SPOT, 0.8), fruit])
    assert [report.category for report in street.reports] == [Category.STREET_VENDOR]
    street.watch(30, [fruit])
    assert street.phases == ["raised", "cleared", "raised"]


INSIDE: Box = (0.42, 0.52, 0.5, 0.62)


@pytest.mark.parametrize(("bin_box", "cart_box"), [(INSIDE, SPOT), (SPOT, INSIDE)])
def test_an_overflowing_bin_does_not_keep_a_cart_from_being_raised(
    bin_box: Box, cart_box: Box
) -> None:
    street = Street()
    full = ("bin_overflow", bin_box, 0.9)
    street.watch(10, [full])
    street.watch(20, [full, ("street_vendor", cart_box, 0.6)])
    assert [report.family for report in street.reports] == [Family.BIN, Family.VENDOR]
