"""Issues against a random street: what is seen, what stands before it, restarts, clock steps.

`make nightly` plays at least 2,000 streets, `make test` a few dozen.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contract.catalogue import Category, Family
from contract.messages import Phase, Reason
from edge_agent.clock import Instant
from edge_agent.issues import MAX_PAST, MAX_PLACES, CameraIssues, Transition, withdraw
from edge_agent.observations import iou, same_place
from edge_agent.suppressions import Suppression
from edge_agent.zones import Box
from tests.edge_agent.street import Seen, Street, policy, shifted

SPOT: Box = (0.4, 0.5, 0.55, 0.7)
COVER: Box = (0.3, 0.8, 0.36, 0.84)
DWELL_S, CLEAR_S, EVERY_S = 8.0, 6.0, 0.2
# Clearing, after what was parked there has been forgotten, and a few looks to spare.
GONE_AFTER_S = 2 * CLEAR_S + 3.0

THINGS: tuple[tuple[str, Box], ...] = (
    ("street_vendor", SPOT),
    ("street_vendor", shifted(SPOT, 0.04)),
    ("street_vendor", shifted(SPOT, 0.1)),
    ("bin_overflow", SPOT),
    ("garbage_bin", SPOT),
    ("exposed_garbage", (0.42, 0.52, 0.53, 0.6)),
    ("exposed_garbage", shifted(SPOT, 0.2)),
    ("manhole_damaged", COVER),
    ("manhole_missing", shifted(COVER, 0.01)),
    ("manhole_ok", COVER),
    ("vehicle", (0.2, 0.5, 0.5, 0.95)),
    ("vehicle", SPOT),
    ("person", (0.41, 0.45, 0.47, 0.75)),
)
SCENES = st.lists(
    st.tuples(st.sampled_from(THINGS), st.sampled_from((0.12, 0.3, 0.5, 0.8))), max_size=4
).map(lambda found: [(name, box, score) for (name, box), score in found])
CATEGORIES = frozenset(category.value for category in Category)
FOLLOWS = {
    None: {Phase.RAISED},
    Phase.RAISED: {Phase.UPDATED, Phase.CLEARED, Phase.WITHDRAWN},
    Phase.UPDATED: {Phase.UPDATED, Phase.CLEARED, Phase.WITHDRAWN},
    Phase.CLEARED: {Phase.RAISED},
    Phase.WITHDRAWN: set[Phase](),
}


class IssueMachine(RuleBasedStateMachine):
    """A street, and what its reports said so far of each issue."""

    def __init__(self) -> None:
        super().__init__()
        self.street = Street(policy())
        self.boots = 1
        self.last: dict[UUID, Transition] = {}
        # Seconds that passed on the machine, whatever its clocks say.
        self.lived_s = 0.0
        self.seen_s: dict[Family, list[tuple[float, Box]]] = {}

    # -- what happens

    @rule(scene=SCENES, looks=st.sampled_from((1, 4, 10, 45)))
    def watch(self, scene: list[Seen], looks: int) -> None:
        for _ in range(looks):
            self._look(scene)

    @rule(scenes=st.lists(SCENES, min_size=2, max_size=3), looks=st.sampled_from((9, 45)))
    def flicker(self, scenes: list[list[Seen]], looks: int) -> None:
        for index in range(looks):
            self._look(scenes[index % len(scenes)])

    @rule(scene=SCENES)
    def suspended(self, scene: list[Seen]) -> None:
        for _ in range(20):
            assert self._look(scene, suspended="dark") == ()

    @rule(away_s=st.sampled_from((0.0, 30.0, 1000.0)))
    def restart(self, away_s: float) -> None:
        self.street.state = CameraIssues.from_json(self.street.state.to_json())
        self._pass(away_s)

    @rule(wall_clock_s=st.sampled_from((-86_400.0 * 400, -5.0, 86_400.0)))
    def reboot(self, wall_clock_s: float) -> None:
        self.boots += 1
        utc = self.street.at.utc + timedelta(seconds=wall_clock_s)
        self.street.at = Instant(utc, 1.0, f"boot-{self.boots}")
        self.street.state = CameraIssues.from_json(self.street.state.to_json())

    @rule(step_s=st.sampled_from((-7200.0, -0.5, 7200.0)))
    def set_wall_clock(self, step_s: float) -> None:
        utc = self.street.at.utc + timedelta(seconds=step_s)
        self.street.at = replace(self.street.at, utc=utc)

    @rule(family=st.sampled_from(list(Family)))
    def take_back(self, family: Family) -> None:
        self.street.state, reports = withdraw(
            self.street.state, self.street.at, Reason.ZONE_CHANGED, lambda one: one.family is family
        )
        self._note(reports)

    @rule(category=st.sampled_from((None, Category.STREET_VENDOR, Category.MANHOLE_DAMAGED)))
    def suppress(self, category: Category | None) -> None:
        box = COVER if category is Category.MANHOLE_DAMAGED else SPOT
        until = self.street.at.utc + timedelta(days=4000)
        here = (Suppression(UUID(int=1), "cam-01", category, box, 1.0, until),) if category else ()
        self.street.policy = replace(self.street.policy, suppressions=here)

    @precondition(lambda self: bool(self.street.state.open_places))
    @rule(looks=st.just(round(GONE_AFTER_S / EVERY_S)))
    def empty_the_street(self, looks: int) -> None:
        for _ in range(looks):
            self._look([])
        assert self.street.state.open_places == ()

    @precondition(lambda self: bool(self.street.state.open_places))
    @rule(crowd=st.lists(st.sampled_from([("person", (0.25, 0.7, 0.4, 0.9), 0.5)]), max_size=1))
    def mend_the_cover(self, crowd: list[Seen]) -> None:
        for _ in range(round(GONE_AFTER_S / EVERY_S)):
            self._look([("manhole_ok", COVER, 0.8), *crowd])
        assert all(place.family is not Family.COVER for place in self.street.state.open_places)

    @rule(looks=st.sampled_from((50, 300)))
    def park_a_lorry(self, looks: int) -> None:
        """Before the cover, and lost by the detector in every third look."""
        before = {one.issue.issue_id for one in self.street.state.open_places if one.issue}
        covers = {one for one in before if self.last[one].family is Family.COVER}
        lorry: Seen = ("vehicle", (0.2, 0.5, 0.5, 0.95), 0.9)
        for _ in range(2):
            self._look([lorry])
        for index in range(looks):
            self._look([] if index % 3 == 2 else [lorry])
        after = {one.issue.issue_id for one in self.street.state.open_places if one.issue}
        missed = max((0.0, *(one.missing.window_s for one in self.street.state.open_places)))
        assert covers <= after or missed < CLEAR_S

    # -- what always holds

    @invariant()
    def no_two_open_issues_at_one_place(self) -> None:
        for one, other in combinations(self.street.state.open_places, 2):
            if one.family is other.family:
                assert not same_place(one.anchor, other.anchor)
            both = {one.family, other.family}
            if both <= {Family.BIN, Family.GARBAGE, Family.VENDOR}:
                assert iou(one.anchor, other.anchor) <= 0.9

    @invariant()
    def state_is_bounded_and_survives_a_restart(self) -> None:
        state = self.street.state
        assert len(state.places) <= MAX_PLACES
        assert len(state.past) <= MAX_PAST
        assert CameraIssues.from_json(state.to_json()) == state

    @invariant()
    def every_open_issue_was_reported_as_it_is(self) -> None:
        for place in self.street.state.open_places:
            assert place.issue is not None
            last = self.last[place.issue.issue_id]
            assert last.phase in (Phase.RAISED, Phase.UPDATED)
            assert (last.revision, last.family) == (place.issue.revision, place.family)

    # -- inside

    def _pass(self, seconds: float) -> None:
        self.street.at = self.street.at.plus(seconds)
        self.lived_s += seconds

    def _look(self, scene: list[Seen], suspended: str | None = None) -> tuple[Transition, ...]:
        self._pass(EVERY_S)
        if suspended is None:
            self._note_seen(scene)
        reports = self.street.look(scene, suspended=suspended)
        self._note(reports)
        return reports

    def _note_seen(self, scene: list[Seen]) -> None:
        for name, box, _ in scene:
            if name in CATEGORIES:
                self.seen_s.setdefault(Category(name).family, []).append((self.lived_s, box))

    def _note(self, reports: tuple[Transition, ...]) -> None:
        for report in reports:
            before = self.last.get(report.issue_id)
            assert report.phase in FOLLOWS[before.phase if before else None]
            assert report.revision == (before.revision + 1 if before else 1)
            assert report.reopened == (before is not None and before.phase is Phase.CLEARED)
            assert before is None or before.family is report.family
            assert report.first_seen_at <= report.last_seen_at
            if report.phase is Phase.RAISED:
                self._was_seen_for_its_dwell_time(report)
            self.last[report.issue_id] = report

    def _was_seen_for_its_dwell_time(self, report: Transition) -> None:
        """Hold it against our own notes: seen now, and often enough, for long enough."""
        here = [
            seen_s
            for seen_s, box in self.seen_s.get(report.family, [])
            if same_place(box, report.box_xyxyn)
        ]
        assert here[-1] == self.lived_s
        assert self.lived_s - here[0] >= DWELL_S - EVERY_S
        # A look counts for an eighth of the dwell time at most, whatever hid the ones between.
        assert len(here) >= 8
        for one in self.street.policy.suppressions:
            assert report.category is not one.category or not same_place(
                one.box_xyxyn, report.box_xyxyn
            )


TestIssueMachine = pytest.mark.timeout(3600)(IssueMachine.TestCase)
NIGHTLY = settings.default is not None and settings.default.max_examples >= 2000
TestIssueMachine.settings = settings(
    max_examples=2000 if NIGHTLY else 40,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
)
