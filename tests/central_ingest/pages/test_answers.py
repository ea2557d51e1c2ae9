import re

import pytest

from central_ingest import errors
from central_ingest.cases import ACTIONS, CaseState
from central_ingest.pages import answers
from central_ingest.pages.errors import FilterError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound("no case 9"), 404),
        (errors.NotAuthenticated("nobody"), 401),
        (errors.NotAllowed("reader"), 403),
        (errors.StoreUnavailable("locked"), 503),
        (FilterError("view"), 400),
        (errors.CentreError("anything"), 400),
    ],
)
def test_every_error_is_told_in_both_languages_without_its_inside(
    error: Exception, status: int
) -> None:
    problem = answers.problem_of(error)
    assert problem.status == status
    for label in (problem.said, problem.advice):
        assert re.search("[\u4e00-\u9fff]", label.zh)
        assert label.en.isascii()
        assert str(error) not in str(label)


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_illegal_step_names_the_state_that_forbids_it(action: str, state: CaseState) -> None:
    label = answers.illegal(action, state)
    assert state.name_zh in label.zh
    assert state.name_en in label.en
