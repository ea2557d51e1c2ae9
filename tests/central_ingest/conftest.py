"""Reports made from the golden example, and a migrated database in a folder of its own."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from postgres import Postgres, PostgresMissing, cluster
from sqlalchemy import text

from central_ingest.intake import Delivery, Readable, Unreadable, read
from central_ingest.store.database import Engine, migrate, open_engine
from contract import messages
from contract.messages import IssueReport, encode

EXAMPLES = Path(messages.__file__).parent / "examples"
NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
MakeReport = Callable[..., IssueReport]
MakeMessage = Callable[..., Readable | Unreadable]


def issue_id(number: int) -> str:
    return str(UUID(f"01980000-1111-7000-8000-{number:012x}"))


def body_of(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The golden report as issue `number`; `at` moves it by metres north, `after_s` in time."""
    body: dict[str, Any] = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text())
    north_m, after_s = changes.pop("north_m", 0.0), changes.pop("after_s", 0.0)
    body |= {"issue_id": issue_id(number), "seq": number}
    for key in ("first_seen_at", "last_seen_at", "captured_at"):
        moved = datetime.fromisoformat(body[key]) + timedelta(seconds=after_s)
        body[key] = messages.format_utc(moved)
    body["position"]["lat"] += north_m / 111_195
    body["position"] |= changes.pop("position", {})
    if "category" in changes:
        changes["family"] = {"street": "vendor", "bin": "bin", "exposed": "garbage"}.get(
            changes["category"].split("_")[0], "cover"
        )
    return body | changes


@pytest.fixture
def other_group() -> int:
    """A group to which we may give files, and which new files do not get by themselves."""
    if os.geteuid() == 0:
        return 4242
    groups = [group for group in os.getgroups() if group != os.getegid()]
    if not groups:
        pytest.skip("this user is in one group only: no other one to give files to")
    return groups[0]


@pytest.fixture
def report() -> MakeReport:
    return lambda *numbers, **changes: IssueReport.model_validate(body_of(*numbers, **changes))


@pytest.fixture
def message() -> MakeMessage:
    def make(*numbers: int, agent: str = "gw-01", **changes: Any) -> Readable | Unreadable:
        made = IssueReport.model_validate(body_of(*numbers, **{"agent_id": agent} | changes))
        topic = f"gridwatch/1/demo/{agent}/issue"
        return read(Delivery(topic, encode(made)), 1 << 18)

    return make


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of this version, made once."""
    path = tmp_path_factory.mktemp("migrated") / "centre.db"
    opened = open_engine(f"sqlite:///{path}")
    migrate(opened)
    opened.dispose()
    return path


@pytest.fixture
def engine(tmp_path: Path, migrated: Path) -> Iterator[Engine]:
    """A SQLite file of its own; or the empty PostgreSQL that GRIDWATCH_TEST_DATABASE names."""
    if url := os.environ.get("GRIDWATCH_TEST_DATABASE"):
        opened = open_engine(url)
        with opened.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        migrate(opened)
    else:
        path = tmp_path / "centre.db"
        shutil.copy(migrated, path)
        opened = open_engine(f"sqlite:///{path}")
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def lazy_server() -> Iterator[Postgres]:
    """A PostgreSQL that may be killed; by itself it writes its log after ten seconds only."""
    try:
        with cluster({"wal_writer_delay": "10s"}) as made:
            yield made
    except PostgresMissing as error:
        pytest.skip(str(error))
