import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from jinja2 import Environment, UndefinedError

from central_ingest.cases import CaseState, Presence
from central_ingest.pages.filters import ListFilter
from central_ingest.pages.labels import STATES
from central_ingest.pages.maps import map_json
from central_ingest.pages.rendering import TABS, digest
from central_ingest.store.views import CaseDetail, CaseSummary, DecisionView, SightingView

HOSTILE = "\"><script>alert('x')</script>"
Render = Callable[..., str]


@pytest.fixture
def render_list(environment: Environment, now: datetime) -> Render:
    def render(*cases: CaseSummary, wanted: ListFilter | None = None, **values: Any) -> str:
        shown: dict[str, Any] = {
            "filter": wanted or ListFilter(),
            "cases": cases,
            "after": None,
            "counts": {CaseState.PENDING: 1234, CaseState.FILED: 1},
            "degraded": (),
            "live": True,
            "may_decide": True,
        }
        values = {"now": now, "zone": UTC, "who": "wang", "can_log_out": True} | shown | values
        return environment.get_template("list.html").render(values)

    return render


@pytest.fixture
def render_case(environment: Environment, now: datetime) -> Render:
    def render(detail: CaseDetail, **values: Any) -> str:
        shown: dict[str, Any] = {
            "detail": detail,
            "next_case": None,
            "map_json": map_json(detail),
            "live": True,
            "may_decide": True,
        }
        values = {"now": now, "zone": UTC, "who": "wang", "can_log_out": True} | shown | values
        return environment.get_template("case.html").render(values)

    return render


def test_what_cameras_and_people_wrote_stays_text(
    render_list: Render,
    render_case: Render,
    summary: CaseSummary,
    sighting: SightingView,
    make_detail: Callable[..., CaseDetail],
    now: datetime,
) -> None:
    hostile = replace(summary, cameras=(HOSTILE,), number=HOSTILE, cell_code=HOSTILE)
    seen = replace(sighting, camera_id=HOSTILE, model_name=HOSTILE, linked_because=HOSTILE)
    decision = DecisionView(now, HOSTILE, "reject", HOSTILE, HOSTILE)
    detail = make_detail(hostile, (seen,), (decision,))
    for html in (render_list(hostile), render_case(detail)):
        assert "&lt;script&gt;" in html
        assert "<script>alert" not in html
        assert '"><script' not in html


def test_pages_hold_no_inline_script_style_or_outside_address(
    render_list: Render,
    render_case: Render,
    summary: CaseSummary,
    make_detail: Callable[..., CaseDetail],
) -> None:
    for html in (render_list(summary), render_case(make_detail())):
        assert not re.search(r"<script(?![^>]*\bsrc=\"/static/)", html)
        assert not re.search(r"\s(style|on\w+)=", html)
        assert "<style" not in html
        assert not re.search(r"(src|href|action)=\"(https?:)?//", html)
        assert '"allowEval":false' in html


@pytest.mark.parametrize("state", CaseState)
def test_every_state_is_shown_in_both_languages(
    render_list: Render, summary: CaseSummary, state: CaseState
) -> None:
    html = render_list(replace(summary, state=state))
    row = html[html.index('id="case-7"') :]
    badge = f'data-code="{state}"><span class="zh">{state.name_zh}</span> <span class="en"'
    assert badge in row


@pytest.mark.parametrize("presence", Presence)
def test_every_presence_is_shown_in_both_languages(
    render_list: Render, summary: CaseSummary, presence: Presence
) -> None:
    html = render_list(replace(summary, presence=presence))
    assert f'<span class="badge presence" data-code="{presence}">' in html
    assert presence.name_en in html


def test_every_chinese_label_stands_beside_an_english_one(
    render_list: Render,
    render_case: Render,
    summary: CaseSummary,
    make_detail: Callable[..., CaseDetail],
) -> None:
    for html in (render_list(), render_list(summary), render_case(make_detail())):
        body = re.sub(r"<a class=\"brand\".*?</a>", "", html, flags=re.DOTALL)
        body = re.sub(r"<div class=\"who\"><span class=\"zh\">值班员</span>", "", body)
        labels = re.findall(r'<span class="zh">[^<]*</span>( <span class="en" lang="en">)?', body)
        assert len(labels) > 20
        assert all(labels)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("pending", "图片传输中"),
        ("lost", "图片已丢失"),
    ],
)
def test_a_picture_that_is_not_here_says_so(
    render_list: Render, summary: CaseSummary, state: Any, said: str
) -> None:
    assert summary.still is not None
    html = render_list(replace(summary, still=replace(summary.still, state=state)))
    assert said in html
    assert '<img src="/evidence' not in html


def test_a_case_without_any_picture_says_so(render_list: Render, summary: CaseSummary) -> None:
    assert "尚无图片" in render_list(replace(summary, still=None))


def test_a_lattice_cell_is_marked_unofficial_and_an_official_one_is_not(
    render_list: Render, summary: CaseSummary
) -> None:
    assert "非官方" not in render_list(summary)
    assert "非官方" in render_list(replace(summary, cell_official=False))
    assert "未落格" in render_list(replace(summary, cell_code=None, cell_official=False))


def test_times_are_local_with_the_exact_utc_behind_them(
    environment: Environment, render_list: Render, summary: CaseSummary
) -> None:
    html = render_list(summary)
    assert 'datetime="2026-11-21T08:27:00.000Z" title="UTC 2026-11-21T08:27:00.000Z"' in html
    assert "3 分钟前" in html
    assert "3 min ago" in html


def test_an_empty_list_says_what_will_happen_and_what_to_check(render_list: Render) -> None:
    html = render_list()
    assert "目前没有待办案卷" in html
    assert "edge-agent check" in html
    assert "没有符合条件的案卷" in render_list(wanted=ListFilter(presence=Presence.GONE))


def test_counts_stand_by_state_and_ended_states_are_not_counted(render_list: Render) -> None:
    html = render_list()
    assert '<b class="num">1,234</b>' in html
    assert [tab.code for tab in TABS] == ["open", *STATES]
    assert TABS[-1].total({CaseState.PENDING: 3}) is None


def test_a_list_that_cannot_grow_says_why(render_list: Render) -> None:
    assert "新案卷可能不会出现" not in render_list()
    html = render_list(degraded=("no ingest is running: no sign of life",))
    assert "新案卷可能不会出现" in html
    assert "no ingest is running" in html


def test_a_reader_is_offered_no_decision(
    render_list: Render,
    render_case: Render,
    summary: CaseSummary,
    make_detail: Callable[..., CaseDetail],
) -> None:
    for html in (
        render_list(summary, may_decide=False),
        render_case(make_detail(), may_decide=False),
    ):
        assert 'name="action" value="confirm"' not in html


@pytest.mark.parametrize("state", CaseState)
def test_a_case_offers_the_steps_its_state_allows(
    render_case: Render,
    summary: CaseSummary,
    make_detail: Callable[..., CaseDetail],
    state: CaseState,
) -> None:
    detail = make_detail(replace(summary, state=state))
    html = render_case(detail)
    assert all(f'value="{action}"' in html for action in detail.actions)
    assert ('value="confirm"' in html) is (state is CaseState.PENDING)


def test_an_unknown_name_in_a_template_is_an_error(environment: Environment) -> None:
    with pytest.raises(UndefinedError):
        environment.from_string("{{ nobody_gave_this }}").render()


def test_equal_values_have_equal_digests(summary: CaseSummary) -> None:
    assert digest(summary) == digest(replace(summary))
    assert digest(summary) != digest(replace(summary, number="other"))
