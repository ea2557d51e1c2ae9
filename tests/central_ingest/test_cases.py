"""Case states: what people may do, and that reports never do it."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_ingest.cases import (
    ACTIONS,
    OPEN_STATES,
    CaseState,
    Presence,
    allowed_actions,
    next_state,
    presence_of,
)
from central_ingest.errors import IllegalStep, ReasonMissing, StepError
from contract.messages import Phase


def test_the_closed_loop_leads_from_pending_to_closed() -> None:
    state = CaseState.PENDING
    for action in ("confirm", "dispatch", "accept", "handle", "verify", "close"):
        state = next_state(state, action, None)
    assert state is CaseState.CLOSED


@pytest.mark.parametrize("reason", [None, "", "   \n"])
def test_a_rejection_without_a_reason_is_refused(reason: str | None) -> None:
    with pytest.raises(ReasonMissing, match="'reject' needs a reason"):
        next_state(CaseState.PENDING, "reject", reason)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (CaseState.FILED, "confirm"),  # twice
        (CaseState.CLOSED, "reject"),  # after the end
        (CaseState.PENDING, "close"),  # past all steps
        (CaseState.PENDING, "delete"),  # no such step
    ],
)
def test_a_step_out_of_order_is_refused_with_those_that_are_possible(
    state: CaseState, action: str
) -> None:
    with pytest.raises(IllegalStep, match="possible are: ") as caught:
        next_state(state, action, "because")
    assert all(allowed in str(caught.value) for allowed in allowed_actions(state))


@pytest.mark.parametrize(("state", "action"), list(product(CaseState, ACTIONS)))
def test_exactly_the_allowed_steps_succeed(state: CaseState, action: str) -> None:
    if action in allowed_actions(state):
        assert next_state(state, action, "because") in CaseState
    else:
        with pytest.raises(StepError):
            next_state(state, action, "because")


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_open_case_can_be_voided(state: CaseState) -> None:
    assert next_state(state, "void", "a mistake") is CaseState.VOID


@pytest.mark.parametrize(
    ("phases", "presence"),
    [
        ([Phase.RAISED], Presence.PRESENT),
        ([Phase.UPDATED, Phase.CLEARED], Presence.PRESENT),  # one camera still sees it
        ([Phase.CLEARED, Phase.CLEARED], Presence.GONE),
        ([Phase.CLEARED, Phase.WITHDRAWN], Presence.GONE),  # the one that looks has cleared it
        ([Phase.WITHDRAWN], Presence.UNKNOWN),
        ([], Presence.UNKNOWN),
    ],
)
def test_presence_is_what_those_that_still_look_say(
    phases: list[Phase], presence: Presence
) -> None:
    assert presence_of(phases) is presence


@given(st.lists(st.sampled_from(Phase)))
def test_the_order_of_sightings_does_not_matter(phases: list[Phase]) -> None:
    assert presence_of(phases) is presence_of(reversed(phases))


@pytest.mark.parametrize("word", [*CaseState, *Presence])
def test_states_have_names_in_both_languages(word: CaseState | Presence) -> None:
    assert word.name_zh
    assert word.name_en.isascii()
