"""A light agent for the fault lab: the real store and publisher, and issues out of a script.

Run as a process: `python simulated_agent.py FOLDER --agent N --port P --reports N --rate R`. What
it says depends on its arguments only, so that a killed agent goes on exactly where its store is:
the position in the script is the camera's state, committed with the reports. When things were seen
is of the script too, for it decides what is one case; `captured_at` is of the agent's clock, which
goes on and is stepped.

Agents 2m and 2m + 1 see the same problems from two sides, 1 m apart: one case each.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from uuid import UUID

from contract import messages
from contract.messages import AgentStatus, Command, IssueReport, Phase
from contract.topics import AgentAddress
from edge_agent.clock import Instant, boot_id
from edge_agent.config import Broker
from edge_agent.errors import StoreError
from edge_agent.publisher import Publisher
from edge_agent.store import Draft, Store

EXAMPLE = Path(messages.__file__).parent / "examples" / "issue-1.0-raised.json"
CITY, CAMERA = "lab", "cam-01"
T0 = datetime(2026, 7, 1, tzinfo=UTC)
LIFE = (Phase.RAISED, Phase.UPDATED, Phase.UPDATED, Phase.UPDATED, Phase.CLEARED)
AT_ONCE = 10  # issues that are open at the same time
REPORTS_MAX = 3  # of one commit
METRE_DEG = 1 / 111_195


@dataclass(frozen=True, slots=True)
class Script:
    """What agent `number` says, report by report."""

    number: int

    @property
    def agent_id(self) -> str:
        """Its name in topics."""
        return f"gw-{self.number}"

    def draft(self, index: int, captured_at: datetime) -> Draft:
        """Report `index`: ten issues are raised, updated three times and cleared, then the next."""
        block, inside = divmod(index, AT_ONCE * len(LIFE))
        revision, issue = inside // AT_ONCE + 1, block * AT_ONCE + inside % AT_ONCE
        first = T0 + timedelta(seconds=600 * block)
        seen = first + timedelta(seconds=10 * revision)
        changed = {
            "city": CITY,
            "agent_id": self.agent_id,
            "camera_id": CAMERA,
            "issue_id": UUID(int=(0x7 << 76) | (0x2 << 62) | (self.number << 32) | issue),
            "revision": revision,
            "phase": LIFE[revision - 1],
            "first_seen_at": first,
            "last_seen_at": seen,
            "captured_at": captured_at,
            "position": self._position(issue),
            "evidence": (),
            "cells": (),
        }
        return lambda outbox_id, seq: _example().model_copy(
            update=changed | {"outbox_id": outbox_id, "seq": seq}
        )

    def _position(self, issue: int) -> messages.Position:
        pair, side = divmod(self.number, 2)
        return messages.Position(
            lon=117 + 0.02 * pair,
            lat=32 + 0.001 * issue + side * METRE_DEG,
            error_m=1.0,
            method="homography",
        )


@cache
def _example() -> IssueReport:
    return IssueReport.model_validate(json.loads(EXAMPLE.read_text()))


def problems_of(reports: int) -> int:
    """How many issues a script of so many reports raises."""
    block, rest = divmod(reports, AT_ONCE * len(LIFE))
    return block * AT_ONCE + min(rest, AT_ONCE)


class SteppedClock:
    """The machine's clock, put off by as many seconds as a file says: the lab steps it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> Instant:
        """Return the moment that this agent believes in."""
        text = self._file.read_text() if self._file.exists() else ""
        step = timedelta(seconds=float(text or 0))
        return Instant(datetime.now(UTC) + step, time.monotonic(), boot_id())


class SimulatedAgent:
    """The reporting thread's work, and what the publisher asks of it."""

    def __init__(self, script: Script, store: Store, clock: SteppedClock) -> None:
        self._script = script
        self._store = store
        self._clock = clock
        self._since = clock.now().utc

    def status(self, state: Literal["online", "offline"]) -> AgentStatus:
        """Describe the agent as of now."""
        agent_id, outbox_id = self._script.agent_id, self._store.outbox_id
        return AgentStatus(
            city=CITY, agent_id=agent_id, state=state, since=self._since, version="lab",
            outbox_id=outbox_id,
        )  # fmt: skip

    def command(self, command: Command) -> None:
        """Ignore it."""

    def answers(self, limit: int) -> list[bytes]:  # noqa: ARG002  (the publisher asks so)
        """Have none."""
        return []

    def report(
        self, reports: int, rate: float, stop: threading.Event, publisher: Publisher
    ) -> None:
        """Commit what is still to be said, at `rate` a second; a full disk is waited for."""
        done = int(self._store.states().get(CAMERA, b"0"))
        while done < reports and not stop.is_set():
            count = min(done % REPORTS_MAX + 1, reports - done)
            now = self._clock.now().utc
            drafts = [self._script.draft(index, now) for index in range(done, done + count)]
            try:
                self._store.commit(CAMERA, str(done + count).encode(), drafts)
            except StoreError as error:
                say(error)
                stop.wait(0.1)
                continue
            done += count
            publisher.wake()
            stop.wait(count / rate)


def open_store(folder: Path, stop: threading.Event) -> Store:
    """Open it as the service manager would have the agent do: tried again while the disk is full."""
    while not stop.is_set():
        try:
            return Store(folder, 1_000_000_000, folder / "ledger.jsonl")
        except StoreError as error:
            say(error)
            stop.wait(0.1)
    sys.exit(0)


def publish(publisher: Publisher, stop: threading.Event) -> None:
    """Run the publisher as the agent's supervisor does: what dies is started again."""
    while not stop.is_set():
        try:
            publisher.run(stop)
        except StoreError as error:
            say(error)
            stop.wait(0.1)


def say(error: StoreError) -> None:
    """Log it; the disk that is full for the store is full for the log too."""
    with contextlib.suppress(OSError):
        print(error, file=sys.stderr, flush=True)  # noqa: T201  (its log)


def end_with(died: threading.ExceptHookArgs) -> None:
    """End the process when a thread of it dies, so that the lab sees it."""
    threading.__excepthook__(died)
    os._exit(70)


def main() -> None:
    """Report, publish, and wait for receipts until terminated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name, kind in (("agent", int), ("port", int), ("reports", int), ("rate", float)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    given = parser.parse_args()
    stop = threading.Event()
    threading.excepthook = end_with
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    script = Script(given.agent)
    store = open_store(given.folder, stop)
    clock = SteppedClock(given.folder / "step")
    agent = SimulatedAgent(script, store, clock)
    publisher = Publisher(
        AgentAddress(CITY, script.agent_id), Broker(port=given.port), store, clock, agent
    )
    thread = threading.Thread(target=publish, args=(publisher, stop))
    thread.start()
    agent.report(given.reports, given.rate, stop, publisher)
    stop.wait()
    publisher.wake()
    thread.join()
    store.close()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
