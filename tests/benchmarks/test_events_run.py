"""The committed detector on the committed clips of the block, held against their floors."""

from pathlib import Path

import pytest

from benchmarks.events_run import Run, complaints, evaluate_models
from edge_agent.model import default_folder

ROOT = Path(__file__).parents[2]
FOLDERS = {"demo": ROOT / "camera_configs" / "demo", "trials": ROOT / "benchmarks/block/trials"}


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FOLDERS)
def test_every_event_of_the_block_is_raised_and_nothing_else(name: str) -> None:
    clips = sorted(FOLDERS[name].glob("*.mp4"))
    assert clips
    assert complaints(evaluate_models(Run(clips), [default_folder()]), name) == []
