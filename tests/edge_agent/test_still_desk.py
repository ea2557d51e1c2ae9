"""Stills are made by another thread than the judge's, and every order is answered."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import cv2
import numpy as np
import pytest

from contract.catalogue import Category, Family
from contract.messages import Phase, Severity
from edge_agent.clock import ReplayClock
from edge_agent.config import CameraConfig
from edge_agent.detections import PERSON, Detections
from edge_agent.errors import ModelError
from edge_agent.frames import ArrayPicture, Frame, Picture
from edge_agent.issues import Tally, Transition
from edge_agent.judge import Judgement
from edge_agent.looks import Look
from edge_agent.masking import FILL_RGB
from edge_agent.reports import Whereabouts
from edge_agent.still_desk import ASKED_MAX, StillAsked, StillDesk
from edge_agent.witness import Witness

CLOCK = ReplayClock(datetime(2026, 7, 1, tzinfo=UTC))
CAMERA = CameraConfig.model_validate({"camera": {"id": "cam-01", "name": "路口"}})
RAISED = Transition(
    phase=Phase.RAISED, reason=None, reopened=False, issue_id=UUID(int=7), revision=1,
    family=Family.VENDOR, category=Category.STREET_VENDOR, severity=Severity.NORMAL,
    first_seen_at=CLOCK.at(0).utc, last_seen_at=CLOCK.at(6).utc, captured_at=CLOCK.at(6).utc,
    box_xyxyn=(0.4, 0.4, 0.6, 0.8), score=0.9, support=Tally(10, 10, 6.0),
)  # fmt: skip
Until = Callable[..., None]


def one_person(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    box = np.array([[0.1, 0.1, 0.3, 0.9]], np.float32)
    return Detections(box, np.array([0.9], np.float32), np.array([PERSON]))


def broken(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    raise ModelError("the runtime is gone")


def bursting(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    raise RuntimeError("nobody knows this one")


def asked(closely: Callable[[Picture, tuple[int, int]], Detections]) -> StillAsked:
    witness = Witness(closely)
    picture = ArrayPicture(np.full((90, 160, 3), (40, 160, 60), np.uint8))
    look = Look(Frame("cam-01", CLOCK.at(6), picture), frozenset(Category), Detections.empty())
    witness.remember(look)
    return StillAsked("cam-01", Judgement(RAISED, Whereabouts()), witness.shot(look), CAMERA)


def test_what_was_asked_for_is_made_masked_in_the_desks_own_thread(until: Until) -> None:
    desk, stop = StillDesk(), threading.Event()
    assert desk.ask(asked(one_person))
    thread = threading.Thread(target=desk.run, args=(stop,))
    thread.start()
    until(lambda: desk.counts.made == 1, "the stills are made")
    stop.set()
    thread.join(10)
    (made,) = desk.made()
    assert (made.asked.issue_id, made.asked.moment) == (UUID(int=7), "raised")
    assert [(item.ref.kind, item.ref.moment) for item in made.evidence] == [
        ("still", "raised"),
        ("still_marked", "raised"),
    ]
    plain = cv2.imdecode(np.frombuffer(made.evidence[0].data, np.uint8), cv2.IMREAD_COLOR)
    assert plain is not None
    assert np.abs(plain[15, 25].astype(int) - FILL_RGB[0]).max() < 12
    assert desk.made() == ()


def test_what_cannot_be_made_is_answered_empty_counted_and_said() -> None:
    desk = StillDesk()
    desk.ask(asked(broken))
    desk.work_off()
    assert [made.evidence for made in desk.made()] == [()]
    assert (desk.counts.made, desk.counts.given_up) == (0, 1)
    assert desk.trouble.endswith("the runtime is gone")


def test_even_what_kills_the_desks_thread_is_answered() -> None:
    desk = StillDesk()
    desk.ask(asked(bursting))
    with pytest.raises(RuntimeError):
        desk.work_off()
    assert [made.evidence for made in desk.made()] == [()]


def test_no_more_wait_than_there_is_room_for() -> None:
    desk = StillDesk()
    assert all(desk.ask(asked(one_person)) for _ in range(ASKED_MAX))
    assert not desk.ask(asked(one_person))
