from dataclasses import replace

import pytest

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.observations import Finding
from edge_agent.presence import Place, Tally, later
from tests.edge_agent.street import START, policy

BOX = (0.4, 0.5, 0.5, 0.7)
TERMS = policy().terms[Category.MANHOLE_DAMAGED]


def damaged(score: float = 0.6) -> Finding:
    return Finding(Category.MANHOLE_DAMAGED, BOX, score, score)


def missing(score: float = 0.6) -> Finding:
    return Finding(Category.MANHOLE_MISSING, BOX, score, score)


def watched(place: Place, pattern: str, every_s: float = 0.2) -> Place:
    """Look once for each letter: `s` sees it, `.` does not."""
    at = place.observed_at
    for letter in pattern:
        at = at.plus(every_s)
        place = place.seen([damaged()], at, TERMS) if letter == "s" else place.unseen(at, TERMS)
    return place


def test_the_window_holds_the_last_n_visible_looks() -> None:
    place = watched(Place.founded(damaged(), START), "s.s.s.s.s.")
    assert place.history == (True, False) * 4
    assert place.standing == Tally(6, 11, pytest.approx(2.0))


def test_dwell_time_stops_while_most_looks_miss_it() -> None:
    place = watched(Place.founded(damaged(), START), "s" * 7 + "." * 20)
    assert place.standing.window_s == pytest.approx(7 * 0.2 + 5 * 0.2)
    assert place.missing.window_s == pytest.approx(20 * 0.2)
    assert place.has_lapsed(TERMS)


def test_found_again_it_was_never_missing() -> None:
    assert watched(Place.founded(damaged(), START), "ssss...s").missing == Tally()


def test_a_gap_counts_only_a_little() -> None:
    place = Place.founded(damaged(), START)
    assert watched(place, "s", every_s=25.0).standing.window_s == TERMS.standing_step_s


def test_after_a_long_gap_the_window_starts_anew() -> None:
    place = watched(Place.founded(damaged(), START), "ssssssss")
    assert watched(place, ".", every_s=31.0).history == (False,)


def test_strength_weighs_the_score_with_how_often_it_was_seen() -> None:
    place = watched(Place.founded(damaged(0.6), START), "s.s.s.s.")
    assert place.strength == pytest.approx(0.3)
    assert replace(place, history=()).strength == 0


def test_a_candidate_takes_the_category_with_more_votes() -> None:
    place = Place.founded(damaged(), START)
    for index in range(1, 6):
        place = place.seen([missing(0.7), damaged(0.3)], START.plus(index * 0.2), TERMS)
    assert place.category is Category.MANHOLE_MISSING


@pytest.mark.parametrize(
    ("known", "at", "expected"),
    [
        (START, START.plus(1), START.plus(1)),
        (START.plus(1), START, START.plus(1)),
        (START.plus(9), Instant(START.utc, 1.0, "boot-2"), Instant(START.utc, 1.0, "boot-2")),
    ],
)
def test_a_look_out_of_order_does_not_turn_time_back(
    known: Instant, at: Instant, expected: Instant
) -> None:
    assert later(known, at) == expected
