"""Duplicates: the four rules by example, and what must hold whatever comes."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest.dedup import (
    EARTH_RADIUS_M,
    DuplicateRules,
    OpenCase,
    Place,
    Sighting,
    Verdict,
    decide,
    distance_m,
    search_radius_m,
)
from contract.catalogue import Family
from contract.messages import Phase

T0 = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
HOME = Place(117.36, 32.93, 1.0)
RULES = DuplicateRules()


def moved(north_m: float, east_m: float = 0.0, error_m: float = 1.0) -> Place:
    lat = HOME.lat + math.degrees(north_m / EARTH_RADIUS_M)
    scale = math.cos(math.radians(HOME.lat))
    return Place(HOME.lon + math.degrees(east_m / EARTH_RADIUS_M) / scale, lat, error_m)


def sighting(number: int, **changes: object) -> Sighting:
    base = Sighting(
        issue_id=UUID(int=number),
        agent_id="gw-01",
        camera_id=f"cam-{number}",
        family=Family.VENDOR,
        phase=Phase.RAISED,
        first_seen_at=T0,
        last_seen_at=T0 + timedelta(seconds=60),
        place=HOME,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def case(case_id: int, *sightings: Sighting) -> OpenCase:
    return OpenCase(case_id, f"SP{case_id:05d}", sightings)


@pytest.mark.parametrize(
    ("family", "apart_m", "error_m", "verdict"),
    [
        (Family.VENDOR, 2.0, 1.0, Verdict.SAME),
        (Family.VENDOR, 2.7, 1.0, Verdict.SAME),  # 2·√2 = 2.83 m
        (Family.VENDOR, 2.9, 1.0, Verdict.NEW),  # beyond the errors
        (Family.VENDOR, 3.9, 3.0, Verdict.SAME),
        (Family.VENDOR, 4.1, 3.0, Verdict.NEW),  # beyond the cap
        (Family.COVER, 1.4, 1.0, Verdict.SAME),
        (Family.COVER, 1.6, 1.0, Verdict.NEW),
        (Family.BIN, 2.9, 2.0, Verdict.SAME),
        (Family.BIN, 3.1, 2.0, Verdict.NEW),
        (Family.GARBAGE, 4.9, 4.0, Verdict.SAME),
        (Family.GARBAGE, 5.1, 4.0, Verdict.NEW),
        (Family.COVER, 1.0, 1.6, Verdict.PROPOSE),  # the error is above the cap
        (Family.VENDOR, 50.0, 30.0, Verdict.PROPOSE),  # a camera's own point
        (Family.VENDOR, 61.0, 40.0, Verdict.NEW),  # too far even to propose
    ],
)
def test_distance_error_and_cap_decide(
    family: Family, apart_m: float, error_m: float, verdict: Verdict
) -> None:
    held = case(7, sighting(1, family=family, place=moved(0, 0, error_m)))
    issue = sighting(2, family=family, place=moved(0, apart_m, error_m))
    assert decide(issue, [held], RULES).verdict is verdict


def test_two_issues_that_one_camera_shows_together_are_never_the_same() -> None:
    held = case(7, sighting(1, camera_id="cam-1", component=("B1", "2013")))
    issue = sighting(2, camera_id="cam-1", component=("B1", "2013"))
    assert decide(issue, [held], RULES).verdict is Verdict.NEW


def test_a_case_is_excluded_whole_when_one_of_its_sightings_is() -> None:
    held = case(7, sighting(1, camera_id="cam-1"), sighting(3, camera_id="cam-3"))
    assert decide(sighting(2, camera_id="cam-1"), [held], RULES).verdict is Verdict.NEW


def test_what_one_camera_cleared_before_may_be_the_same() -> None:
    cleared = sighting(1, camera_id="cam-1", phase=Phase.CLEARED)
    issue = sighting(
        2,
        camera_id="cam-1",
        first_seen_at=T0 + timedelta(seconds=100),
        last_seen_at=T0 + timedelta(seconds=110),
    )
    found = decide(issue, [case(7, cleared)], RULES)
    assert found.verdict is Verdict.SAME
    assert "相隔 40 s apart" in found.because


def test_cameras_of_the_same_name_at_two_agents_are_two_cameras() -> None:
    held = case(7, sighting(1, camera_id="cam-1"))
    issue = sighting(2, agent_id="gw-02", camera_id="cam-1")
    assert decide(issue, [held], RULES).verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("phase", "after_s", "verdict"),
    [
        (Phase.CLEARED, 119, Verdict.SAME),  # within the gap
        (Phase.CLEARED, 121, Verdict.NEW),
        (Phase.RAISED, 3600, Verdict.SAME),  # not cleared: it goes on
        (Phase.WITHDRAWN, 3600, Verdict.SAME),  # no longer watched, nobody saw it go
        (Phase.RAISED, 50_000, Verdict.NEW),  # no news for longer than reach_s
    ],
)
def test_time_must_overlap(phase: Phase, after_s: float, verdict: Verdict) -> None:
    start = T0 + timedelta(seconds=after_s)
    issue = sighting(2, first_seen_at=start, last_seen_at=start)
    assert decide(issue, [case(7, sighting(1, phase=phase))], RULES).verdict is verdict


def test_another_family_is_another_case() -> None:
    held = case(7, sighting(1, family=Family.GARBAGE))
    assert decide(sighting(2), [held], RULES).verdict is Verdict.NEW


def test_the_same_component_is_the_same_case_without_any_position() -> None:
    held = case(7, sighting(1, place=None, component=("340302030500001", "2013")))
    issue = sighting(2, place=None, component=("340302030500001", "2013"))
    found = decide(issue, [held], RULES)
    assert found.verdict is Verdict.SAME
    assert "same component 340302030500001 (2013)" in found.because


def test_the_same_code_of_another_standard_is_another_component() -> None:
    held = case(7, sighting(1, place=None, component=("1", "2013")))
    issue = sighting(2, place=None, component=("1", "2026"))
    assert decide(issue, [held], RULES).verdict is Verdict.NEW


def test_two_cases_that_qualify_are_proposed_nearest_first_not_merged() -> None:
    far = case(7, sighting(1, place=moved(2)))
    near = case(8, sighting(3, place=moved(-1)))
    found = decide(sighting(2), [far, near], RULES)
    assert found.verdict is Verdict.PROPOSE
    assert [match.case_id for match in found.matches] == [8, 7]


def test_one_sure_case_wins_over_those_that_are_only_likely() -> None:
    sure = case(7, sighting(1, place=moved(1)))
    likely = case(8, sighting(3, place=moved(1, 0, 30)))
    found = decide(sighting(2), [likely, sure], RULES)
    assert (found.verdict, found.matches[0].case_id) == (Verdict.SAME, 7)


def test_what_a_person_split_stays_apart() -> None:
    held = case(7, sighting(1))
    found = decide(sighting(2), [held], RULES, frozenset({UUID(int=1)}))
    assert found.verdict is Verdict.NEW


def test_the_reason_says_distance_errors_family_and_time() -> None:
    held = case(7, sighting(1, place=moved(0, 0, 0.8)))
    issue = sighting(2, place=moved(2, 0, 1.1))
    assert decide(issue, [held], RULES).because == (
        "距案卷 SP00007 2.0 m（限 2.7 m），误差 1.1 + 0.8 m，同类。 2.0 m from the case, "
        "limit 2.7 m, errors 1.1 + 0.8 m, same family, 同时 at the same time"
    )


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ([], "新案卷：附近没有在办案卷。 new case: none open nearby"),
        (
            [case(7, sighting(1, place=moved(9)))],
            "新案卷：附近 1 个在办案卷，均不符合。 new case: 1 open nearby, no match",
        ),
    ],
)
def test_a_new_case_says_what_is_open_nearby(cases: list[OpenCase], said: str) -> None:
    assert decide(sighting(2), cases, RULES).because == said


def test_a_cap_can_be_configured() -> None:
    held = case(7, sighting(1, place=moved(0, 0, 3)))
    issue = sighting(2, place=moved(5, 0, 3))
    wide = DuplicateRules(caps_m={Family.VENDOR: 6.0})
    assert decide(issue, [held], RULES).verdict is Verdict.NEW
    assert decide(issue, [held], wide).verdict is Verdict.SAME


def test_distance_crosses_the_date_line() -> None:
    assert distance_m(Place(179.99999, 0, 0), Place(-179.99999, 0, 0)) == pytest.approx(2.22, 0.01)


PLACES = st.builds(
    moved, st.floats(-80, 80), st.floats(-80, 80), st.sampled_from([0.2, 1.0, 2.0, 6.0, 30.0])
)
SIGHTINGS = st.builds(
    lambda number, camera, family, phase, start_s, place: sighting(
        number,
        camera_id=f"cam-{camera}",
        family=family,
        phase=phase,
        first_seen_at=T0 + timedelta(seconds=start_s),
        last_seen_at=T0 + timedelta(seconds=start_s + 30),
        place=place,
    ),
    st.integers(10, 10_000),
    st.integers(1, 3),
    st.sampled_from([Family.VENDOR, Family.COVER]),
    st.sampled_from(Phase),
    st.integers(0, 600),
    PLACES,
)
CASES = st.lists(st.lists(SIGHTINGS, min_size=1, max_size=3), max_size=5).map(
    lambda groups: [case(n, *group) for n, group in enumerate(groups, start=1)]
)


@given(SIGHTINGS, CASES, st.randoms(use_true_random=False))
def test_the_order_of_cases_does_not_matter(
    issue: Sighting, cases: list[OpenCase], random: object
) -> None:
    shuffled = list(cases)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(issue, cases, RULES) == decide(issue, shuffled, RULES)


@given(SIGHTINGS, CASES)
def test_a_merge_keeps_every_rule(issue: Sighting, cases: list[OpenCase]) -> None:
    found = decide(issue, cases, RULES)
    if found.verdict is not Verdict.SAME:
        return
    (joined,) = (held for held in cases if held.case_id == found.matches[0].case_id)
    assert all(
        other.camera_id != issue.camera_id or not (other.live and issue.live)
        for other in joined.sightings
    )
    cap = RULES.cap_m(issue.family)
    assert issue.place is not None
    assert issue.place.error_m <= cap
    assert any(
        other.family is issue.family
        and other.place is not None
        and other.place.error_m <= cap
        and distance_m(issue.place, other.place)
        <= min(cap, 2 * math.hypot(issue.place.error_m, other.place.error_m))
        for other in joined.sightings
    )


@given(SIGHTINGS, CASES)
def test_whatever_matches_lies_within_the_search_radius(
    issue: Sighting, cases: list[OpenCase]
) -> None:
    found = decide(issue, cases, RULES)
    assert issue.place is not None
    radius = search_radius_m(issue.place, RULES, issue.family)
    for match in found.matches:
        (held,) = (held for held in cases if held.case_id == match.case_id)
        assert any(
            other.place is not None and distance_m(issue.place, other.place) <= radius
            for other in held.sightings
        )


@given(SIGHTINGS, SIGHTINGS)
def test_being_the_same_is_mutual(one: Sighting, other: Sighting) -> None:
    there = decide(one, [case(1, other)], RULES).verdict
    back = decide(other, [case(1, one)], RULES).verdict
    assert there is back


@given(PLACES, PLACES, PLACES)
def test_distances_are_metric(one: Place, two: Place, three: Place) -> None:
    assert distance_m(one, two) == distance_m(two, one)
    direct = distance_m(one, three)
    assert direct <= distance_m(one, two) + distance_m(two, three) + 0.01
