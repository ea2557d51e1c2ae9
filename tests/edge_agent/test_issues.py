"""The issue state machine, told as stories of one street."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contract.catalogue import Category, Family
from contract.messages import Phase, Reason, Severity
from edge_agent.clock import Instant
from edge_agent.issues import MAX_PLACES, step, withdraw
from edge_agent.observations import same_place
from edge_agent.policy import Policy
from edge_agent.zones import Box
from tests.edge_agent.street import START, Seen, Street, look, policy, shifted

SPOT: Box = (0.4, 0.5, 0.55, 0.7)
ELSEWHERE: Box = (0.7, 0.5, 0.85, 0.7)
COVER: Box = (0.3, 0.8, 0.36, 0.84)
CART: Seen = ("street_vendor", SPOT, 0.7)
BROKEN: Seen = ("manhole_damaged", COVER, 0.6)
LORRY: Seen = ("vehicle", (0.2, 0.5, 0.5, 0.95), 0.9)


def opened(*boxes: Seen, **how: object) -> Street:
    street = Street()
    street.watch(10, boxes, **how)
    assert "raised" in street.phases
    return street


def test_a_standing_cart_is_raised_once_after_its_dwell_time() -> None:
    street = Street()
    assert street.watch(7.8, [CART]) == []
    (raised,) = street.watch(20, [CART])
    assert raised.phase is Phase.RAISED
    assert raised.category is Category.STREET_VENDOR
    assert raised.revision == 1
    assert raised.first_seen_at == START.plus(0.2).utc
    assert 7.9 <= (raised.captured_at - raised.first_seen_at).total_seconds() <= 8.3
    assert same_place(raised.box_xyxyn, SPOT)
    assert raised.support.seen == raised.support.visible >= 40


def test_an_issue_id_is_a_uuid_of_version_7_with_the_time_of_the_frame() -> None:
    street = opened(CART)
    issue_id = street.reports[0].issue_id
    milliseconds = issue_id.int >> 80
    assert issue_id.version == 7
    assert milliseconds == int(street.reports[0].captured_at.timestamp() * 1000)


@pytest.mark.parametrize("crossing_s", [4, 8, 16, 30])
def test_a_cart_that_crosses_the_picture_is_never_raised(crossing_s: float) -> None:
    street = Street()
    looks = round(crossing_s / 0.2)
    for index in range(looks):
        moving = ("street_vendor", shifted((-0.15, 0.5, 0.0, 0.7), 1.15 * index / looks), 0.9)
        street.watch(0.2, [moving])
    street.watch(20)
    assert street.reports == []
    assert street.state.places == ()


def test_a_cart_that_rolls_in_and_parks_is_raised_with_its_parked_box() -> None:
    street = Street()
    for index in range(25):
        street.watch(0.2, [("street_vendor", shifted(SPOT, -0.3 + 0.012 * index), 0.8)])
    (raised,) = street.watch(10, [CART])
    assert max(abs(a - b) for a, b in zip(raised.box_xyxyn, SPOT, strict=True)) < 0.01
    parked_s = (raised.captured_at - START.plus(5.0).utc).total_seconds()
    assert 6 <= parked_s <= 9


def test_jitter_of_the_detector_does_not_lose_a_standing_cart() -> None:
    street = Street()
    for index in range(60):
        wobble = 0.012 * (-1) ** index
        box = (SPOT[0] + wobble, SPOT[1] - wobble, SPOT[2] + 0.01 * (index % 3), SPOT[3] + wobble)
        street.watch(0.2, [("street_vendor", box, 0.6)])
    assert street.phases == ["raised"]


def test_a_half_hidden_cart_among_whole_ones_does_not_restart_its_dwell_time() -> None:
    street = Street()
    half = ("street_vendor", (SPOT[0], SPOT[1], 0.46, SPOT[3]), 0.5)
    for index in range(50):
        street.watch(0.2, [half if index % 7 == 3 else CART])
    assert street.phases == ["raised"]


def test_an_issue_is_anchored_where_the_cart_parked_not_where_it_was_first_seen() -> None:
    street = Street()
    street.watch(0.2, [("street_vendor", shifted(SPOT, -0.035), 0.8)])
    street.watch(10, [CART])
    (place,) = street.state.open_places
    assert max(abs(a - b) for a, b in zip(place.anchor, SPOT, strict=True)) < 0.01


def test_an_open_issue_does_not_follow_a_cart_that_creeps_away() -> None:
    street = opened(CART)
    (anchor,) = (place.anchor for place in street.state.open_places)
    for index in range(50):
        street.watch(0.2, [("street_vendor", shifted(SPOT, 0.004 * index), 0.8)])
        assert all(place.anchor == anchor for place in street.state.open_places)
    creeping = street.watch(7, [("street_vendor", shifted(SPOT, 0.2), 0.8)])
    assert Phase.CLEARED in [report.phase for report in creeping]


def test_what_is_seen_in_less_than_half_of_all_looks_is_not_raised_in_a_good_moment() -> None:
    street = Street()
    for index in range(100):
        street.watch(0.2, [CART] if index % 5 in (0, 2) else [])
    assert street.watch(1.6, [CART]) == []


def test_the_last_looks_must_show_it_when_it_is_raised() -> None:
    street = Street()
    street.watch(7, [CART])
    for _ in range(8):
        street.watch(0.2)
        assert street.watch(0.2, [CART]) == []
    assert [report.phase for report in street.watch(1.2, [CART])] == [Phase.RAISED]


def test_what_flickers_is_never_raised_and_is_forgotten() -> None:
    street = Street()
    for index in range(200):
        street.watch(0.2, [CART] if index % 3 == 0 else [])
    street.watch(4)
    assert street.reports == []
    assert street.state.places == ()


def test_scores_between_keep_and_raise_hold_an_issue_but_never_make_one() -> None:
    weak = ("street_vendor", SPOT, 0.3)
    street = Street()
    street.watch(30, [weak])
    assert street.reports == []
    street.watch(10, [CART])
    street.watch(30, [weak])
    assert street.phases == ["raised"]


def test_a_lone_good_score_among_weak_ones_makes_no_issue() -> None:
    street = Street()
    street.watch(0.2, [CART])
    street.watch(30, [("street_vendor", SPOT, 0.25)])
    assert street.reports == []


def test_a_cart_that_leaves_is_cleared_after_the_clearing_time() -> None:
    street = opened(CART)
    assert street.watch(5.6) == []
    (cleared,) = street.watch(2)
    assert cleared.phase is Phase.CLEARED
    assert cleared.revision == 2
    assert cleared.last_seen_at == START.plus(10.0).utc
    assert cleared.support.seen == 0
    assert street.state.open_places == ()


def test_a_single_false_sighting_does_not_delay_clearing() -> None:
    street = opened(CART)
    street.watch(3)
    street.watch(0.2, [CART])
    street.watch(3.2)
    assert street.phases == ["raised", "cleared"]


def test_seen_again_soon_continues_the_issue_and_late_makes_a_new_one() -> None:
    street = opened(CART)
    street.watch(10)
    street.watch(60, every_s=1.0)
    (again,) = street.watch(10, [("street_vendor", shifted(SPOT, 0.02), 0.7)])
    assert (again.phase, again.reopened, again.revision) == (Phase.RAISED, True, 3)
    assert again.issue_id == street.reports[0].issue_id
    assert again.first_seen_at == street.reports[0].first_seen_at
    street.watch(10)
    street.watch(700, every_s=5.0)
    (new,) = street.watch(10, [CART])
    assert (new.reopened, new.revision) == (False, 1)
    assert new.issue_id != again.issue_id


def test_an_issue_that_comes_back_again_and_again_counts_its_revisions_on() -> None:
    street = Street()
    for _ in range(4):
        street.watch(10, [CART])
        street.watch(10)
    assert street.phases == ["raised", "cleared"] * 4
    assert [report.revision for report in street.reports] == list(range(1, 9))
    assert len({report.issue_id for report in street.reports}) == 1


def test_nothing_is_cleared_in_a_look_that_shows_it() -> None:
    street = opened(CART)
    street.watch(5.8)
    assert street.watch(0.2, [CART]) == []
    assert [report.phase for report in street.watch(0.4)] == [Phase.CLEARED]


def test_another_spot_is_another_issue_even_soon_after_clearing() -> None:
    street = opened(CART)
    street.watch(10)
    (other,) = street.watch(10, [("street_vendor", ELSEWHERE, 0.7)])
    assert not other.reopened
    assert other.issue_id != street.reports[0].issue_id


def test_the_heartbeat_reports_an_open_issue_again() -> None:
    street = Street(policy({"street_vendor": {"heartbeat_s": 5}}))
    street.watch(8.2, [CART])
    updates = street.watch(16, [CART])
    assert [report.phase for report in updates] == [Phase.UPDATED] * 3
    assert [report.revision for report in updates] == [2, 3, 4]


def test_a_category_that_changes_inside_its_family_is_an_update() -> None:
    urgent = {"manhole_missing": {"severity": "urgent"}, "manhole_damaged": {"severity": "normal"}}
    street = Street(policy(urgent))
    street.watch(10, [BROKEN])
    (updated,) = street.watch(20, [("manhole_missing", COVER, 0.7)])
    assert (updated.phase, updated.category) == (Phase.UPDATED, Category.MANHOLE_MISSING)
    assert updated.severity is Severity.URGENT
    assert updated.issue_id == street.reports[0].issue_id


def test_the_dark_under_a_tree_is_no_missing_cover() -> None:
    street = Street()
    street.watch(20, [("manhole_missing", (0.1, 0.1, 0.5, 0.6), 0.9)])
    assert street.phases == []


def test_two_categories_in_turn_do_not_update_at_each_look() -> None:
    street = opened(BROKEN)
    for _ in range(40):
        street.watch(0.6, [("manhole_missing", COVER, 0.6)])
        street.watch(0.6, [BROKEN])
    assert street.phases.count("updated") <= 1


def test_two_boxes_on_one_bin_make_one_issue() -> None:
    whole = ("bin_overflow", (0.4, 0.4, 0.5, 0.7), 0.6)
    rim = ("bin_overflow", (0.4, 0.4, 0.5, 0.48), 0.55)
    street = Street()
    for index in range(120):
        street.watch(0.2, [(whole, rim), (whole,), (rim,)][index % 3])
    assert street.phases == ["raised"]


def test_two_candidates_that_come_to_overlap_make_one_issue() -> None:
    street = Street()
    street.watch(2, [CART, ("street_vendor", shifted(SPOT, 0.1), 0.6)])
    assert len(street.state.places) == 2
    street.watch(20, [CART, ("street_vendor", shifted(SPOT, 0.07), 0.6)])
    assert street.phases == ["raised"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (("bin_overflow", SPOT, 0.5), ("garbage_bin", SPOT, 0.6)),
        (("manhole_damaged", COVER, 0.5), ("manhole_ok", COVER, 0.55)),
        (("manhole_missing", COVER, 0.5), ("manhole_ok", COVER, 0.55)),
        (("exposed_garbage", SPOT, 0.5), ("garbage_bin", SPOT, 0.6)),
        (("street_vendor", SPOT, 0.5), ("vehicle", SPOT, 0.9)),
        (("street_vendor", SPOT, 0.5), ("person", SPOT, 0.9)),
        (("exposed_garbage", COVER, 0.5), ("manhole_ok", COVER, 0.6)),
    ],
)
def test_what_another_class_explains_better_is_not_raised(wrong: Seen, right: Seen) -> None:
    street = Street()
    street.watch(30, [wrong, right])
    assert street.reports == []
    street.watch(10, [wrong])
    assert street.phases == ["raised"]


def test_an_emptied_bin_clears_although_it_still_looks_a_little_overfull() -> None:
    street = opened(("bin_overflow", SPOT, 0.7))
    street.watch(8, [("bin_overflow", SPOT, 0.35), ("garbage_bin", SPOT, 0.6)])
    assert street.phases == ["raised", "cleared"]


def test_one_heap_seen_as_two_families_makes_one_issue_of_the_stronger() -> None:
    inside = (0.42, 0.52, 0.53, 0.6)
    for garbage_box in (SPOT, inside):
        street = Street()
        street.watch(30, [("bin_overflow", SPOT, 0.5), ("exposed_garbage", garbage_box, 0.6)])
        assert [report.category for report in street.reports] == [Category.EXPOSED_GARBAGE]


def test_the_weaker_of_two_families_waits_although_its_dwell_time_is_shorter() -> None:
    street = Street(policy({"bin_overflow": {"dwell_s": 2}}))
    both = [("bin_overflow", SPOT, 0.5), ("exposed_garbage", SPOT, 0.6)]
    street.watch(1, both)
    assert {place.family for place in street.state.places} == {Family.BIN, Family.GARBAGE}
    street.watch(20, both)
    assert [report.category for report in street.reports] == [Category.EXPOSED_GARBAGE]


def test_nothing_is_raised_in_a_look_that_does_not_show_it() -> None:
    street = Street(policy({"exposed_garbage": {"dwell_s": 3}}))
    street.watch(10, [("bin_overflow", SPOT, 0.8)])
    street.watch(5.8, [("exposed_garbage", SPOT, 0.6)])
    assert [report.phase for report in street.watch(0.2)] == [Phase.CLEARED]
    (raised,) = street.watch(0.2, [("exposed_garbage", SPOT, 0.6)])
    assert raised.family is Family.GARBAGE


@pytest.mark.parametrize("first", [0, 1])
def test_a_speck_inside_a_heap_is_no_second_issue(first: int) -> None:
    heap = ("exposed_garbage", SPOT, 0.8)
    speck = ("exposed_garbage", (0.45, 0.58, 0.48, 0.62), 0.6)
    street = Street()
    street.watch(10, [(heap, speck)[first]])
    street.watch(20, [heap, speck])
    assert street.phases == ["raised"]


def test_garbage_beside_an_overflowing_bin_is_an_issue_of_its_own() -> None:
    beside = (0.53, 0.6, 0.68, 0.72)
    street = Street()
    street.watch(10, [("bin_overflow", SPOT, 0.5), ("exposed_garbage", beside, 0.6)])
    assert {report.family for report in street.reports} == {Family.BIN, Family.GARBAGE}


def test_a_lorry_before_an_open_cover_never_clears_it() -> None:
    street = opened(BROKEN)
    behind = street.watch(700, [LORRY], every_s=1.0)
    assert [report.phase for report in behind] == [Phase.UPDATED] * 2
    street.watch(1, [BROKEN])
    street.watch(10)
    assert street.phases[-1] == "cleared"


def test_time_behind_a_lorry_is_no_dwell_time() -> None:
    street = Street()
    street.watch(2, [BROKEN])
    street.watch(12, [LORRY])
    assert street.watch(4, [BROKEN]) == []
    assert len(street.watch(4, [BROKEN])) == 1


@pytest.mark.parametrize(
    "how",
    [
        {"suspended": "dark"},
        {"judged": frozenset({Category.STREET_VENDOR})},
    ],
)
def test_looks_that_cannot_judge_never_clear(how: dict[str, object]) -> None:
    street = opened(BROKEN)
    street.watch(60, [], **how)
    assert street.phases == ["raised"]
    street.watch(8)
    assert street.phases == ["raised", "cleared"]


def test_a_suspended_look_does_not_count_what_it_shows() -> None:
    street = Street()
    street.watch(60, [CART], suspended="moved")
    assert street.reports == []
    assert street.state.places == ()


def test_outside_its_zone_or_hours_nothing_is_raised_and_nothing_cleared() -> None:
    # START is noon in Shanghai.
    square = [[0.3, 0.4], [0.6, 0.4], [0.6, 0.8], [0.3, 0.8]]
    zone = {"id": "z", "polygon_xyn": square, "categories": ["street_vendor"]}
    street = Street(policy(zones=[zone | {"hours": "11:00-12:01"}]))
    street.watch(20, [("street_vendor", ELSEWHERE, 0.8)])
    assert street.reports == []
    street.watch(20, [CART])
    assert street.phases == ["raised"]
    street.at = street.at.plus(60)
    street.watch(60)
    assert street.phases == ["raised"]


def test_what_stands_outside_its_zone_leaves_no_trace() -> None:
    left = [[0.0, 0.0], [0.3, 0.0], [0.3, 1.0], [0.0, 1.0]]
    street = Street(policy(zones=[{"id": "z", "polygon_xyn": left}]))
    street.watch(1, [CART])
    assert street.state.places == ()


def test_time_outside_its_hours_is_no_dwell_time() -> None:
    square = [[0.3, 0.4], [0.6, 0.4], [0.6, 0.8], [0.3, 0.8]]
    zones = [
        {"id": "a", "polygon_xyn": square, "hours": "11:00-12:01"},
        {"id": "b", "polygon_xyn": square, "hours": "12:02-13:00"},
    ]
    street = Street(policy(zones=zones))
    street.at = START.plus(57)
    assert street.watch(70.6, [CART]) == []
    assert len(street.watch(1, [CART])) == 1


def cover_policy(**rule: object) -> Policy:
    """Covers looked at every ten seconds."""
    slow = policy({"manhole_damaged": {"seen_m": 3, "of_n": 4} | rule})
    terms = replace(slow.terms[Category.MANHOLE_DAMAGED], every_s=10.0)
    return replace(slow, terms={**slow.terms, Category.MANHOLE_DAMAGED: terms})


def test_a_single_look_never_clears_however_long_ago_the_last_one_was() -> None:
    street = Street(cover_policy(dwell_s=20, clear_after_s=6))
    street.watch(40, [BROKEN], every_s=10.0)
    street.watch(20, every_s=10.0)
    assert street.phases == ["raised"]
    street.watch(10, every_s=10.0)
    assert street.phases == ["raised", "cleared"]


def test_covers_looked_at_every_ten_seconds_are_raised_within_their_minute() -> None:
    street = Street(cover_policy(dwell_s=60))
    reports = street.watch(80, [BROKEN], every_s=10.0)
    assert [(one.captured_at - START.utc).total_seconds() for one in reports] == [70.0]


def test_withdrawing_takes_back_open_issues_with_the_reason_and_forgets_candidates() -> None:
    street = opened(CART)
    street.watch(1, [CART, BROKEN])
    state, (report,) = withdraw(street.state, street.at, Reason.ZONE_CHANGED, lambda _: True)
    assert (report.phase, report.reason) == (Phase.WITHDRAWN, Reason.ZONE_CHANGED)
    assert report.revision == 2
    assert state.places == ()


def test_withdrawing_leaves_the_other_places_alone() -> None:
    street = opened(CART, BROKEN)
    state, reports = withdraw(
        street.state,
        street.at,
        Reason.SUPPRESSED,
        lambda place: place.family is Family.COVER,
    )
    assert [report.family for report in reports] == [Family.COVER]
    assert [place.family for place in state.places] == [Family.VENDOR]


def test_a_crowd_of_boxes_is_bounded() -> None:
    street = Street()
    crowd = [
        ("exposed_garbage", (x / 30, y / 10, x / 30 + 0.02, y / 10 + 0.05), 0.5)
        for x in range(30)
        for y in range(10)
    ]
    street.watch(10, crowd)
    assert len(street.state.places) == MAX_PLACES


def test_a_wall_clock_set_back_between_boots_stops_nothing() -> None:
    street = opened(CART)
    street.at = Instant(START.utc - timedelta(days=300), 5.0, "boot-2")
    street.watch(8)
    assert street.phases == ["raised", "cleared"]
    assert all(one.first_seen_at <= one.last_seen_at for one in street.reports)


def test_heartbeats_and_memory_go_on_after_a_wall_clock_set_back() -> None:
    street = Street(policy({"street_vendor": {"heartbeat_s": 60}}))
    street.watch(10, [CART])
    street.at = Instant(START.utc - timedelta(days=300), 5.0, "boot-2")
    street.watch(70, [CART], every_s=1.0)
    assert street.phases == ["raised", "updated"]
    street.watch(10)
    street.at = Instant(START.utc - timedelta(days=600), 5.0, "boot-3")
    street.watch(700, every_s=10.0)
    assert street.state.past == ()


def test_a_long_outage_is_neither_dwell_nor_clearing() -> None:
    street = Street()
    street.watch(2, [CART])
    street.at = street.at.plus(3600)
    assert street.watch(7, [CART]) == []
    street.watch(2, [CART])
    street.at = street.at.plus(3600)
    assert [report.phase for report in street.watch(4)] == [Phase.UPDATED]
    assert [report.phase for report in street.watch(4)] == [Phase.CLEARED]


def test_a_look_of_another_moment_order_changes_no_decision_twice() -> None:
    street = opened(CART)
    late = look([CART], street.at.plus(-1.0))
    state, transitions = step(street.state, late, street.policy)
    assert transitions == ()
    assert state.open_places[0].observed_at == street.at
    assert state.open_places[0].seen_at == street.at
