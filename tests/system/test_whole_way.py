"""From a street video to a case through real processes, killed in the middle (promises 1 to 6)."""

import sqlite3
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from site_processes import Site, wait_for

from edge_agent.ledger import standing

pytestmark = [pytest.mark.system, pytest.mark.timeout(420)]

Report = tuple[UUID, int]


def ledger(site: Site) -> set[Report]:
    """What the agent wrote down before it stored it."""
    return standing(site.ledger)


def cases_of_reports(database: Path) -> Counter[Report]:
    """In how many cases each report is that the centre holds."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT report.issue_id, report.revision FROM report"
            " JOIN sighting USING (issue_id) JOIN 'case' USING (case_id)"
        ).fetchall()
    return Counter((UUID(issue_id), revision) for issue_id, revision in rows)


def grows_by(site: Site, count: int) -> None:
    """Wait until the agent has written so many more reports."""
    before = len(ledger(site))
    wait_for(lambda: len(ledger(site)) >= before + count, f"{count} more reports", 120)


def test_a_clip_becomes_a_case_with_its_masked_picture(site: Site) -> None:
    site.start("broker", "rtsp", "centre", "agent")
    wait_for(lambda: bool(site.get("/api/cases").json()["cases"]), "a case", 120)
    case = site.get("/api/cases").json()["cases"][0]

    def picture_is_there() -> bool:
        detail = site.get(f"/api/cases/{case['case_id']}").json()
        return any(e["state"] == "present" for s in detail["sightings"] for e in s["evidence"])

    wait_for(picture_is_there, "the picture of the case")
    detail = site.get(f"/api/cases/{case['case_id']}").json()
    still = next(e for s in detail["sightings"] for e in s["evidence"] if e["state"] == "present")
    answer = site.get(f"/evidence/{still['sha256']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert len(answer.content) == still["bytes"]
    assert case["state"] == "pending"
    assert site.stop("agent") == 0
    assert site.stop("centre") == 0


def test_killing_every_process_in_the_middle_loses_no_report_and_doubles_no_case(
    site: Site,
) -> None:
    site.start("broker", "rtsp", "centre", "agent")
    grows_by(site, 6)

    site.kill("centre")  # reports now wait in the broker …
    grows_by(site, 6)
    site.kill("broker")  # … which loses what it had not yet written
    grows_by(site, 6)
    site.start("broker")
    grows_by(site, 4)
    site.start("centre")
    grows_by(site, 4)
    site.kill("agent")  # in the middle of looking, storing and sending
    site.start("agent")
    grows_by(site, 6)
    site.kill("centre")
    site.start("centre")
    grows_by(site, 4)
    site.kill("rtsp")  # the cameras fall silent: what was reported must still arrive

    wait_for(
        lambda: ledger(site) <= set(cases_of_reports(site.database)), "every report in a case", 150
    )
    held = cases_of_reports(site.database)
    assert {report: n for report, n in held.items() if n != 1} == {}
