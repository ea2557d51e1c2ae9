"""Grouping: the same cases in whatever order reports come, and never two problems in one."""

import itertools
import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central_ingest.dedup import EARTH_RADIUS_M, DuplicateRules, OpenCase, Place, Sighting, Verdict
from central_ingest.grouping import Grouped, group
from contract.catalogue import Family
from contract.messages import Phase

T0 = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
RULES = DuplicateRules()
LAT, LON = 32.93, 117.36


def at(east_m: float, north_m: float = 0.0, error_m: float = 1.1) -> Place:
    scale = math.cos(math.radians(LAT))
    lat = LAT + math.degrees(north_m / EARTH_RADIUS_M)
    return Place(LON + math.degrees(east_m / EARTH_RADIUS_M) / scale, lat, error_m)


def sighting(number: int, camera: str, place: Place, after_s: float = 0.0) -> Sighting:
    agent, _, name = camera.rpartition("/")
    first = T0 + timedelta(seconds=after_s)
    return Sighting(
        UUID(int=number), agent or "gw-01", name, Family.VENDOR, Phase.RAISED, first,
        first + timedelta(seconds=60), place,
    )  # fmt: skip


class City:
    """Open cases in memory, as the ingest keeps them."""

    def __init__(self) -> None:
        self.cases: dict[int, list[Sighting]] = {}
        self.proposed: set[frozenset[UUID]] = set()
        self._next = 0

    def open(self, *sightings: Sighting) -> int:
        self._next += 1
        self.cases[self._next] = list(sightings)
        return self._next

    def take(self, issue: Sighting, arranged: frozenset[int] = frozenset()) -> Grouped:
        near = [OpenCase(n, f"SP{n}", tuple(s)) for n, s in self.cases.items() if s]
        found = group(issue, near, RULES, frozenset(), arranged)
        made = found.decision
        mine = made.matches[0].case_id if made.verdict is Verdict.SAME else self.open()
        pieces = {0: mine}
        for move in found.moves:
            (moved,) = [s for s in self.cases[move.from_case] if s.issue_id == move.issue_id]
            self.cases[move.from_case].remove(moved)
            if move.to_case is None and move.piece not in pieces:
                pieces[move.piece] = self.open()
            self.cases[pieces[move.piece] if move.to_case is None else move.to_case].append(moved)
        self.cases[mine].append(issue)
        return found

    def partition(self) -> set[frozenset[int]]:
        return {frozenset(s.issue_id.int for s in held) for held in self.cases.values() if held}


def partition_of(sightings: list[Sighting]) -> set[frozenset[int]]:
    city = City()
    for one in sightings:
        city.take(one)
    return city.partition()


def row_of_stalls(
    noise: random.Random, stalls: int, cameras: int, apart_m: float
) -> list[Sighting]:
    """Every camera sees every stall, a little off; numbers are 100 × stall + camera."""
    return [
        sighting(
            100 * stall + camera,
            f"gw-{camera}/cam",
            at(stall * apart_m + noise.uniform(-0.35, 0.35), noise.uniform(-0.35, 0.35)),
            after_s=noise.uniform(-5, 5),
        )
        for stall in range(stalls)
        for camera in range(1, cameras + 1)
    ]


def truth_of(sightings: list[Sighting]) -> set[frozenset[int]]:
    stalls = {s.issue_id.int // 100 for s in sightings}
    return {
        frozenset(s.issue_id.int for s in sightings if s.issue_id.int // 100 == stall)
        for stall in stalls
    }


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_two_stalls_in_two_cameras_are_two_cases_in_every_order(order: tuple[int, ...]) -> None:
    told = row_of_stalls(random.Random(3), stalls=2, cameras=2, apart_m=3.0)
    assert partition_of([told[n] for n in order]) == truth_of(told)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 3))
