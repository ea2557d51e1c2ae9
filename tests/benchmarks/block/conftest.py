import pytest

from benchmarks.block.script import Day, load_day


@pytest.fixture(scope="session")
def day() -> Day:
    return load_day()
