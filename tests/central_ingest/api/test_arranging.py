"""Merges, splits and answers over HTTP: for officers, with words where they cannot be."""

from collections.abc import Callable
from typing import Any

import pytest

from central_ingest.store.access import Role
from contract.messages import IssueReport


@pytest.fixture
def two(centre: Any, report: Callable[..., IssueReport]) -> list[str]:
    """Two cases far apart; the first has two sightings."""
    told = [
        report(number, camera_id=f"cam-{number}", north_m=north_m)
        for number, north_m in enumerate((0.0, 1.0, 50.0), start=1)
    ]
    for one in told:
        centre.file(one)
    return [str(one.issue_id) for one in told]


def test_a_merge_a_split_and_their_history(client: Any, two: list[str]) -> None:
    merged = client.post("/api/cases/2/merge", json={"into": 1, "reason": "同一处"})
    assert (merged.status_code, merged.json()["sighting_count"]) == (200, 3)
    gone = client.get("/api/cases/2").json()
    assert (gone["summary"]["state"], gone["merged_into"]["case_id"]) == ("void", 1)
    split = client.post("/api/cases/1/split", json={"issue_ids": [two[2]], "reason": "两处"})
    assert (split.status_code, split.json()["sighting_count"]) == (200, 1)
    actions = [made["action"] for made in client.get("/api/cases/1").json()["decisions"]]
    assert actions == ["merge", "split"]


@pytest.mark.parametrize(
    ("url", "body", "status"),
    [
        ("/api/cases/1/merge", {"into": 1}, 409),
        ("/api/cases/1/merge", {"into": 9}, 404),
        ("/api/cases/1/merge", {"into": -1}, 422),
        ("/api/cases/2/merge", {"into": True}, 422),
        ("/api/cases/2/merge", {"into": 1, "resaon": "同一处"}, 422),
        ("/api/cases/1/split", {"issue_ids": [], "reason": "x"}, 422),
        ("/api/cases/1/split", {"issue_ids": ["01980000-1111-7000-8000-000000000001"], "reason": " "}, 422),
        ("/api/cases/2/split", {"issue_ids": ["01980000-1111-7000-8000-000000000003"], "reason": "x"}, 409),
        ("/api/proposals/7", {"accept": True}, 404),
        (f"/api/proposals/{2**70}", {"accept": True}, 404),
        (f"/api/cases/{2**70}/merge", {"into": 1}, 404),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(
    client: Any, two: list[str], url: str, body: dict[str, Any], status: int
) -> None:
    answer = client.post(url, json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_reader_arranges_nothing(centre: Any, client: Any, two: list[str]) -> None:
    told = centre.token("desk", Role.READER)
    answer = client.post("/api/cases/2/merge", json={"into": 1}, headers=told)
    assert answer.status_code == 403
