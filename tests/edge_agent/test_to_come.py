"""What stills a camera's reports owe survives a restart, beside the issues it belongs to."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from contract.catalogue import Category, Family
from contract.messages import Phase, Reason, Severity
from edge_agent.errors import StoreError
from edge_agent.issue_state import CameraIssues
from edge_agent.issues import Tally, Transition
from edge_agent.to_come import ISSUES_MAX, ToCome, paid, reported, saved_in, saved_with

ISSUE = UUID(int=7)
AT = datetime(2026, 7, 1, 8, 0, 0, 123456, tzinfo=UTC)
RAISED = Transition(
    phase=Phase.RAISED, reason=None, reopened=False, issue_id=ISSUE, revision=1,
    family=Family.VENDOR, category=Category.STREET_VENDOR, severity=Severity.NORMAL,
    first_seen_at=AT, last_seen_at=AT, captured_at=AT,
    box_xyxyn=(0.4, 0.4, 0.6, 0.8), score=0.9, support=Tally(10, 12, 6.5),
)  # fmt: skip
UPDATED = replace(RAISED, phase=Phase.UPDATED, revision=2)
CLEARED = replace(RAISED, phase=Phase.CLEARED, revision=3)
WITHDRAWN = replace(RAISED, phase=Phase.WITHDRAWN, reason=Reason.SUPPRESSED, revision=3)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([RAISED], {ISSUE: ToCome(RAISED, "raised")}),
        # An update is the newer word on the issue, and owes nothing of its own.
        ([RAISED, UPDATED], {ISSUE: ToCome(UPDATED, "raised")}),
        ([UPDATED], {}),
        # What has gone cannot be shown any more; that it has gone, can.
        ([RAISED, CLEARED], {ISSUE: ToCome(CLEARED, "cleared")}),
        ([RAISED, WITHDRAWN], {}),
    ],
)
def test_each_report_that_can_be_seen_owes_its_still(
    told: list[Transition], left: dict[UUID, ToCome]
) -> None:
    assert reported({}, told) == left


def test_what_was_made_is_owed_no_more_and_an_older_moment_strikes_nothing_off() -> None:
    owed = reported({}, [RAISED, CLEARED])
    assert paid(owed, ISSUE, "raised") == owed
    assert paid(owed, ISSUE, "cleared") == {ISSUE: ToCome(CLEARED, None)}
    assert paid({}, ISSUE, "cleared") == {}


def test_a_flood_of_issues_shows_the_newest() -> None:
    many = [replace(RAISED, issue_id=UUID(int=number)) for number in range(ISSUES_MAX + 5)]
    assert list(reported({}, many)) == [UUID(int=number) for number in range(5, ISSUES_MAX + 5)]


def test_what_is_owed_is_read_back_as_it_was_beside_the_issues() -> None:
    issues = CameraIssues("cam-01")
    owed = reported({}, [RAISED, replace(CLEARED, issue_id=UUID(int=8))])
    saved = saved_with(issues.to_json(), owed)
    assert saved_in(saved) == owed
    assert CameraIssues.from_json(saved) == issues


def test_where_nothing_is_owed_the_saved_issues_stay_as_they_are() -> None:
    issues = CameraIssues("cam-01").to_json()
    assert saved_with(issues, {ISSUE: ToCome(RAISED, None)}) == issues
    assert saved_in(issues) == {}


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        saved_in(b'{"to_come": [{"last": 3}]}')
