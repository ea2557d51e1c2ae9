"""Looks become committed reports with masked pictures, and state never runs ahead of them."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from contract.catalogue import Category
from contract.messages import ClockState, IssueReport, Phase, Reason
from edge_agent.asks import Ask, LookAnswer
from edge_agent.clock import Instant
from edge_agent.config import AgentInfo, CameraConfig
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.errors import StoreError
from edge_agent.frames import ArrayPicture, Frame, Picture
from edge_agent.issue_state import CameraIssues
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.judging import Desks, Hooks, JudgedCamera, Judging
from edge_agent.looks import Look
from edge_agent.model import ModelCard
from edge_agent.still_desk import ASKED_MAX, StillDesk
from edge_agent.store import Store
from edge_agent.suppressions import Suppression
from edge_agent.to_come import saved_in
from edge_agent.witness import Witness

START = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
RULE = {"seen_m": 2, "of_n": 3, "dwell_s": 2, "clear_after_s": 2, "heartbeat_s": 300}
CART = (0.3, 0.4, 0.5, 0.7)
Until = Callable[..., None]


def config(**more: Any) -> CameraConfig:
    rules = {"street_vendor": RULE}
    return CameraConfig.model_validate({"camera": {"id": "cam-01"}, "rules": rules} | more)


def look(at_s: float, *, cart: bool = True) -> Look:
    boxes = [CART] if cart else []
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.full(len(boxes), CLASS_INDEX["street_vendor"], np.int64),
    )
    at = Instant(START + timedelta(seconds=at_s), at_s, "boot")
    picture = ArrayPicture(np.full((180, 320, 3), 90, np.uint8))
    return Look(Frame("cam-01", at, picture), frozenset(Category), found)


@dataclass
class Desk:
    """Judging over a store, with everything it told others."""

    judging: Judging
    store: Store
    looked: list[str] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    stills: StillDesk = field(default_factory=StillDesk)

    def develop(self) -> None:
        """Make the stills that were asked for, and report them."""
        self.stills.work_off()
        self.judging.add_stills()

    def stand(self, since_s: float, until_s: float, *, cart: bool = True) -> None:
        for tick in range(int((until_s - since_s) * 5)):
            self.judging.take(look(since_s + tick / 5, cart=cart))

    def reports(self) -> list[IssueReport]:
        waiting = sorted(self.store.due(0, 1000), key=lambda report: report.seq)
        return [IssueReport.model_validate_json(report.body) for report in waiting]

    def state(self) -> CameraIssues:
        return CameraIssues.from_json(self.store.states()["cam-01"])


def synced() -> ClockState:
    return ClockState(offset_s=0, error_s=1, synced=True)


def nothing_closer(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    return Detections.empty()


def desk(store: Store, card: ModelCard, camera: CameraConfig | None = None) -> Desk:
    camera = camera or config()
    saved = store.states().get("cam-01")
    state = CameraIssues.from_json(saved) if saved else None
    judge = CameraJudge(camera, card, Surroundings(), state)
    awaited, stills = saved_in(saved) if saved else {}, StillDesk()
    cameras = {"cam-01": JudgedCamera(camera, judge, Witness(nothing_closer), to_come=awaited)}
    looked: list[str] = []
    commits: list[int] = []
    judging = Judging(
        cameras,
        card,
        AgentInfo(city="demo", id="gw-01"),
        store,
        Hooks(synced, looked.append, lambda: commits.append(1)),
        Desks(stills),
    )
    return Desk(judging, store, looked, commits, stills)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, 10_000_000) as opened:
        yield opened


def test_what_stands_is_raised_and_cleared_when_gone(store: Store, card: ModelCard) -> None:
    tested = desk(store, card)
    tested.stand(0, 4)
    tested.stand(4, 8, cart=False)
    raised, cleared = tested.reports()
    assert (raised.phase, cleared.phase) == (Phase.RAISED, Phase.CLEARED)
    assert raised.issue_id == cleared.issue_id
    assert (raised.city, raised.agent_id, raised.camera_id) == ("demo", "gw-01", "cam-01")
    assert raised.model.name == "tiny"
    assert (raised.frame.width, raised.frame.height) == (320, 180)
    assert tested.judging.counts.raised == 1
    assert tested.judging.counts.reports == 2
    assert len(tested.looked) == tested.judging.counts.looks == 40
    assert len(tested.commits) == 2


def shown(report: IssueReport) -> list[tuple[str, str | None]]:
    return [(item.kind, item.moment) for item in report.evidence]


def test_a_report_never_waits_for_its_stills_which_come_with_the_next_of_its_issue(
    store: Store, card: ModelCard
) -> None:
    tested = desk(store, card)
    tested.stand(0, 4)
    assert [(report.phase, report.evidence) for report in tested.reports()] == [(Phase.RAISED, ())]
    tested.develop()
    tested.stand(4, 8, cart=False)
    tested.develop()
    told = [(report.phase, report.revision, shown(report)) for report in tested.reports()]
    assert told == [
        (Phase.RAISED, 1, []),
        (Phase.UPDATED, 2, [("still", "raised"), ("still_marked", "raised")]),
        (Phase.CLEARED, 3, []),
        (Phase.CLEARED, 4, [("still", "cleared"), ("still_marked", "cleared")]),
    ]
    for item in (item for report in tested.reports() for item in report.evidence):
        assert (store._spool.path(item.sha256)).stat().st_size == item.bytes
    assert saved_in(store.states()["cam-01"]) == {}


def test_an_agent_killed_before_its_stills_makes_them_from_the_next_look_that_shows_the_same(
    store: Store, card: ModelCard
) -> None:
    desk(store, card).stand(0, 4)  # and nothing is developed
    again = desk(store, card)
    again.stand(4, 5, cart=False)
    again.develop()
    assert [report.revision for report in again.reports()] == [1]  # it is not seen: nothing to show
    again.stand(5, 5.2)
    again.develop()
    assert shown(again.reports()[-1]) == [("still", "raised"), ("still_marked", "raised")]
    assert again.reports()[-1].evidence[0].captured_at == look(5).at.utc
    again.stand(5.2, 7)
    again.develop()
    assert len(again.reports()) == 2  # once


def test_a_cleared_issue_still_owes_its_picture_after_a_restart(
    store: Store, card: ModelCard
) -> None:
    first = desk(store, card)
    first.stand(0, 4)
    first.stand(4, 8, cart=False)  # the raised still was never made, and now cannot be
    again = desk(store, card)
    again.stand(8, 9, cart=False)
    again.develop()
    assert shown(again.reports()[-1]) == [("still", "cleared"), ("still_marked", "cleared")]


def test_stills_that_are_ready_after_their_issue_was_cleared_are_reported_with_it(
    store: Store, card: ModelCard
) -> None:
    tested = desk(store, card)
    tested.stand(0, 4)
    tested.stills.work_off()
    tested.stand(4, 8, cart=False)
    tested.judging.add_stills()
    last = tested.reports()[-1]
    assert (last.phase, last.revision, shown(last)[0]) == (Phase.CLEARED, 3, ("still", "raised"))


def test_stills_of_an_issue_that_was_taken_back_are_dropped(store: Store, card: ModelCard) -> None:
    tested = desk(store, card, config(zones=[]))
    tested.stand(0, 4)
    tested.stills.work_off()
    tested.judging.withdraw_what_changed(look(9).at, {"cam-01"})
    tested.judging.add_stills()
    assert [report.phase for report in tested.reports()] == [Phase.RAISED, Phase.WITHDRAWN]
    assert store.counts().pictures == 0
    assert saved_in(store.states()["cam-01"]) == {}


def test_stills_that_the_store_cannot_take_are_made_again(
    store: Store, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = desk(store, card)
    tested.stand(0, 4)

    def full(*_: Any) -> tuple[IssueReport, ...]:
        raise StoreError("disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store, "commit", full)
        tested.develop()
    assert tested.judging.trouble == "disk is full"
    tested.stand(4, 5)
    tested.develop()
    assert [(r.revision, len(r.evidence)) for r in tested.reports()] == [(1, 0), (2, 2)]


def test_what_finds_no_room_at_the_desk_is_asked_for_again(store: Store, card: ModelCard) -> None:
    tested = desk(store, card)
    tested.stand(0, 1)
    for _ in range(ASKED_MAX):
        tested.stills._asked.put_nowait(None)  # type: ignore[arg-type]
    tested.stand(1, 4)
    for _ in range(ASKED_MAX):
        tested.stills._asked.get_nowait()
    assert tested.stills._asked.empty()
    tested.stand(4, 4.2)
    tested.develop()
    assert len(tested.reports()[-1].evidence) == 2


def test_the_state_is_stored_with_its_report_and_goes_on_after_a_restart(
    store: Store, card: ModelCard
) -> None:
    first = desk(store, card)
    first.stand(0, 4)
    assert [place.is_open for place in first.state().places] == [True]
    again = desk(store, card)
    again.stand(4, 8, cart=False)
    phases = [(report.phase, report.revision) for report in again.reports()]
    assert phases == [(Phase.RAISED, 1), (Phase.CLEARED, 2)]


def test_when_the_store_fails_the_state_waits_and_the_next_look_tries_again(
    store: Store, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = desk(store, card)
    commit = store.commit

    def full(*_: Any) -> tuple[IssueReport, ...]:
        raise StoreError("disk is full")

    monkeypatch.setattr(store, "commit", full)
    tested.stand(0, 6)
    assert tested.judging.trouble == "disk is full"
    monkeypatch.setattr(store, "commit", commit)
    tested.stand(6, 10)
    assert tested.judging.trouble == ""
    assert [(report.phase, report.revision) for report in tested.reports()] == [(Phase.RAISED, 1)]


def test_a_removed_camera_takes_its_issues_back(store: Store, card: ModelCard) -> None:
    desk(store, card).stand(0, 4)
    gone = Judging(
        {},
        card,
        AgentInfo(city="demo", id="gw-01"),
        store,
        Hooks(synced, lambda _: None, lambda: None),
        Desks(StillDesk()),
    )
    gone.withdraw_what_changed(look(9).at)
    bodies = [json.loads(report.body) for report in store.due(0, 9)]
    withdrawn = [body for body in bodies if body["phase"] == "withdrawn"]
    assert [body["reason"] for body in withdrawn] == [Reason.CAMERA_REMOVED]
    assert store.states() == {}


def test_an_issue_outside_the_edited_zones_is_taken_back(store: Store, card: ModelCard) -> None:
    desk(store, card).stand(0, 4)
    elsewhere = [[0.8, 0.8], [1.0, 0.8], [1.0, 1.0], [0.8, 1.0]]
    edited = config(zones=[{"id": "corner", "polygon_xyn": elsewhere}])
    tested = desk(store, card, edited)
    tested.judging.withdraw_what_changed(look(9).at)
    assert [r.reason for r in tested.reports() if r.phase is Phase.WITHDRAWN] == ["zone_changed"]
    assert tested.state().places == ()


def test_an_issue_of_a_category_that_was_switched_off_is_taken_back(
    store: Store, card: ModelCard
) -> None:
    desk(store, card).stand(0, 4)
    tested = desk(store, card, config(rules={"street_vendor": RULE | {"enabled": False}}))
    tested.judging.withdraw_what_changed(look(9).at)
    assert [r.reason for r in tested.reports() if r.phase is Phase.WITHDRAWN] == ["rule_changed"]
    assert tested.state().places == ()


def test_nothing_is_taken_back_when_nothing_changed(store: Store, card: ModelCard) -> None:
    desk(store, card).stand(0, 4)
    tested = desk(store, card)
    tested.judging.withdraw_what_changed(look(9).at)
    assert [report.phase for report in tested.reports()] == [Phase.RAISED]
    assert len(tested.state().places) == 1


def test_the_thread_judges_what_is_put_and_saves_the_state_at_its_end(
    store: Store, card: ModelCard, until: Until
) -> None:
    tested = desk(store, card)
    thread = threading.Thread(target=tested.judging.run, args=(threading.Event(),))
    thread.start()
    for tick in range(50):
        tested.judging.put(look(tick / 5))
    until(lambda: tested.judging.counts.looks == 50, "all are judged")
    tested.judging.close()
    thread.join(10)
    assert not thread.is_alive()
    assert tested.state().places[0].seen_at.monotonic_s == pytest.approx(49 / 5)


def test_nobody_waits_for_a_judge_that_has_closed(store: Store, card: ModelCard) -> None:
    tested = desk(store, card)
    tested.judging.close()
    for tick in range(100):
        tested.judging.put(look(tick / 5))
    assert tested.looked == []


def test_a_picture_that_was_asked_for_is_masked_kept_and_named_in_the_answer(
    store: Store, card: ModelCard
) -> None:
    tested = desk(store, card)
    told: list[LookAnswer] = []
    tested.judging.asks.put(Ask("cam-01", None, told.append, picture=True))
    tested.stand(0, 0.4)
    ((picture,),) = (answer.evidence for answer in told)
    assert (picture.kind, picture.moment) == ("still", None)
    assert store._spool.path(picture.sha256).stat().st_size == picture.bytes


def test_a_suppression_withdraws_what_is_open_there_and_withholds_what_comes(
    store: Store, card: ModelCard
) -> None:
    tested = desk(store, card)
    tested.stand(0, 4)
    at = look(4).at
    there = Suppression(
        UUID(int=1), "cam-01", Category.STREET_VENDOR, CART, 2.0, at.utc + timedelta(hours=1)
    )
    tested.judging.suppress("cam-01", (there,), at)
    tested.judging.carry_out_orders()
    tested.stand(4, 10)
    assert [(r.phase, r.reason) for r in tested.reports()] == [
        (Phase.RAISED, None),
        (Phase.WITHDRAWN, "suppressed"),
    ]
    assert tested.judging.withheld == 1
    tested.judging.suppress("cam-01", (), at)
    tested.judging.carry_out_orders()
    tested.stand(10, 14)
    assert tested.reports()[-1].phase is Phase.RAISED


def test_a_withdrawal_that_the_store_cannot_commit_is_tried_again(
    store: Store, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = desk(store, card)
    tested.stand(0, 4)
    at, commit = look(4).at, store.commit
    there = Suppression(
        UUID(int=1), "cam-01", Category.STREET_VENDOR, CART, 2.0, at.utc + timedelta(hours=1)
    )

    def full(*_: Any) -> tuple[IssueReport, ...]:
        raise StoreError("disk is full")

    monkeypatch.setattr(store, "commit", full)
    tested.judging.suppress("cam-01", (there,), at)
    tested.judging.carry_out_orders()
    assert tested.judging.trouble == "disk is full"
    monkeypatch.setattr(store, "commit", commit)
    tested.judging.carry_out_orders()
    assert tested.reports()[-1].reason is Reason.SUPPRESSED


def test_a_suppression_for_another_view_of_the_camera_changes_nothing_here(
    store: Store, card: ModelCard
) -> None:
    tested = desk(store, card)
    tested.stand(0, 4)
    at = look(4).at
    there = Suppression(
        UUID(int=1), "cam-01", Category.STREET_VENDOR, CART, 2.0, at.utc + timedelta(hours=1), "x"
    )
    tested.judging.suppress("cam-01", (there,), at)
    tested.judging.carry_out_orders()
    tested.stand(4, 6)
    assert [report.phase for report in tested.reports()] == [Phase.RAISED]
