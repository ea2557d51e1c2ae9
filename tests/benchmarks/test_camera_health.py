"""Health on a clip: nothing while it is as it is, everything once it is changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import camera_health
from benchmarks.camera_health import CHANGES, ClipHealth, Noticed, failed, summary
from tests.edge_agent.painted import Street


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> ClipHealth:
    street = Street()

    def clip(_path: Path) -> Iterator[tuple[float, Any]]:
        yield from ((float(second), street.picture(second)) for second in range(70))

    monkeypatch.setattr(camera_health, "read_clip", clip)
    monkeypatch.setattr(camera_health, "WIDTH", 480)
    monkeypatch.setattr(camera_health, "COST_SAMPLES", 3)
    (health,) = camera_health.measure([Path("street.mp4")])
    return health


def test_a_painted_street_is_well_and_each_change_of_it_is_noticed(found: ClipHealth) -> None:
    assert (found.suspended_s, found.alarms) == (0, 0)
    assert [one.change for one in found.noticed if not one.as_expected] == []
    assert failed([found]) == []
    assert "shifted by 1.5 %: 1 of 1 told as they are" in summary([found])


def test_an_alarm_without_reason_and_a_late_one_fail(found: ClipHealth) -> None:
    late = Noticed(
        "street", "dark", "ok", as_expected=False, suspended_after_s=1, told_after_s=None
    )
    bad = ClipHealth("street", 70, 5, 3, 1.0, (late,))
    assert [complaint.split(":")[0] for complaint in failed([bad])] == ["street", "street, dark"]
    assert set(CHANGES) >= {"dark", "frozen"}
