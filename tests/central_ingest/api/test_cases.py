"""Cases over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from contract.messages import IssueReport

MakeReport = Callable[..., IssueReport]


@pytest.fixture
def filed(centre: Any, report: MakeReport) -> None:
    for number in range(1, 6):
        centre.file(report(number, north_m=100 * number))


@pytest.mark.usefixtures("filed")
def test_pages_of_cases_follow_each_other(client: Any) -> None:
    first = client.get("/api/cases", params={"limit": 3}).json()
    assert [case["case_id"] for case in first["cases"]] == [5, 4, 3]
    rest = client.get("/api/cases", params={"limit": 3, "after": first["after"]}).json()
    assert [case["case_id"] for case in rest["cases"]] == [2, 1]
    assert rest["after"] is None


@pytest.mark.usefixtures("filed")
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=pending", 5),
        ("state=filed&state=closed", 0),
        ("category=street_vendor&presence=present", 5),
        ("category=bin_overflow", 0),
        ("cell=340302001001001", 5),
        ("cell=340302001001009", 0),
    ],
)
def test_filters_choose(client: Any, query: str, count: int) -> None:
    assert len(client.get(f"/api/cases?{query}").json()["cases"]) == count


@pytest.mark.parametrize(
    "query", ["category=ufo", "state=x", "limit=0", "limit=100000", "after=-1", "cell=abc"]
)
def test_a_wrong_filter_is_refused(client: Any, query: str) -> None:
    assert client.get(f"/api/cases?{query}").status_code == 422


@pytest.mark.usefixtures("filed")
def test_a_case_shows_everything_about_it(client: Any) -> None:
    case = client.get("/api/cases/1").json()
    assert case["summary"]["number"] == "SP2026070100001"
    assert case["sightings"][0]["linked_because"].startswith("新案卷：附近没有在办案卷")
    assert case["actions"] == ["confirm", "reject", "void"]


@pytest.mark.usefixtures("filed")
def test_a_case_tells_what_agents_reported_word_for_word(
    client: Any, centre: Any, report: MakeReport
) -> None:
    centre.file(report(1, revision=2, phase="cleared"))
    told = client.get("/api/cases/1/reports").json()["reports"]
    assert [(one["issue_id"], one["revision"], one["phase"]) for one in told] == [
        (str(report(1).issue_id), 1, "raised"),
        (str(report(1).issue_id), 2, "cleared"),
    ]
    assert client.get("/api/cases/99/reports").status_code == 404


@pytest.mark.usefixtures("filed")
def test_a_decision_is_stored_with_its_actor(client: Any) -> None:
    step = {"action": "reject", "reason": "不是占道 not a vendor"}
    assert client.post("/api/cases/1/decisions", json=step).json()["state"] == "rejected"
    (made,) = client.get("/api/cases/1").json()["decisions"]
    assert (made["who"], made["reason"]) == ("local", "不是占道 not a vendor")


@pytest.mark.usefixtures("filed")
@pytest.mark.parametrize(
    ("path", "step", "status", "detail"),
    [
        ("/api/cases/1/decisions", {"action": "reject"}, 422, "needs a reason"),
        ("/api/cases/1/decisions", {"action": "close"}, 409, "possible are: confirm"),
        ("/api/cases/77/decisions", {"action": "confirm"}, 404, "there is no case 77"),
    ],
)
def test_a_step_that_cannot_be_is_refused_with_the_reason(
    client: Any, path: str, step: dict[str, str], status: int, detail: str
) -> None:
    answer = client.post(path, json=step)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


def test_a_case_that_is_not_there_is_404(client: Any) -> None:
    assert client.get("/api/cases/1").status_code == 404
    assert client.get(f"/api/cases/{2**80}").status_code == 404


def test_the_api_describes_itself_without_the_internet(client: Any) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/cases", "/api/cases/{case_id}", "/evidence/{sha256}", "/healthz"} <= set(paths)
    assert client.get("/redoc").status_code == 404
