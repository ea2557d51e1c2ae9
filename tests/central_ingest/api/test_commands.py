"""Suppressions and commands over HTTP."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from contract.messages import IssueReport

MakeReport = Callable[..., IssueReport]


@pytest.fixture
def rejected(centre: Any, client: Any, report: MakeReport) -> None:
    centre.file(report(1))
    step = {"action": "reject", "reason": "a shop's own shelf", "reason_code": "not_an_issue"}
    assert client.post("/api/cases/1/decisions", json=step).status_code == 200


@pytest.mark.usefixtures("rejected")
def test_a_rejection_as_no_issue_is_listed_and_can_be_revoked(client: Any) -> None:
    (held,) = client.get("/api/suppressions").json()
    assert (held["camera_id"], held["category"]) == ("cam-01", "street_vendor")
    address = f"/api/suppressions/{held['suppression_id']}"
    assert client.delete(address).status_code == 204
    assert client.get("/api/suppressions").json() == []
    assert client.delete(address).status_code == 404


def test_an_unknown_reason_code_is_refused(client: Any, centre: Any, report: MakeReport) -> None:
    centre.file(report(1))
    step = {"action": "reject", "reason": "x", "reason_code": "because"}
    assert client.post("/api/cases/1/decisions", json=step).status_code == 422


def test_a_recheck_is_asked_for_and_its_answer_read(client: Any) -> None:
    wanted = {"city": "demo", "agent_id": "gw-01", "kind": "recheck", "camera_id": "cam-01"}
    asked = client.post("/api/commands", json=wanted)
    assert asked.status_code == 202
    found = client.get(f"/api/commands/{asked.json()['command_id']}").json()
    assert (found["kind"], found["ok"], found["answered_at"]) == ("recheck", None, None)
    assert client.get(f"/api/commands/{uuid4()}").status_code == 404


@pytest.mark.parametrize("kind", ["suppress", "unsuppress", "exec"])
def test_other_kinds_of_commands_cannot_be_asked_for(client: Any, kind: str) -> None:
    wanted = {"city": "demo", "agent_id": "gw-01", "kind": kind, "camera_id": "cam-01"}
    assert client.post("/api/commands", json=wanted).status_code == 422
