"""The issue state machine, held against random streets: observations, restarts, clock steps."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.catalogue import Family
from contract.messages import Phase, Reason
from edge_agent.clock import Instant
from edge_agent.issues import MAX_PLACES, CameraIssues, Transition, withdraw
from edge_agent.observations import same_place
from edge_agent.zones import Box
from tests.edge_agent.street import Seen, Street, shifted

SPOT: Box = (0.4, 0.5, 0.55, 0.7)
COVER: Box = (0.3, 0.8, 0.36, 0.84)
BROKEN: Seen = ("manhole_damaged", COVER, 0.6)
LORRY: Seen = ("vehicle", (0.2, 0.5, 0.5, 0.95), 0.9)

SPOTS: tuple[tuple[str, Box], ...] = (
    ("street_vendor", SPOT),
    ("street_vendor", shifted(SPOT, 0.03)),
    ("street_vendor", shifted(SPOT, 0.05)),
    ("street_vendor", shifted(SPOT, 0.1)),
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
    street = Street()
    street.watch(10, [BROKEN])
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
