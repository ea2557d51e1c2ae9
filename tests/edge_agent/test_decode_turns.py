"""Tests for turns at the cores."""

import threading
from collections.abc import Callable

import pytest

from edge_agent.decode_turns import DecodeTurns
from edge_agent.errors import CameraError


def waiting_for(turns: DecodeTurns, log: list[str], name: str, *, urgent: bool) -> threading.Thread:
    def work() -> None:
        with turns.turn(urgent=urgent):
            log.append(name)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def queued(turns: DecodeTurns, many: int) -> Callable[[], bool]:
    return lambda: len(turns._urgent) + len(turns._calm) == many


def test_who_is_awaited_goes_first_and_the_rest_in_the_order_of_coming(
    until: Callable[..., None],
) -> None:
    turns, log = DecodeTurns(1), list[str]()
    with turns.turn(urgent=False):
        threads = []
        for many, (name, urgent) in enumerate(
            [("first", False), ("second", False), ("awaited", True), ("awaited too", True)], 1
        ):
            threads.append(waiting_for(turns, log, name, urgent=urgent))
            until(queued(turns, many), "the queue")
        assert log == []
    for thread in threads:
        thread.join()
    assert log == ["awaited", "awaited too", "first", "second"]


def test_as_many_work_at_once_as_there_are_turns(until: Callable[..., None]) -> None:
    turns, log = DecodeTurns(2), list[str]()
    with turns.turn(urgent=False):
        waiting_for(turns, log, "beside", urgent=False).join()
        with turns.turn(urgent=True):
            third = waiting_for(turns, log, "third", urgent=True)
            until(queued(turns, 1), "the queue")
            assert log == ["beside"]
        third.join()
    assert log == ["beside", "third"]


def test_a_turn_ends_with_an_error_too() -> None:
    turns = DecodeTurns(1)
    with pytest.raises(CameraError), turns.turn(urgent=False):
        raise CameraError("broken")
    assert turns._free == 1
