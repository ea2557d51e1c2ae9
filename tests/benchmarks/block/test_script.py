from pathlib import Path

import pytest

from benchmarks.block.errors import ScriptError
from benchmarks.block.script import SCRIPT, Day, load_day
from contract.catalogue import Category


def test_the_shipped_day_holds_every_category_and_a_second_camera_for_one_hour(day: Day) -> None:
    events = [event for hour in day.hours.values() for event in hour.events]
    assert {event.category for event in events} == set(Category)
    hours = [clip.hour for clip in day.clips]
    assert len(hours) > len(set(hours))


def test_every_name_in_the_shipped_day_leads_somewhere(day: Day) -> None:
    known = {c.component for c in (*day.covers.values(), *day.bins.values())}
    for clip in day.clips:
        assert clip.camera in day.cameras
        hour = day.hours[clip.hour]
        assert hour.light in day.lights
        assert {state.cover for state in hour.covers} <= set(day.covers)
        assert {state.bin for state in hour.bins} <= set(day.bins)
        assert {event.of for event in hour.events} <= known | {actor.id for actor in hour.actors}


def test_an_unknown_key_is_refused_with_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "day.yaml"
    path.write_text(SCRIPT.read_text(encoding="utf-8").replace("kerb:", "curb:"), encoding="utf-8")
    with pytest.raises(ScriptError, match=r"day\.yaml: world\.(kerb|curb)"):
        load_day(path)


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="cannot be read"):
        load_day(tmp_path / "none.yaml")
