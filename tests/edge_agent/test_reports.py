import json
from uuid import UUID

import pytest
from pydantic import ValidationError

from contract.catalogue import Family
from contract.messages import (
    ClockState,
    EvidenceRef,
    FrameInfo,
    IssueReport,
    ModelRef,
    Phase,
    Reason,
    encode,
)
from edge_agent.config import Location
from edge_agent.grid import Components, Grid
from edge_agent.issues import Transition, withdraw
from edge_agent.place import CameraPlace
from edge_agent.reports import Circumstances, Origin, Whereabouts, report_of
from tests.edge_agent.street import Street

CART = ("street_vendor", (0.4, 0.5, 0.55, 0.7), 0.7)
ORIGIN = Origin(
    city="bengbu",
    agent_id="agent-1",
    camera_id="cam-01",
    outbox_id=UUID(int=7),
    model=ModelRef(name="gridwatch-n", sha256="a" * 64),
    config_sha256="b" * 64,
)
NOW = Circumstances(
    seq=3,
    clock=ClockState(offset_s=0.1, error_s=0.05, synced=True),
    frame=FrameInfo(width=1280, height=720, stream="detect"),
    evidence=(EvidenceRef(sha256="c" * 64, kind="still", media_type="image/jpeg", bytes=9),),
)
CELL = {
    "type": "FeatureCollection",
    "grid_version": "2026a",
    "features": [
        {
            "type": "Feature",
            "properties": {"code": "340303001001001"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[117, 32], [118, 32], [118, 33], [117, 33], [117, 32]]],
            },
        }
    ],
}
GRID = Grid.from_geojson(json.dumps(CELL), "grid.geojson")
NOTHING = Components.from_geojson('{"features": []}', "components.geojson")
CAMERA = CameraPlace.of(None, Location(lon=117.36, lat=32.93, error_m=30))


def story() -> list[Transition]:
    street = Street()
    street.watch(10, [CART])
    street.watch(10)
    street.watch(10, [CART])
    _, withdrawn = withdraw(street.state, street.at, Reason.CAMERA_REMOVED, lambda _: True)
    return [*street.reports, *withdrawn]


def test_each_phase_makes_a_report_that_the_contract_takes_and_gives_back() -> None:
    phases = []
    for transition in story():
        where = Whereabouts.of(transition, CAMERA, GRID, NOTHING)
        report = report_of(transition, where, ORIGIN, NOW)
        assert IssueReport.model_validate_json(encode(report)) == report
        phases.append((report.phase, report.revision, report.reopened, report.reason))
    assert phases == [
        (Phase.RAISED, 1, False, None),
        (Phase.CLEARED, 2, False, None),
        (Phase.RAISED, 3, True, None),
        (Phase.WITHDRAWN, 4, False, Reason.CAMERA_REMOVED),
    ]


def test_a_report_says_who_saw_what_where() -> None:
    transition = story()[0]
    report = report_of(transition, Whereabouts.of(transition, CAMERA, GRID), ORIGIN, NOW)
    assert (report.city, report.agent_id, report.camera_id) == ("bengbu", "agent-1", "cam-01")
    assert (report.seq, report.outbox_id, report.model.name) == (3, UUID(int=7), "gridwatch-n")
    assert report.family is Family.VENDOR
    assert report.position is not None
    assert report.position.method == "camera_point"
    assert [cell.code for cell in report.cells] == ["340303001001001"]
    assert report.support.seen == transition.support.seen
    assert report.evidence == NOW.evidence


def test_without_any_place_the_report_still_stands() -> None:
    transition = story()[0]
    where = Whereabouts.of(transition, CameraPlace.of(None, None), GRID, NOTHING)
    assert where == Whereabouts()
    assert report_of(transition, where, ORIGIN, NOW).position is None


def test_what_breaks_the_contract_is_refused() -> None:
    transition = story()[0]
    with pytest.raises(ValidationError, match="seq"):
        report_of(transition, Whereabouts(), ORIGIN, Circumstances(0, NOW.clock, NOW.frame))
