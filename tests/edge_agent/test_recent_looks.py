"""Which moment shows an object best, from what the last looks found."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from contract.catalogue import Category, Family
from edge_agent.clock import Instant
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.frames import ArrayPicture, Frame
from edge_agent.looks import Look
from edge_agent.recent_looks import KEEP_MAX, KEEP_S, RecentLooks

START = datetime(2026, 7, 1, tzinfo=UTC)
PICTURE = ArrayPicture(np.zeros((720, 1280, 3), np.uint8))
CART = ("street_vendor", (0.4, 0.4, 0.6, 0.6))
RIDER = ("vehicle", (0.4, 0.2, 0.5, 0.6))  # narrow: masked whole, over the left half of the cart
SIZE = (1280, 720)


def at(seconds: float) -> Instant:
    return Instant(START + timedelta(seconds=seconds), seconds, "boot")


def look(seconds: float, *seen: tuple[str, tuple[float, float, float, float]]) -> Look:
    found = Detections(
        np.array([box for _, box in seen], np.float32).reshape(-1, 4),
        np.full(len(seen), 0.9, np.float32),
        np.array([CLASS_INDEX[name] for name, _ in seen], np.int64),
    )
    return Look(Frame("cam-01", at(seconds), PICTURE), frozenset(Category), found)


def seconds(moments: tuple[Instant, ...]) -> list[float]:
    return [one.monotonic_s for one in moments]


def test_the_moment_without_riders_before_the_object_comes_first() -> None:
    recent = RecentLooks()
    for tick in range(7):
        passing = [RIDER] if tick in {0, 4} else []
        recent.remember(look(tick, CART, *passing))
    # The rider's mask is kept a second to either side, so only 2 is clear of both; 6 is too new.
    assert seconds(recent.clearest(CART[1], Family.VENDOR, at(0), SIZE))[0] == 2


def test_of_equally_clear_moments_the_newest_comes_first() -> None:
    recent = RecentLooks()
    for tick in range(6):
        recent.remember(look(tick, CART))
    assert seconds(recent.clearest(CART[1], Family.VENDOR, at(2), SIZE)) == [4, 3, 2]


def test_what_is_to_show_the_object_must_have_found_it() -> None:
    recent = RecentLooks()
    for tick in range(6):
        recent.remember(look(tick, *([CART] if tick == 1 else [])))
    assert seconds(recent.clearest(CART[1], Family.VENDOR, at(0), SIZE)) == [1]
    assert seconds(recent.clearest(CART[1], Family.BIN, at(0), SIZE)) == []
    assert seconds(recent.clearest(CART[1], None, at(3), SIZE)) == [4, 3]


@pytest.mark.parametrize(("around", "count"), [(2.0, 3), (0.0, 2), (5.4, 1), (9.0, 0)])
def test_masks_are_those_of_a_second_to_either_side(around: float, count: int) -> None:
    recent = RecentLooks()
    for tick in range(6):
        recent.remember(look(tick, RIDER))
    assert len(recent.around(at(around))) == count


def test_what_is_remembered_is_bounded_in_time_and_number() -> None:
    recent = RecentLooks()
    for tick in range(100):
        recent.remember(look(tick * 0.5, CART))
    oldest = seconds(recent.clearest(CART[1], None, at(0), SIZE))[-1]
    assert 49.5 - oldest <= KEEP_S
    for tick in range(1000):
        recent.remember(look(50 + tick * 0.001, CART))
    assert len(recent.around(at(51))) <= KEEP_MAX
