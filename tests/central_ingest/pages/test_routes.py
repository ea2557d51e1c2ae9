from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from central_ingest.cases import CaseState
from central_ingest.pages.labels import CAMERA_STATES
from central_ingest.pages.routes import PAGE_ROWS, reason_text
from central_ingest.store import access, database, fleet, queries
from central_ingest.store.access import Actor, Role
from central_ingest.store.fleet import WorkerBeat, hold_health
from contract.catalogue import Category
from contract.messages import CameraHealth, CameraState, EvidenceRef

FRAGMENT = {"HX-Request": "true"}


def decide(browser: httpx.Client, case_id: int, **sent: str) -> Any:
    return browser.post(f"/cases/{case_id}/decisions", data=sent, headers=FRAGMENT)


def state_of(seeder: Any, case_id: int) -> CaseState:
    with database.reading(seeder.engine) as connection:
        return queries.get_summary(connection, case_id).state


def test_the_list_shows_what_was_filed(browser: httpx.Client, seeder: Any) -> None:
    seeder.see(Category.MANHOLE_MISSING, severity="urgent")
    page = browser.get("/")
    assert page.status_code == 200
    assert "井盖缺失" in page.text
    assert "紧急" in page.text
    assert page.headers["cache-control"] == "no-store"


def test_the_list_says_when_no_ingest_runs(browser: httpx.Client, seeder: Any) -> None:
    assert "no ingest is running" in browser.get("/").text
    with database.writing(seeder.engine) as connection:
        beat = WorkerBeat("w1", 1, datetime.now(UTC), datetime.now(UTC), True, "", "")
        fleet.beat(connection, beat)
    assert browser.get("/notice").text.strip() == ""


def test_a_filter_narrows_the_list(browser: httpx.Client, seeder: Any) -> None:
    seeder.see(Category.MANHOLE_MISSING)
    seeder.see(Category.STREET_VENDOR)
    page = browser.get("/?category=street_vendor")
    assert 'id="case-2"' in page.text
    assert 'id="case-1"' not in page.text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/cases/999", 404, "没有这个案卷"),
        ("/cases/abc", 404, "没有这个页面"),
        ("/cases/0", 404, "没有这个页面"),
        ("/cases/99999999999999999999", 404, "没有这个页面"),
        ("/?view=asleep", 400, "筛选条件不正确"),
    ],
)
def test_what_cannot_be_shown_is_told_in_words(
    browser: httpx.Client, path: str, status: int, said: str
) -> None:
    answer = browser.get(path)
    assert answer.status_code == status
    assert said in answer.text
    assert "返回案卷列表" in answer.text


def test_a_decision_that_is_not_one_is_refused_in_words(browser: httpx.Client) -> None:
    answer = decide(browser, 1, action="x" * 33)
    assert (answer.status_code, "无法处理此请求" in answer.text) == (400, True)


def test_an_unknown_address_is_told_in_words_to_people_and_in_json_to_programs(
    browser: httpx.Client,
) -> None:
    answer = browser.get("/nowhere", headers={"Accept": "text/html"})
    assert (answer.status_code, "没有这个页面" in answer.text) == (404, True)
    answer = browser.get("/api/nowhere")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_more_cases_follow_page_by_page_without_gap_or_repeat(
    browser: httpx.Client, seeder: Any
) -> None:
    step = 0.01
    for n in range(PAGE_ROWS + 3):
        place = {"lon": 117 + n * step, "lat": 32.9, "error_m": 1, "method": "homography"}
        seeder.see(Category.BIN_OVERFLOW, position=place)
    first = browser.get("/").text
    assert first.count('<li class="case"') == PAGE_ROWS
    after = f"after={4}"
    assert f"/cases/rows?{after}" in first
    rest = browser.get(f"/cases/rows?{after}").text
    assert [f'id="case-{n}"' in rest for n in (4, 3, 2, 1)] == [False, True, True, True]
    assert 'id="more"' not in rest


