"""The issue state machine, told as stories of one street, and held against random ones."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.catalogue import Category, Family
from contract.messages import Phase, Reason, Severity
from edge_agent.clock import Instant
from edge_agent.issues import MAX_PLACES, CameraIssues, Transition, step, withdraw
from edge_agent.observations import same_place
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


def test_garbage_beside_an_overflowing_bin_is_an_issue_of_its_own() -> None:
    beside = (0.53, 0.6, 0.68, 0.72)
    street = Street()
    street.watch(10, [("bin_overflow", SPOT, 0.5), ("exposed_garbage", beside, 0.6)])
    assert {report.family for report in street.reports} == {Family.BIN, Family.GARBAGE}


def test_a_lorry_before_an_open_cover_never_clears_it() -> None:
    street = opened(BROKEN)
    assert street.watch(600, [LORRY], every_s=1.0) == [] or "cleared" not in street.phases
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


def test_covers_looked_at_every_ten_seconds_are_raised_within_their_minute() -> None:
    street = Street(policy({"manhole_damaged": {"dwell_s": 60, "seen_m": 3, "of_n": 4}}))
    slow = replace(street.policy.terms[Category.MANHOLE_DAMAGED], every_s=10.0)
    street.policy = replace(
        street.policy, terms={**street.policy.terms, Category.MANHOLE_DAMAGED: slow}
    )
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


def test_a_long_outage_is_neither_dwell_nor_clearing() -> None:
    street = Street()
    street.watch(2, [CART])
    street.at = street.at.plus(3600)
    assert street.watch(7, [CART]) == []
    street.watch(2, [CART])
    street.at = street.at.plus(3600)
    assert [report.phase for report in street.watch(4)] == [Phase.UPDATED]
    assert [report.phase for report in street.watch(4)] == [Phase.CLEARED]


# --- random streets -------------------------------------------------------------------------

SPOTS: tuple[tuple[str, Box], ...] = (
    ("street_vendor", SPOT),
    ("street_vendor", shifted(SPOT, 0.03)),
    ("street_vendor", shifted(SPOT, 0.08)),
    ("street_vendor", (0.42, 0.52, 0.48, 0.68)),
    ("bin_overflow", SPOT),
    ("exposed_garbage", (0.42, 0.52, 0.53, 0.6)),
    ("manhole_damaged", COVER),
    ("manhole_missing", shifted(COVER, 0.01)),
    ("manhole_missing", COVER),
    ("manhole_ok", COVER),
    ("garbage_bin", SPOT),
    ("vehicle", (0.2, 0.5, 0.5, 0.95)),
    ("person", (0.41, 0.45, 0.47, 0.75)),
)
BOXES = st.lists(
    st.tuples(st.sampled_from(SPOTS), st.sampled_from((0.15, 0.3, 0.5, 0.8))), max_size=5
)
EVENTS = st.one_of(
    st.tuples(st.just("watch"), BOXES, st.sampled_from((0.2, 1.0, 3.0, 9.0))),
    st.tuples(st.just("watch"), BOXES, st.just(9.0)),
    st.tuples(st.just("suspended"), BOXES, st.just(2.0)),
    st.tuples(st.just("wall clock"), st.just([]), st.sampled_from((-7200.0, 7200.0, -0.5))),
    st.tuples(st.just("restart"), st.just([]), st.sampled_from((0.0, 30.0, 1000.0))),
    st.tuples(st.just("reboot"), st.just([]), st.sampled_from((-86400.0, 5.0, 86400.0))),
    st.tuples(st.just("withdraw"), st.just([]), st.just(0.0)),
)
Event = tuple[str, list[tuple[tuple[str, Box], float]], float]


def play(street: Street, events: Iterable[Event]) -> None:
    for number, (kind, boxes, amount) in enumerate(events):
        seen = [(name, box, score) for (name, box), score in boxes]
        if kind in ("watch", "suspended"):
            for _ in range(round(amount / 0.2)):
                street.at = street.at.plus(0.2)
                street.look(seen, suspended="dark" if kind == "suspended" else None)
                assert_sound(street.state)
        elif kind == "wall clock":
            street.at = replace(street.at, utc=street.at.utc + timedelta(seconds=amount))
        elif kind == "restart":
            street.state = CameraIssues.from_json(street.state.to_json())
            street.at = street.at.plus(amount)
        elif kind == "reboot":
            utc = street.at.utc + timedelta(seconds=amount)
            street.at = Instant(utc, 1.0, f"boot-{number + 2}")
        else:
            street.state, reports = withdraw(
                street.state, street.at, Reason.SUPPRESSED, lambda one: one.family is Family.VENDOR
            )
            street.reports.extend(reports)


def assert_sound(state: CameraIssues) -> None:
    opens = state.open_places
    for index, one in enumerate(opens):
        for other in opens[index + 1 :]:
            assert one.family is not other.family or not same_place(one.anchor, other.anchor)
    ids = [place.issue.issue_id for place in opens if place.issue]
    assert len(set(ids)) == len(ids)
    assert len(state.places) <= MAX_PLACES
    assert CameraIssues.from_json(state.to_json()) == state


def assert_legal(reports: Iterable[Transition]) -> None:
    by_issue: dict[UUID, list[Transition]] = {}
    for report in reports:
        by_issue.setdefault(report.issue_id, []).append(report)
    follows = {
        Phase.RAISED: {Phase.UPDATED, Phase.CLEARED, Phase.WITHDRAWN},
        Phase.UPDATED: {Phase.UPDATED, Phase.CLEARED, Phase.WITHDRAWN},
        Phase.CLEARED: {Phase.RAISED},
        Phase.WITHDRAWN: set(),
    }
    for story in by_issue.values():
        assert [one.revision for one in story] == list(range(1, len(story) + 1))
        assert story[0].phase is Phase.RAISED
        assert not story[0].reopened
        assert len({one.family for one in story}) == 1
        for before, after in pairwise(story):
            assert after.phase in follows[before.phase]
            assert after.reopened == (before.phase is Phase.CLEARED)
        for one in story:
            assert one.first_seen_at <= one.last_seen_at
            assert one.category.family is one.family


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(EVENTS, max_size=14))
def test_no_story_opens_two_issues_at_one_place_or_breaks_the_order_of_phases(
    events: list[Event],
) -> None:
    street = Street()
    play(street, events)
    assert_legal(street.reports)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(EVENTS, max_size=10))
def test_nothing_stays_open_or_remembered_after_enough_looks_without_it(
    events: list[Event],
) -> None:
    street = Street()
    play(street, events)
    street.watch(12)
    assert street.state.places == ()
    street.watch(1300, every_s=10.0)
    assert street.state.past == ()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(EVENTS, max_size=10))
def test_the_same_story_gives_the_same_reports(events: list[Event]) -> None:
    one, two = Street(), Street()
    play(one, events)
    play(two, events)
    assert one.reports == two.reports
    assert one.state == two.state


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(EVENTS, min_size=1, max_size=8),
    st.sampled_from((LORRY, ("person", (0.25, 0.7, 0.4, 0.9), 0.5))),
)
def test_no_occlusion_ever_clears_a_cover(events: list[Event], occluder: Seen) -> None:
    street = opened(BROKEN)
    for _, _, amount in events:
        every_s = min(max(0.2, abs(amount) / 50), 60.0)
        street.watch(50 * every_s, [occluder], every_s=every_s)
    assert "cleared" not in street.phases


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(0.012, 0.2), st.floats(-0.3, 0.3), st.floats(0.05, 0.25), st.floats(0.05, 0.3))
def test_nothing_that_drifts_is_ever_raised(
    widths_a_look: float, climb: float, width: float, height: float
) -> None:
    """It moves by at least 1.2 % of its width a look: its dwell time is 40 looks."""
    street = Street()
    for index in range(150):
        dx = index * widths_a_look * width
        box = shifted((0.0, 0.5 - height / 2, width, 0.5 + height / 2), dx, dx * climb)
        if box[2] <= 1 and box[1] >= 0 and box[3] <= 1:
            street.watch(0.2, [("street_vendor", box, 0.9)])
    assert street.reports == []


def test_a_look_of_another_moment_order_changes_no_decision_twice() -> None:
    street = opened(CART)
    late = look([CART], street.at.plus(-1.0))
    state, transitions = step(street.state, late, street.policy)
    assert transitions == ()
    assert state.open_places[0].observed_at == street.at
