"""What is learned of a view, and what may not be learned."""

from edge_agent.known_view import CHECKED_EVERY, SETTLED, KnownView, Learned, in_place
from edge_agent.luma import Sample
from tests.edge_agent.painted import Street

STREET = Street()


def sample(second: float = 1.0, **changes: float) -> Sample:
    return Sample.of(STREET.but(**changes).picture(second))


def test_day_and_night_are_learned_apart() -> None:
    view = KnownView()
    for second in range(3):
        view.learn(sample(second))
        view.learn(sample(second, gain=0.3))
    assert {night: known.samples for night, known in view.learned.items()} == {False: 3, True: 3}


def test_the_first_samples_become_the_view_that_later_ones_must_keep_to() -> None:
    view = KnownView()
    for _ in range(SETTLED - 1):
        view.learn(sample())
    assert view.still is None
    view.learn(sample())
    assert view.still is not None


def test_what_creeps_away_from_the_still_is_forgotten() -> None:
    view = KnownView(still=sample().edges)
    crept = sample(x=STREET.x + 8)
    view.learned[False] = Learned(crept.edges, crept.sharpness, CHECKED_EVERY - 1)
    view.learn(crept)
    assert view.learned == {}
    assert not in_place(view.compare(crept))


def test_a_view_of_which_nothing_is_known_is_adopted_unless_it_is_a_preset() -> None:
    assert in_place(KnownView().compare(sample()))
    assert not in_place(KnownView(fixed=True).compare(sample()))
    assert KnownView().usual_sharpness(sample()) is None
    assert KnownView().usual_tiles == 0


def test_a_view_is_found_by_night_with_what_was_learned_by_day() -> None:
    view = KnownView()
    for second in range(5):
        view.learn(sample(second))
    assert in_place(view.compare(sample(9, gain=0.3)))