def test_rows_asked_by_id_say_whether_the_filter_still_shows_them(
    browser: httpx.Client, seeder: Any
) -> None:
    seeder.see(Category.STREET_VENDOR)
    decide(browser, 1, action="confirm")
    row = browser.get("/cases/rows?ids=1,77&view=pending").text
    assert 'data-shown="false"' in row
    assert 'id="counts"' in row
    assert 'data-shown="true"' in browser.get("/cases/rows?ids=1").text


def test_a_confirmed_case_is_filed_by_who_and_when(browser: httpx.Client, seeder: Any) -> None:
    seeder.see(Category.STREET_VENDOR)
    answer = decide(browser, 1, action="confirm")
    assert answer.status_code == 200
    assert "已立案" in answer.text
    with database.reading(seeder.engine) as connection:
        made = queries.get_case(connection, 1).decisions[-1]
    assert (made.who, made.action) == ("local", "confirm")
    assert abs((made.at - datetime.now(UTC)).total_seconds()) < 60


def test_a_rejection_without_a_reason_is_refused_in_words(
    browser: httpx.Client, seeder: Any
) -> None:
    seeder.see(Category.STREET_VENDOR)
    answer = decide(browser, 1, action="reject", text="  ", sender="list")
    assert answer.status_code == 422
    assert "请选择或填写理由" in answer.text
    assert state_of(seeder, 1) is CaseState.PENDING


def test_a_rejection_stores_quick_reason_and_words(browser: httpx.Client, seeder: Any) -> None:
    seeder.see(Category.STREET_VENDOR)
    decide(browser, 1, action="reject", quick="not_an_issue", text=" <b>影子</b> ")
    with database.reading(seeder.engine) as connection:
        made = queries.get_case(connection, 1).decisions[-1]
    assert made.reason == "误报，无此问题 False alarm：<b>影子</b>"
    assert "&lt;b&gt;影子&lt;/b&gt;" in browser.get("/cases/1").text


def test_a_second_officer_is_told_that_the_first_was_faster(
    browser: httpx.Client, seeder: Any
) -> None:
    seeder.see(Category.STREET_VENDOR)
    decide(browser, 1, action="confirm")
    answer = decide(browser, 1, action="reject", quick="duplicate", sender="list")
    assert answer.status_code == 409
    assert "案卷现为“已立案”" in answer.text
    assert 'id="case-1"' in answer.text  # the row comes along, as it is now


