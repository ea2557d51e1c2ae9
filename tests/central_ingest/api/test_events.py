"""Server-sent events: from the last one seen, in order, until told to stop."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import Request

from central_ingest.api import events
from central_ingest.api.events import stream, write_event
from central_ingest.store.access import LOCAL, Actor
from central_ingest.store.views import Change
from contract.messages import IssueReport


@dataclass
class Listener:
    """Takes what a stream yields, then leaves."""

    takes: int
    heard: list[str] = field(default_factory=list)

    async def is_disconnected(self) -> bool:
        return len(self.heard) >= self.takes


@dataclass
class FewDeps:
    engine: Any
    stopping: threading.Event = field(default_factory=threading.Event)

    def actor(self, _request: Request) -> Actor:
        return LOCAL


def listen(deps: Any, seen: int, takes: int) -> str:
    listener = Listener(takes)

    async def run() -> None:
        async for text in stream(deps, listener, seen):  # type: ignore[arg-type]
            listener.heard.append(text)

    asyncio.run(run())
    return "".join(listener.heard)


@pytest.fixture
def deps(centre: Any, report: Callable[..., IssueReport]) -> FewDeps:
    for number in (1, 2, 3):
        centre.file(report(number, north_m=100 * number))
    return FewDeps(centre.engine)


def test_an_event_has_id_name_and_data(centre: Any) -> None:
    lines = write_event(Change(7, 3, "opened", centre.clock.now)).splitlines()
    assert lines[:2] == ["id: 7", "event: case"]
    assert json.loads(lines[2].removeprefix("data: ")) == {
        "case_id": 3,
        "kind": "opened",
        "at": "2026-07-01T08:30:10.000Z",
    }


def test_what_came_after_the_last_event_seen_is_told_in_order(deps: FewDeps) -> None:
    text = listen(deps, seen=1, takes=2)
    assert [line for line in text.splitlines() if line.startswith("id:")] == ["id: 2", "id: 3"]


def test_silence_is_filled_so_that_proxies_keep_the_line(
    deps: FewDeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SILENCE_S", 0.0)
    assert listen(deps, seen=3, takes=2).endswith(": still here\n\n")


def test_a_server_that_stops_ends_the_stream(deps: FewDeps) -> None:
    deps.stopping.set()
    assert "event:" not in listen(deps, seen=0, takes=1)


def test_a_browser_is_told_to_come_back_at_once(deps: FewDeps) -> None:
    assert listen(deps, seen=3, takes=1).startswith("retry: 1000\n\n")


@pytest.mark.parametrize(
    ("header", "start"),
    [(None, 3), (b"1", 1), (b"4", 3), (b"x", 3), (b"9" * 5000, 3), ("²".encode(), 3)],
)
def test_without_a_usable_last_event_the_newest_is_the_start(
    deps: FewDeps, header: bytes | None, start: int
) -> None:
    headers = [] if header is None else [(b"last-event-id", header)]
    request = Request({"type": "http", "headers": headers})

    assert events._start(deps, request) == start  # type: ignore[arg-type]
