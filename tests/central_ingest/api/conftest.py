"""A centre without pages, asked in process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from central_ingest.api import auth
from central_ingest.api.deps import Deps
from central_ingest.app import create_app
from central_ingest.config import HttpSettings
from central_ingest.evidence import EvidenceStore
from central_ingest.store import access
from central_ingest.store.access import Actor, Role
from central_ingest.store.database import Engine, writing
from central_ingest.store.filing import FilingRules, file_report
from contract.messages import IssueReport, encode


class Asker:
    """Asks an application in process, one request after the other."""

    def __init__(self, app: FastAPI) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def ask(self, method: str, url: str, **told: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, url, **told))

    get = partialmethod(ask, "GET")
    head = partialmethod(ask, "HEAD")
    put = partialmethod(ask, "PUT")
    post = partialmethod(ask, "POST")
    delete = partialmethod(ask, "DELETE")


@dataclass
class Clock:
    now: datetime = field(default=datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass
class Centre:
    engine: Engine
    folder: Path
    clock: Clock

    def client(self, **http: object) -> Asker:
        return Asker(self.app(**http))

    def app(self, **http: object) -> FastAPI:
        settings = HttpSettings.model_validate(http)
        authenticator = auth.Authenticator(self.engine, settings, self.clock)
        deps = Deps(
            engine=self.engine,
            settings=settings,
            actor=authenticator.actor,
            now=self.clock,
            evidence=EvidenceStore(self.folder / "evidence", 1_000_000),
            stopping=threading.Event(),
        )
        return create_app(deps, authenticator, with_pages=False)

    def add_user(self, name: str, role: Role, password: str = "correct horse") -> None:
        with writing(self.engine) as connection:
            access.put_user(connection, Actor(name, role), password, self.clock())

    def token(self, name: str, role: Role) -> dict[str, str]:
        with writing(self.engine) as connection:
            secret = access.issue_token(connection, Actor(name, role), self.clock())
        return {"Authorization": f"Bearer {secret}"}

    def file(self, report: IssueReport) -> None:
        with writing(self.engine) as connection:
            file_report(connection, report, encode(report), FilingRules(), self.clock())


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose; not here."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("central_ingest.store.access._HASHER", hasher)


@pytest.fixture
def centre(engine: Engine, tmp_path: Path) -> Centre:
    return Centre(engine, tmp_path, Clock())


@pytest.fixture
def client(centre: Centre) -> Iterator[Asker]:
    with centre.client() as made:
        yield made


MakeReport = Callable[..., IssueReport]
