"""A centre's database filled through the store, and the sample values of the rendering tests."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from jinja2 import Environment

from central_ingest.app import create_app, make_deps
from central_ingest.cases import CaseState, Presence, allowed_actions
from central_ingest.config import Settings
from central_ingest.dedup import Place
from central_ingest.grid import lattice
from central_ingest.pages.rendering import make_environment
from central_ingest.store import database, filing, pictures
from central_ingest.store.cells import GridSource, import_cells
from central_ingest.store.views import (
    CaseDetail,
    CaseSummary,
    DecisionView,
    EvidenceView,
    SightingView,
)
from contract.catalogue import Category
from contract.messages import IssueReport, Phase, Severity

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
CENTRE = Place(117.3601, 32.9302, 0.0)
EXAMPLES = Path(__file__).parents[3] / "contract" / "examples"


@dataclass
class Seeder:
    """Fills a centre as ingest and uploads do: reports and pictures through the store."""

    engine: database.Engine
    folder: Path
    count: int = 0

    def file(self, **changes: Any) -> UUID:
        """File one report: the golden example with `changes`; returns its issue."""
        self.count += 1
        body = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text(encoding="utf-8"))
        body |= {
            "seq": self.count,
            "issue_id": str(UUID(int=0x0198_0000_0000_7000_8000_0000_0000_0000 + self.count)),
            "evidence": [],
            "cells": [],
        }
        report = IssueReport.model_validate(body | changes)
        with database.writing(self.engine) as connection:
            filing.file_report(
                connection,
                report,
                report.model_dump_json(by_alias=True).encode(),
                filing.FilingRules(),
                datetime.now(UTC),
            )
        return report.issue_id

    def see(self, category: Category, place: Place = CENTRE, **changes: Any) -> UUID:
        """File a sighting of this category at this place, seen just now."""
        now = datetime.now(UTC)
        times = dict.fromkeys(("first_seen_at", "last_seen_at", "captured_at"), now)
        values: dict[str, Any] = {
            **times,
            "category": category.value,
            "family": category.family.value,
            "position": {
                "lon": place.lon,
                "lat": place.lat,
                "error_m": place.error_m or 1.2,
                "method": "homography",
            },
        }
        return self.file(**values | changes)

    def name_picture(self, content: bytes, kind: str = "still_marked") -> dict[str, Any]:
        """The reference by which a report names this picture or clip."""
        sha256, media_type = hashlib.sha256(content).hexdigest(), _media_type(content)
        return {"sha256": sha256, "kind": kind, "media_type": media_type, "bytes": len(content)}

    def store_picture(self, content: bytes) -> str:
        """Let the picture's bytes arrive."""
        named = self.name_picture(content)
        sha256 = str(named["sha256"])
        path = self.folder / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        with database.writing(self.engine) as connection:
            picture = pictures.Picture(sha256, _media_type(content), len(content))
            pictures.note_stored(connection, picture, "gw-01", datetime.now(UTC))
        return sha256

    def lay_grid(self) -> None:
        """Import a lattice of 7 × 7 cells around the centre."""
        source = GridSource("test-1", "test", hashlib.sha256(b"test-1").hexdigest())
        with database.writing(self.engine) as connection:
            import_cells(connection, source, lattice(CENTRE, 7, 7), datetime.now(UTC))


def _media_type(content: bytes) -> str:
    return "video/mp4" if content[4:8] == b"ftyp" else "image/jpeg"


@pytest.fixture
def seeder(tmp_path: Path) -> Iterator[Seeder]:
    engine = database.open_engine(f"sqlite:///{tmp_path / 'centre.db'}")
    database.migrate(engine)
    yield Seeder(engine, tmp_path / "evidence")
    engine.dispose()


@dataclass
class Centre:
    """The centre as its composition root builds it: open, since nobody is configured."""

    app: FastAPI
    stopping: threading.Event


@pytest.fixture
def centre(seeder: Seeder, tmp_path: Path) -> Centre:
    deps, authenticator = make_deps(Settings(data=tmp_path), seeder.engine)
    return Centre(create_app(deps, authenticator), deps.stopping)


@dataclass
class Served:
    """The app on a real port of this machine, which stays the same over restarts."""

    centre: Centre
    port: int = 0
    server: uvicorn.Server | None = None
    thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; who asks waits from now on, however long the server takes to begin."""
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self.centre.stopping.clear()
        config = uvicorn.Config(self.centre.app, log_level="warning", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        self.thread.start()

    def stop(self) -> None:
        """End every stream, then the server."""
        self.centre.stopping.set()
        assert self.server is not None
        assert self.thread is not None
        self.server.should_exit = True
        self.thread.join(timeout=20)
        assert not self.thread.is_alive()


@pytest.fixture
def served(centre: Centre) -> Iterator[Served]:
    served = Served(centre)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def browser(served: Served) -> Iterator[httpx.Client]:
    """A browser without scripts."""
    with httpx.Client(base_url=served.address, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def environment() -> Environment:
    return make_environment()


STILL = EvidenceView("e" * 64, "still_marked", "image/jpeg", 81234, "present")

SUMMARY = CaseSummary(
    case_id=7,
    number="SP2026112100007",
    category=Category.STREET_VENDOR,
    family=Category.STREET_VENDOR.family,
    severity=Severity.NORMAL,
    state=CaseState.PENDING,
    presence=Presence.PRESENT,
    cell_code="340302001001001",
    grid_version="2026-07",
    cell_official=True,
    lon=117.360112,
    lat=32.930205,
    error_m=1.1,
    opened_at=NOW - timedelta(minutes=4),
    first_seen_at=NOW - timedelta(minutes=5),
    last_seen_at=NOW - timedelta(minutes=3),
    deadline_at=None,
    sighting_count=1,
    cameras=("cam-01",),
    still=STILL,
    updated_at=NOW,
)

SIGHTING = SightingView(
    issue_id=UUID(int=1),
    agent_id="gw-01",
    camera_id="cam-01",
    phase=Phase.RAISED,
    category=Category.STREET_VENDOR,
    revision=1,
    first_seen_at=NOW - timedelta(minutes=5),
    last_seen_at=NOW - timedelta(minutes=3),
    lon=117.360112,
    lat=32.930205,
    error_m=1.1,
    box_xyxyn=(0.16, 0.64, 0.3, 0.82),
    score=0.87,
    model_name="gridwatch-n",
    model_sha256="a" * 64,
    evidence=(STILL,),
    linked_because="no open vendor case within 4.0 m",
)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def summary() -> CaseSummary:
    return SUMMARY


@pytest.fixture
def sighting() -> SightingView:
    return SIGHTING


class MakeDetail(Protocol):
    def __call__(
        self,
        summary: CaseSummary = ...,
        sightings: tuple[SightingView, ...] = ...,
        decisions: tuple[DecisionView, ...] = ...,
    ) -> CaseDetail: ...


@pytest.fixture
def make_detail() -> MakeDetail:
    def make(
        summary: CaseSummary = SUMMARY,
        sightings: tuple[SightingView, ...] = (SIGHTING,),
        decisions: tuple[DecisionView, ...] = (),
    ) -> CaseDetail:
        return CaseDetail(summary, sightings, decisions, (), allowed_actions(summary.state))

    return make