def test_a_row_of_stalls_3_m_apart_stays_a_row_of_cases_in_any_order(
    seed: int, stalls: int, cameras: int
) -> None:
    chance = random.Random(seed)
    told = row_of_stalls(chance, stalls, cameras, apart_m=3.0)
    shuffled = chance.sample(told, len(told))
    assert partition_of(shuffled) == truth_of(told)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_overlapping_cameras_with_clocks_5_s_apart_make_one_case_a_problem(
    seed: int, cameras: int
) -> None:
    chance = random.Random(seed)
    told = [
        replace(
            one,
            first_seen_at=one.first_seen_at + timedelta(seconds=5 * (one.issue_id.int % 2)),
            last_seen_at=one.last_seen_at + timedelta(seconds=5 * (one.issue_id.int % 2)),
        )
        for one in row_of_stalls(chance, 4, cameras, apart_m=12.0)
    ]
    assert partition_of(chance.sample(told, len(told))) == truth_of(told)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_issues_of_one_camera_never_share_a_case_whatever_comes(seed: int) -> None:
    chance = random.Random(seed)
    told = [
        sighting(n, f"gw/cam-{n % 3}", at(chance.uniform(0, 12), chance.uniform(0, 4), chance.choice([0.5, 1.1, 2.0])))
        for n in range(1, 12)
    ]  # fmt: skip
    cameras = {s.issue_id.int: s.camera_id for s in told}
    for members in partition_of(told):
        assert len({cameras[n] for n in members}) == len(members)


def test_a_nearer_camera_takes_its_stall_back_and_the_reason_is_told() -> None:
    city = City()
    city.take(sighting(1, "a/cam", at(0)))
    city.take(sighting(202, "b/cam", at(2.6)))
    assert city.partition() == {frozenset({1, 202})}
    found = city.take(sighting(201, "a/cam", at(2.9)))
    assert city.partition() == {frozenset({1}), frozenset({201, 202})}
    (move,) = found.moves
    assert move.because.startswith("与新报问题更近，改归此案卷。 moved here: nearer")


def test_between_two_stalls_a_person_is_asked() -> None:
    city = City()
    city.take(sighting(1, "a/cam", at(0)))
    city.take(sighting(2, "a/cam", at(3)))
    found = city.take(sighting(3, "b/cam", at(1.4)))
    assert found.decision.verdict is Verdict.PROPOSE
    assert {match.case_id for match in found.decision.matches} == {1, 2}
    assert len(city.partition()) == 3


def test_two_that_cannot_be_one_and_both_qualify_are_proposed_in_every_order() -> None:
    told = [
        sighting(1, "a/cam", at(0)), sighting(2, "b/cam", at(4.6)), sighting(3, "c/cam", at(2.2)),
    ]  # fmt: skip
    for order in itertools.permutations(told):
        assert partition_of(list(order)) == {frozenset({1}), frozenset({2}), frozenset({3})}


def test_what_people_arranged_is_not_taken_apart() -> None:
    city = City()
    case_id = city.open(sighting(1, "a/cam", at(0)), sighting(202, "b/cam", at(2.6)))
    found = city.take(sighting(201, "a/cam", at(2.9)), frozenset({case_id}))
    assert (found.moves, city.partition()) == ((), {frozenset({1, 202}), frozenset({201})})


def test_what_people_split_stays_apart() -> None:
    case = OpenCase(7, "SP7", (sighting(1, "a/cam", at(0)),))
    issue = sighting(2, "b/cam", at(0.3))
    pair = frozenset({frozenset({UUID(int=1), UUID(int=2)})})
    assert group(issue, [case], RULES).decision.verdict is Verdict.SAME
    assert group(issue, [case], RULES, pair).decision.verdict is Verdict.NEW


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_cases_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    told = row_of_stalls(chance, 3, 2, 3.0)
    cases = [OpenCase(n, f"SP{n}", (one,)) for n, one in enumerate(told[:-1], start=1)]
    shuffled = chance.sample(cases, len(cases))
    assert group(told[-1], cases, RULES) == group(told[-1], shuffled, RULES)
