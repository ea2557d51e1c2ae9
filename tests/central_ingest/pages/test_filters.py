from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central_ingest.cases import OPEN_STATES, CaseState, Presence
from central_ingest.pages.errors import FilterError
from central_ingest.pages.filters import ListFilter, read_filter
from central_ingest.store.views import CaseSummary
from contract.catalogue import Category

filters = st.builds(
    ListFilter,
    view=st.sampled_from(["open", *CaseState]),
    category=st.none() | st.sampled_from(Category),
    cell=st.none() | st.from_regex(r"[0-9A-Z]{15}", fullmatch=True),
    presence=st.none() | st.sampled_from(Presence),
)


@given(wanted=filters)
@settings(derandomize=True, max_examples=100)
def test_a_filter_written_into_an_address_is_read_back_the_same(wanted: ListFilter) -> None:
    assert read_filter(dict(parse_qsl(wanted.query()))) == wanted


@given(params=st.dictionaries(st.sampled_from(["view", "category", "cell", "presence"]), st.text()))
@settings(derandomize=True, max_examples=100)
def test_any_address_gives_a_filter_or_a_filter_error(params: dict[str, str]) -> None:
    try:
        wanted = read_filter(params)
    except FilterError:
        return
    assert wanted.states


def test_an_empty_address_means_all_open_cases() -> None:
    assert read_filter({"category": "", "cell": " ", "presence": ""}) == ListFilter()
    assert ListFilter().states == OPEN_STATES
    assert not ListFilter().narrowed


def test_a_cell_typed_in_small_letters_is_found() -> None:
    assert read_filter({"cell": " xlattice0030003 "}).cell == "XLATTICE0030003"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"view": "asleep"}, "view: 'asleep' was found, one of open, pending"),
        ({"category": "ufo"}, "category: 'ufo' was found, one of street_vendor"),
        ({"presence": "maybe"}, "presence: 'maybe' was found, one of present"),
        ({"cell": "<script>"}, "cell: '<script>' was found, a code of 15"),
    ],
)
def test_an_unknown_value_is_refused_with_what_is_known(
    params: dict[str, str], expected: str
) -> None:
    with pytest.raises(FilterError) as caught:
        read_filter(params)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (ListFilter(), True),
        (ListFilter(view="filed"), False),
        (ListFilter(category=Category.STREET_VENDOR, presence=Presence.PRESENT), True),
        (ListFilter(category=Category.BIN_OVERFLOW), False),
        (ListFilter(cell="340302001001001"), True),
        (ListFilter(cell="340302001001002"), False),
        (ListFilter(presence=Presence.GONE), False),
    ],
)
def test_a_changed_case_is_shown_where_its_filter_fits(
    summary: CaseSummary, wanted: ListFilter, *, shown: bool
) -> None:
    assert wanted.matches(summary) is shown


def test_a_rejected_case_leaves_the_open_ones(summary: CaseSummary) -> None:
    assert not ListFilter().matches(replace(summary, state=CaseState.REJECTED))
