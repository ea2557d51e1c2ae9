from uuid import UUID

from contract.catalogue import Category
from edge_agent.asks import WAITING_MAX, Ask, Asks, LookAnswer
from tests.edge_agent.street import Seen, Street, look

CART: Seen = ("street_vendor", (0.4, 0.5, 0.55, 0.7), 0.7)
VAN: Seen = ("vehicle", (0.38, 0.45, 0.6, 0.85), 0.8)


class Asked:
    """A street with one open issue, about which is asked."""

    def __init__(self) -> None:
        self.street = Street()
        self.street.watch(10, [CART])
        self.asks = Asks()
        self.told: list[LookAnswer] = []
        (self.issue_id,) = (one.issue_id for one in self.street.reports)

    def ask(self, issue_id: UUID | None, camera_id: str = "cam-01") -> None:
        self.asks.put(Ask(camera_id, issue_id, self.told.append))

    def see(self, *boxes: Seen, **how: object) -> list[str | None]:
        self.street.at = self.street.at.plus(0.2)
        self.street.look(boxes, **how)
        seen = look(boxes, self.street.at, **how)  # type: ignore[arg-type]
        return [answer.observation for _, answer in self.asks.take(seen, self.street.state)]


def test_the_next_look_says_what_it_saw_of_the_issue() -> None:
    asked = Asked()
    for boxes, expected in (([CART], "seen"), ([], "not_seen"), ([VAN], "not_visible")):
        asked.ask(asked.issue_id)
        assert asked.see(*boxes) == [expected]
    assert asked.see(CART) == []


def test_a_look_at_other_categories_does_not_answer() -> None:
    asked = Asked()
    asked.ask(asked.issue_id)
    assert asked.see(judged=frozenset({Category.BIN_OVERFLOW})) == []
    assert asked.see(CART) == ["seen"]


def test_a_look_at_another_camera_does_not_answer() -> None:
    asked = Asked()
    asked.ask(None, "cam-02")
    assert asked.see(CART) == []


def test_a_suspended_camera_says_so() -> None:
    asked = Asked()
    asked.ask(asked.issue_id)
    assert asked.see(suspended="moved") == ["not_visible"]


def test_an_unknown_issue_and_the_camera_as_a_whole_are_answered_in_words() -> None:
    asked = Asked()
    asked.ask(UUID(int=1))
    asked.ask(None)
    seen = look([CART], asked.street.at)
    said = [answer.said for _, answer in asked.asks.take(seen, asked.street.state)]
    assert "no such issue" in said[0]
    assert "1 issues are open" in said[1]


def test_an_issue_in_another_view_of_the_camera_waits_for_it() -> None:
    asked = Asked()
    asked.ask(UUID(int=1))
    seen = look([CART], asked.street.at)
    assert asked.asks.take(seen, asked.street.state, frozenset({UUID(int=1)})) == []
    assert len(asked.asks.take(seen, asked.street.state)) == 1


def test_questions_that_nobody_answers_do_not_pile_up() -> None:
    asked = Asked()
    for number in range(WAITING_MAX + 10):
        asked.ask(UUID(int=number))
    answered = asked.asks.take(look([CART], asked.street.at), asked.street.state)
    assert len(answered) == WAITING_MAX
    assert answered[0][0].issue_id == UUID(int=10)
