"""An issue is reported once more when a clip of it is ready."""

from dataclasses import replace

import pytest

from contract.messages import Reason
from edge_agent.issues import repeated, withdraw
from tests.edge_agent.street import Seen, Street

CART: Seen = ("street_vendor", (0.4, 0.5, 0.55, 0.7), 0.7)


def test_a_clip_that_comes_later_is_reported_with_the_issue_as_it_stands() -> None:
    street = Street()
    street.watch(10, [CART])
    raised = street.reports[-1]
    state, again = repeated(street.state, street.at, raised) or pytest.fail("it is open")
    assert (again.phase, again.revision, again.issue_id) == ("updated", 2, raised.issue_id)
    street.state = state
    street.watch(8)
    cleared = street.reports[-1]
    assert (cleared.phase, cleared.revision) == ("cleared", 3)
    state, again = repeated(street.state, street.at, cleared) or pytest.fail("it is remembered")
    assert again == replace(cleared, revision=4)
    street.state = state
    street.watch(10, [CART])
    assert (street.reports[-1].reopened, street.reports[-1].revision) == (True, 5)


def test_an_issue_that_is_not_known_any_more_is_not_reported_again() -> None:
    street = Street()
    street.watch(10, [CART])
    raised = street.reports[-1]
    left, _ = withdraw(street.state, street.at, Reason.SUPPRESSED, lambda _: True)
    assert repeated(left, street.at, raised) is None
    street.watch(8)
    assert repeated(street.state, street.at, raised) is None  # it was cleared by a later report
