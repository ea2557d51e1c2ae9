"""From pictures to reports where the camera is knocked or turns: no wrong place is ever told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.catalogue import Category
from contract.messages import CameraState, ClockState, IssueReport, Phase, Reason
from edge_agent.config import AgentInfo, CameraConfig
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.frames import Frame, Picture
from edge_agent.health import HealthWatch
from edge_agent.issue_state import CameraIssues
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.judging import Desks, Hooks, JudgedCamera, Judging
from edge_agent.known_view import KnownView
from edge_agent.looks import Look
from edge_agent.luma import Sample
from edge_agent.model import ModelCard
from edge_agent.still_desk import StillDesk
from edge_agent.store import Evidence, Store
from edge_agent.view_files import slot_of
from edge_agent.witness import Witness
from tests.edge_agent.painted import Street
from tests.edge_agent.street import START

STREET = Street()
NORTH, SOUTH = STREET.but(x=500.0), STREET.but(x=1300.0)
CART = (0.3, 0.4, 0.5, 0.7)
RULE = {"seen_m": 2, "of_n": 3, "dwell_s": 2, "clear_after_s": 2, "heartbeat_s": 5}
EVERY_S = 0.5


def place(lon: float) -> dict[str, Any]:
    """Forty metres by sixty of ground, seen from above."""
    corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    points = [{"xyn": [x, y], "lonlat": [lon + x * 4e-4, 32.93 - y * 6e-4]} for x, y in corners]
    return {"points": points}


def config(**more: Any) -> CameraConfig:
    rules = {"street_vendor": RULE}
    return CameraConfig.model_validate({"camera": {"id": "cam-01"}, "rules": rules} | more)


def nothing_closer(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    return Detections.empty()


@dataclass
class Post:
    """A camera with its health watch, its judges and a store."""

    judging: Judging
    store: Store
    watch: HealthWatch
    moved: list[tuple[str, Evidence]]
    second: float = 0.0
    states: list[CameraState] = field(default_factory=list)

    def stand(self, street: Street, seconds: float, *, cart: bool = True) -> list[IssueReport]:
        """Look at a street for so long; returns what was reported meanwhile."""
        before = len(self.reports())
        boxes = [CART] if cart else []
        found = Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(len(boxes), 0.9, np.float32),
            np.full(len(boxes), CLASS_INDEX["street_vendor"], np.int64),
        )
        for _ in range(int(seconds / EVERY_S)):
            self.second += EVERY_S
            at, picture = START.plus(self.second), street.picture(self.second)
            view = self.watch.see(picture, at)
            self.states.append(view.state)
            frame = Frame("cam-01", at, picture, view=view)
            self.judging.take(Look.of(frame, frozenset(Category), found))
        return self.reports()[before:]

    def reports(self) -> list[IssueReport]:
        waiting = sorted(self.store.due(0, 1000), key=lambda report: report.seq)
        return [IssueReport.model_validate_json(report.body) for report in waiting]


def post(store: Store, card: ModelCard, camera: CameraConfig, watch: HealthWatch) -> Post:
    cameras, witness = {}, Witness(nothing_closer)
    for preset_id, view in camera.views().items():
        slot = slot_of("cam-01", preset_id)
        saved = store.states().get(slot)
        state = CameraIssues.from_json(saved) if saved else CameraIssues(slot)
        judge = CameraJudge(view, card, Surroundings(), state)
        cameras[slot] = JudgedCamera(view, judge, witness, preset_id)
    moved: list[tuple[str, Evidence]] = []
    hooks = Hooks(
        lambda: ClockState(offset_s=0, error_s=1, synced=True),
        lambda _: None,
        lambda: None,
        on_moved=lambda camera_id, picture: moved.append((camera_id, picture)),
    )
    agent = AgentInfo(city="demo", id="gw-01")
    return Post(
        Judging(cameras, card, agent, store, hooks, Desks(StillDesk())), store, watch, moved
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, 10_000_000) as opened:
        yield opened


def fixed(store: Store, card: ModelCard) -> Post:
    return post(store, card, config(place=place(117.36)), HealthWatch([KnownView()]))


def turning(store: Store, card: ModelCard) -> Post:
    presets = [{"id": "north", "place": place(117.36)}, {"id": "south", "place": place(117.37)}]
    views = [
        KnownView(name, Sample.of(street.picture(0)).edges, fixed=True)
        for name, street in (("north", NORTH), ("south", SOUTH))
    ]
    watch = HealthWatch(views, turning=True, every_s=EVERY_S)
    return post(store, card, config(presets=presets), watch)


def test_a_knocked_camera_is_noticed_and_reports_no_place_that_is_wrong(
    store: Store, card: ModelCard
) -> None:
    camera = fixed(store, card)
    told = camera.stand(STREET, 30)
    assert [report.phase for report in told[:1]] == [Phase.RAISED]
    # The thing goes on being detected, now at another place of the ground.
    assert camera.stand(STREET.but(x=STREET.x + 40), 30) == []
    assert camera.states[-1] is CameraState.MOVED
    assert camera.stand(STREET.but(x=STREET.x + 40), 30, cart=False) == []
    assert [camera_id for camera_id, _ in camera.moved] == ["cam-01"]


def test_a_camera_that_is_put_back_goes_on_with_its_issue(store: Store, card: ModelCard) -> None:
    camera = fixed(store, card)
    issue_id = camera.stand(STREET, 20)[0].issue_id
    camera.stand(STREET.but(rotation_deg=4.0), 30, cart=False)
    back = camera.stand(STREET, 20)
    assert {report.issue_id for report in back} == {issue_id}
    assert {report.phase for report in back} == {Phase.UPDATED}


def test_each_preset_has_its_issues_and_its_ground(store: Store, card: ModelCard) -> None:
    camera = turning(store, card)
    told = [*camera.stand(NORTH, 20), *camera.stand(SOUTH, 20)]
    where = {report.preset_id: report.position for report in told}
    assert set(where) == {"north", "south"}
    assert all(position is not None for position in where.values())
    lons = {name: round(position.lon, 2) for name, position in where.items() if position}
    assert lons == {"north": 117.36, "south": 117.37}
    assert len({report.issue_id for report in told}) == 2


def test_an_issue_is_not_visible_while_the_camera_looks_elsewhere(
    store: Store, card: ModelCard
) -> None:
    camera = turning(store, card)
    issue_id = camera.stand(NORTH, 20)[0].issue_id
    assert camera.stand(SOUTH, 60, cart=False) == []
    assert camera.stand(STREET.but(x=900.0), 10, cart=False) == []
    back = camera.stand(NORTH, 20)
    assert {(report.issue_id, report.preset_id) for report in back} == {(issue_id, "north")}
    gone = camera.stand(NORTH, 20, cart=False)
    assert Phase.CLEARED in {report.phase for report in gone}


def test_a_preset_that_was_removed_takes_its_issues_back(store: Store, card: ModelCard) -> None:
    turning(store, card).stand(NORTH, 20)
    fixed(store, card).judging.withdraw_what_changed(START.plus(100))
    withdrawn = [one for one in fixed(store, card).reports() if one.phase is Phase.WITHDRAWN]
    assert [(one.reason, one.preset_id) for one in withdrawn] == [(Reason.VIEW_CHANGED, "north")]
    assert "cam-01/north" not in store.states()


def test_a_new_view_takes_its_issues_back_without_a_place(store: Store, card: ModelCard) -> None:
    fixed(store, card).stand(STREET, 20)
    again = fixed(store, card)
    again.judging.withdraw_what_changed(START.plus(100), {"cam-01"})
    last = again.reports()[-1]
    assert (last.phase, last.reason) == (Phase.WITHDRAWN, Reason.VIEW_CHANGED)
    assert (last.position, last.cells) == (None, ())
