"""What all tests share: seeded hypothesis, a real PostgreSQL, other people's pictures."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