def test_without_script_a_decision_leads_back_to_the_case(
    browser: httpx.Client, seeder: Any
) -> None:
    seeder.see(Category.STREET_VENDOR)
    answer = browser.post("/cases/1/decisions", data={"action": "confirm"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases/1")


def test_a_form_of_another_site_changes_nothing(browser: httpx.Client, seeder: Any) -> None:
    seeder.see(Category.STREET_VENDOR)
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = browser.post("/cases/1/decisions", data={"action": "confirm"}, headers=foreign)
    assert answer.status_code == 403
    assert state_of(seeder, 1) is CaseState.PENDING


@pytest.fixture
def log_in(browser: httpx.Client, seeder: Any) -> Callable[[Role], Any]:
    def log_in(role: Role) -> Any:
        with database.writing(seeder.engine) as connection:
            access.put_user(connection, Actor("wang", role), "a long password", datetime.now(UTC))
        sent = {"username": "wang", "password": "a long password", "next": "/cases/1"}
        return browser.post("/login", data=sent)

    return log_in


def test_who_is_not_logged_in_is_led_to_the_login_and_back(
    browser: httpx.Client, seeder: Any, log_in: Callable[[Role], Any]
) -> None:
    seeder.see(Category.STREET_VENDOR)
    assert log_in(Role.OFFICER).headers["location"] == "/cases/1"
    assert "退出" in browser.get("/cases/1").text
    browser.cookies.clear()
    answer = browser.get("/cases/1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/cases/1")
    assert 'value="/cases/1"' in browser.get("/login?next=/cases/1").text
    assert browser.get("/cases/rows", headers=FRAGMENT).status_code == 401


def test_a_reader_may_look_and_not_decide(
    browser: httpx.Client, seeder: Any, log_in: Callable[[Role], Any]
) -> None:
    seeder.see(Category.STREET_VENDOR)
    log_in(Role.READER)
    assert "您只有查看权限" in browser.get("/cases/1").text
    assert decide(browser, 1, action="confirm").status_code == 403
    assert state_of(seeder, 1) is CaseState.PENDING


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", ""])
def test_a_login_leads_to_no_other_site(browser: httpx.Client, path: str) -> None:
    page = browser.get("/login", params={"next": path})
    assert 'name="next" value="/"' in page.text


def test_a_wrong_password_is_told_without_saying_which_was_wrong(browser: httpx.Client) -> None:
    answer = browser.post("/login", data={"username": "x", "password": "y"})
    assert "用户名或密码不正确" in browser.get(answer.headers["location"]).text


def test_versioned_assets_may_be_kept_for_a_year(browser: httpx.Client) -> None:
    assert "immutable" in browser.get("/static/app.css?v=1").headers["cache-control"]
    assert "cache-control" not in browser.get("/static/app.css").headers


@pytest.mark.parametrize(
    ("quick", "text", "stored"),
    [
        ("", "", None),
        ("", "  ", None),
        ("no_such_code", "", None),
        ("duplicate", "", "重复案卷 Duplicate"),
        ("", " 已清走 ", "已清走"),
        ("unclear", "夜间", "图像不清 Picture unclear：夜间"),
    ],
)
def test_a_reason_joins_the_quick_one_and_the_words(
    quick: str, text: str, stored: str | None
) -> None:
    assert reason_text(quick, text) == stored


def test_a_false_alarm_is_not_reported_again_until_somebody_ends_that(
    browser: httpx.Client, seeder: Any
) -> None:
    seeder.see(Category.STREET_VENDOR)
    answer = decide(browser, 1, action="reject", quick="not_an_issue")
    assert "该处暂不再上报" in answer.text
    page = browser.get("/suppressions")
    assert "占道经营" in page.text
    assert "等待网关确认" in page.text
    address = page.text.partition('action="/suppressions/')[2].partition('"')[0]
    assert browser.post(f"/suppressions/{address}").status_code in (200, 303)
    assert "目前没有暂不上报的地点" in browser.get("/suppressions").text


def test_another_reason_suppresses_nothing(browser: httpx.Client, seeder: Any) -> None:
    seeder.see(Category.STREET_VENDOR)
    answer = decide(browser, 1, action="reject", quick="duplicate")
    assert "暂不再上报" not in answer.text
    assert "目前没有暂不上报的地点" in browser.get("/suppressions").text


def test_cameras_in_trouble_come_first_with_their_state_in_words(
    browser: httpx.Client, seeder: Any
) -> None:
    assert "还没有网关报告过摄像机" in browser.get("/cameras").text
    now = datetime.now(UTC)
    picture = EvidenceRef(sha256="ab" * 32, kind="still", media_type="image/jpeg", bytes=9)
    healths = [
        CameraHealth(agent_id="gw-01", camera_id="cam-01", state=CameraState.OK, since=now, preset_id="north"),
        CameraHealth(
            agent_id="gw-01", camera_id="cam-02", state=CameraState.MOVED, since=now, picture=picture,
            detail="camera cam-02: 摄像机被移动 the camera was moved",
        ),
    ]  # fmt: skip
    with database.writing(seeder.engine) as connection:
        for health in healths:
            hold_health(connection, health, now)
    page = browser.get("/cameras").text
    assert page.index("cam-02") < page.index("cam-01")
    for words in ("被移动", "Moved", "摄像机被移动", "cam-01 · north", f"/evidence/{'ab' * 32}"):
        assert words in page


def test_every_state_of_a_camera_has_a_label() -> None:
    assert set(CAMERA_STATES) == {state.value for state in CameraState}
