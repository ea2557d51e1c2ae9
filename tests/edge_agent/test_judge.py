"""What is judged is placed: position, cells and component go with the transition."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from contract.catalogue import Category
from contract.messages import Phase
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.detections import CLASS_INDEX, CLASSES, Detections
from edge_agent.errors import PlaceError
from edge_agent.frames import ArrayPicture, Frame
from edge_agent.judge import CameraJudge, Judgement, Surroundings
from edge_agent.looks import Look
from edge_agent.model import ModelCard, Thresholds

START = Instant(datetime(2026, 1, 1, tzinfo=UTC), 0.0, "boot")
CODE = "340302001001001"


def card() -> ModelCard:
    threshold = Thresholds.model_validate({"raise": 0.4, "keep": 0.3})
    return ModelCard.model_construct(thresholds=dict.fromkeys(CLASSES, threshold))


def grid_file(tmp_path: Path) -> Path:
    square = [[117.35, 32.92], [117.37, 32.92], [117.37, 32.94], [117.35, 32.94], [117.35, 32.92]]
    path = tmp_path / "grid.geojson"
    feature = {
        "type": "Feature",
        "properties": {"code": CODE},
        "geometry": {"type": "Polygon", "coordinates": [square]},
    }
    path.write_text(
        json.dumps({"type": "FeatureCollection", "grid_version": "t", "features": [feature]})
    )
    return path


def judged(surroundings: Surroundings, location: dict[str, float] | None) -> list[Judgement]:
    config = CameraConfig.model_validate(
        {
            "camera": {"id": "a"} | ({"location": location} if location else {}),
            "rules": {"bin_overflow": {"dwell_s": 2, "seen_m": 3, "of_n": 4}},
        }
    )
    judge = CameraJudge(config, card(), surroundings)
    found = Detections(
        np.array([[0.4, 0.4, 0.6, 0.7]], np.float32),
        np.array([0.9], np.float32),
        np.array([CLASS_INDEX["bin_overflow"]]),
    )
    picture = ArrayPicture(np.zeros((9, 16, 3), np.uint8))
    judgements: list[Judgement] = []
    for index in range(20):
        frame = Frame("a", START.plus(index * 0.2), picture)
        judgements += judge.judge(Look(frame, frozenset(Category), found))
    return judgements


def test_an_issue_is_raised_once_with_its_cell(tmp_path: Path) -> None:
    surroundings = Surroundings.read(grid_file(tmp_path), None)
    (raised,) = judged(surroundings, {"lon": 117.36, "lat": 32.93})
    assert raised.transition.phase is Phase.RAISED
    assert [cell.code for cell in raised.where.cells] == [CODE]
    assert raised.where.position is not None
    assert raised.where.position.method == "camera_point"


def test_a_camera_without_a_place_reports_none(tmp_path: Path) -> None:
    (raised,) = judged(Surroundings.read(grid_file(tmp_path), None), None)
    assert (raised.where.position, raised.where.cells) == (None, ())


def test_a_grid_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"nowhere.geojson: cannot be read"):
        Surroundings.read(tmp_path / "nowhere.geojson", None)


@pytest.mark.parametrize(("grey", "raised"), [(90, 1), (10, 0)])
def test_the_picture_says_whether_a_street_is_lit_by_night(grey: int, raised: int) -> None:
    rule = {"dwell_s": 2, "seen_m": 3, "of_n": 4, "night": "if_lit"}
    config = CameraConfig.model_validate(
        {
            "camera": {"id": "a", "location": {"lon": 117.36, "lat": 32.93}},
            "rules": {"bin_overflow": rule},
        }
    )
    judge = CameraJudge(config, card(), Surroundings())
    box = Detections(
        np.array([[0.4, 0.4, 0.5, 0.6]], np.float32),
        np.array([0.8], np.float32),
        np.array([CLASS_INDEX["bin_overflow"]], np.int64),
    )
    found: list[Judgement] = []
    for tick in range(20):
        at = Instant(datetime(2026, 1, 1, 16, tzinfo=UTC), tick / 2, "boot")
        picture = ArrayPicture(np.full((90, 160, 3), grey, np.uint8))
        found += judge.judge(Look(Frame("a", at, picture), frozenset(Category), box))
    assert len(found) == raised
