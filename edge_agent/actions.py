"""Actions on the spot: a webhook or a local program, when an issue is raised.

Only the agent's own file names actions: no command of the centre can. They run in a thread of
their own behind a bounded queue; one that hangs, fails or comes too often is counted, and delays
no report.
"""

import logging
import os
import queue
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from contract.messages import IssueReport, encode
from edge_agent.action_config import Action, Webhook
from edge_agent.addresses import redacted
from edge_agent.clock import Clock, Instant
from edge_agent.errors import ActionFailed
from edge_agent.yaml_file import resolve_secrets

log = logging.getLogger(__name__)

WAITING_MAX = 32
# What a program is given of the agent's environment: no secrets.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "HOME", "XDG_RUNTIME_DIR")
SAID_MAX = 200


@dataclass(slots=True)
class ActionCounts:
    """What became of the actions that were due since the agent started."""

    done: int = 0
    failed: int = 0
    skipped: int = 0


class Actions:
    """Takes committed reports from the judge, and acts on them; `run` is its thread."""

    def __init__(self, actions: tuple[Action, ...], clock: Clock) -> None:
        self._actions = actions
        self._clock = clock
        self._due: queue.Queue[tuple[Action, IssueReport]] = queue.Queue(WAITING_MAX)
        self._last: dict[tuple[str, str], Instant] = {}
        self.counts = ActionCounts()

    def offer(self, report: IssueReport) -> None:
        """Let the actions that a report calls for wait; returns at once.

        An action that was due for this camera less than its `every_s` ago, or that finds the queue
        full, is skipped.
        """
        for action in self._actions:
            if not _calls_for(action, report):
                continue
            key, now = (action.id, report.camera_id), self._clock.now()
            last = self._last.get(key)
            if last is not None and now.seconds_since(last) < action.every_s:
                self.counts.skipped += 1
                continue
            try:
                self._due.put_nowait((action, report))
                self._last[key] = now
            except queue.Full:
                self.counts.skipped += 1

    def run(self, stop: threading.Event) -> None:
        """Act until `stop`."""
        while not stop.is_set():
            try:
                action, report = self._due.get(timeout=0.2)
            except queue.Empty:
                continue
            self.act(action, report)

    def act(self, action: Action, report: IssueReport) -> None:
        """Do one action now, and count how it went."""
        try:
            if action.command is not None:
                _run(action, report)
            elif action.webhook is not None:
                _call(action, action.webhook, report)
        except ActionFailed as error:
            self.counts.failed += 1
            log.warning("%s", error)
        else:
            self.counts.done += 1
            log.info("action %s: done for camera %s", action.id, report.camera_id)


def _calls_for(action: Action, report: IssueReport) -> bool:
    return (
        report.phase in action.on
        and (not action.categories or report.category in action.categories)
        and (not action.cameras or report.camera_id in action.cameras)
    )


def _run(action: Action, report: IssueReport) -> None:
    """Run the program with the report on its standard input. Raises ActionFailed."""
    argv = list(action.command or ())
    try:
        done = subprocess.run(  # noqa: S603 -- argv of the operator's own file, no shell
            argv,
            input=encode(report),
            env=environment(os.environ, report),
            capture_output=True,
            timeout=action.timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ActionFailed(
            f"action {action.id}: {argv[0]} did not end within {action.timeout_s:g} s"
        ) from None
    except OSError as error:
        raise ActionFailed(f"action {action.id}: {argv[0]}: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-SAID_MAX:]
        raise ActionFailed(
            f"action {action.id}: {argv[0]} ended with {done.returncode}"
            + (f", saying: {said}" if said else "")
        )


def environment(own: Mapping[str, str], report: IssueReport) -> dict[str, str]:
    """What a program is given: a few names of ours, and the report's main facts."""
    return {name: own[name] for name in PASSED_ON if name in own} | {
        "GRIDWATCH_CAMERA": report.camera_id,
        "GRIDWATCH_CATEGORY": report.category,
        "GRIDWATCH_PHASE": report.phase,
        "GRIDWATCH_ISSUE": str(report.issue_id),
    }


def _call(action: Action, webhook: Webhook, report: IssueReport) -> None:
    """Post the report as JSON. Raises ActionFailed."""
    owner = f"action {action.id}"
    url = resolve_secrets(webhook.url, owner)
    headers = {"content-type": "application/json"}
    if webhook.token is not None:
        headers["authorization"] = f"Bearer {resolve_secrets(webhook.token, owner)}"
    try:
        answer = httpx.post(url, content=encode(report), headers=headers, timeout=action.timeout_s)
    except httpx.HTTPError as error:
        raise ActionFailed(f"{owner}: {redacted(url)}: {type(error).__name__}") from None
    if not answer.is_success:
        raise ActionFailed(f"{owner}: {redacted(url)} answered {answer.status_code}")
