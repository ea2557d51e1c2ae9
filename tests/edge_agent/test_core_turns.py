"""Tests for turns at the cores."""

import threading
from collections.abc import Callable

import pytest

from edge_agent.core_turns import CALM_MAX_S, CoreTurns
from edge_agent.errors import CameraError


def waiting_for(turns: CoreTurns, log: list[str], name: str, *, urgent: bool) -> threading.Thread:
    def work() -> None:
        with turns.turn(urgent=urgent):
            log.append(name)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def queued(turns: CoreTurns, many: int) -> Callable[[], bool]:
    return lambda: len(turns._urgent) + len(turns._calm) == many


def test_who_is_awaited_goes_first_and_the_rest_in_the_order_of_coming(
    until: Callable[..., None],
) -> None:
    turns, log = CoreTurns(1, lambda: 0.0), list[str]()
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


def test_who_waited_long_goes_before_who_is_awaited(until: Callable[..., None]) -> None:
    now_s = [0.0]
    turns, log = CoreTurns(1, lambda: now_s[0]), list[str]()
    with turns.turn(urgent=False):
        threads = [waiting_for(turns, log, "patient", urgent=False)]
        until(queued(turns, 1), "the queue")
        threads.append(waiting_for(turns, log, "awaited", urgent=True))
        until(queued(turns, 2), "the queue")
        now_s[0] = 2 * CALM_MAX_S
    for thread in threads:
        thread.join()
    assert log == ["patient", "awaited"]


def test_as_many_work_at_once_as_there_are_turns(until: Callable[..., None]) -> None:
    turns, log = CoreTurns(2), list[str]()
    with turns.turn(urgent=False):
        waiting_for(turns, log, "beside", urgent=False).join()
        with turns.turn(urgent=True):
            third = waiting_for(turns, log, "third", urgent=True)
            until(queued(turns, 1), "the queue")
            assert log == ["beside"]
        third.join()
    assert log == ["beside", "third"]


def test_a_look_does_not_wait_and_a_decoder_begins_only_after_it(
    until: Callable[..., None],
) -> None:
    turns, log = CoreTurns(1), list[str]()
    with turns.turn(urgent=False):
        with turns.looking(), turns.looking():
            waiting = waiting_for(turns, log, "after", urgent=True)
            until(queued(turns, 1), "the queue")
        assert log == []
    waiting.join()
    assert log == ["after"]
    assert turns._free == 1


def test_a_turn_ends_with_an_error_too() -> None:
    turns = CoreTurns(1)
    with pytest.raises(CameraError), turns.turn(urgent=False):
        raise CameraError("broken")
    assert turns._free == 1
