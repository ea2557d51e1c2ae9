"""A floor is held, missed, or does not apply here; what was not measured is missed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from benchmarks import floors as floors_module
from benchmarks import speed_commands
from benchmarks.__main__ import app
from benchmarks.floors import FLOORS, all_held, check

BODY: dict[str, Any] = {
    "benchmark": "toy",
    "question": "is it held?",
    "machine": {"flags": ["avx2"]},
    "figures": {"fast": {"median": 10.0}, "slow, ms": {"median": 70.0}},
    "ratios": {"ours / theirs": {"median": 2.0}},
}


@pytest.fixture
def floors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def given(*entries: dict[str, Any]) -> None:
        path = tmp_path / "floors.yaml"
        path.write_text(yaml.safe_dump({"toy": list(entries)}))
        monkeypatch.setattr(floors_module, "FLOORS", path)

    return given


@pytest.mark.parametrize(
    ("entry", "held"),
    [
        ({"figure": "fast", "at_least": 10}, True),
        ({"figure": "fast", "at_least": 11}, False),
        ({"figure": "slow, ms", "at_most": 70}, True),
        ({"figure": "slow, ms", "at_most": 60}, False),
        ({"ratio": "ours / theirs", "at_least": 1.5}, True),
        ({"figure": "never measured", "at_least": 1}, False),
        ({"figure": "fast", "at_least": 99, "needs": ["amx_bf16"]}, None),
        ({"figure": "fast", "at_least": 99, "needs": ["avx2"]}, False),
    ],
)
def test_a_floor_is_held_missed_or_not_for_this_machine(
    floors: Any, entry: dict[str, Any], *, held: bool | None
) -> None:
    floors(entry)
    (verdict,) = check(BODY)
    assert verdict.held is held
    assert all_held([verdict]) is (held is not False)


@pytest.mark.parametrize(("least", "status"), [(10, 0), (11, 1)])
def test_check_ends_with_1_where_a_floor_is_not_held(
    floors: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, least: int, status: int
) -> None:
    floors({"figure": "fast", "at_least": least})
    body = BODY | {"figures": {"fast": {"median": 10.0}}}
    monkeypatch.setattr(speed_commands.decode_module, "measure", lambda *_: dict(body))
    out = tmp_path / "out.json"
    done = CliRunner().invoke(app, ["decode", "--check", "--json", str(out)])
    assert done.exit_code == status
    assert json.loads(out.read_text())["floors"][0]["reached"] == 10


def test_the_floors_beside_the_benchmarks_are_well_formed() -> None:
    for entries in yaml.safe_load(FLOORS.read_text()).values():
        for entry in entries:
            assert ("figure" in entry) != ("ratio" in entry)
            assert ("at_least" in entry) != ("at_most" in entry)
