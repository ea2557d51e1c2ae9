"""What all tests share: seeded hypothesis, a real PostgreSQL, a model's card, other people's pictures."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from edge_agent.detections import CLASSES
from edge_agent.model import ModelCard

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))

from postgres import Postgres, PostgresMissing, cluster  # noqa: E402  (its folder comes first)

settings.register_profile(
    "test", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", settings.get_profile("test"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of clips and images that may not be shipped; tests that need it skip without."""
    folder = Path(os.environ.get("GRIDWATCH_SHARED", ROOT.parent / "shared"))
    if not (folder / "clips" / "dev").is_dir():
        pytest.skip(f"needs clips that may not be shipped; none at {folder} (GRIDWATCH_SHARED)")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for all tests; each takes a database of its own by `new_database()`."""
    try:
        with cluster() as server:
            yield server
    except PostgresMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def card() -> ModelCard:
    """A card of a model that does not exist."""
    return ModelCard.model_validate(
        {
            "schema": "card/1.0",
            "name": "tiny",
            "default": True,
            "classes": list(CLASSES),
            "files": [
                {
                    "path": "t.onnx", "sha256": "ab" * 32, "precision": "fp32",
                    "height": 384, "width": 640, "dynamic": True,
                }
            ],
            "input": {
                "layout": "NHWC", "dtype": "uint8", "colour": "RGB", "resize": "letterbox",
                "pad": 114,
            },
            "output": {
                "name": "detections", "shape": ["batch", 300, 6],
                "columns": ["x1", "y1", "x2", "y2", "score", "class"],
            },
            "thresholds": {name: {"raise": 0.5, "keep": 0.3} for name in CLASSES},
            "training": {"recipe": "0", "commit": "0", "data": []},
            "metrics": [],
            "limits": [],
        }
    )  # fmt: skip
