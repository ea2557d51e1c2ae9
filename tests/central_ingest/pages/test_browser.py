"""What duty officers do all day, in a real Chromium, on a really served centre."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from central_ingest.cases import CaseState
from central_ingest.clock import utc_now
from central_ingest.dedup import Place
from central_ingest.store import access, database, pictures, queries
from central_ingest.store.access import Actor, Role
from central_ingest.store.views import CaseDetail
from contract.catalogue import Category
from edge_agent.clips import encoded
from edge_agent.clock import ReplayClock
from edge_agent.masking import MaskedPicture

pytestmark = pytest.mark.system

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 15_000
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("no Chromium was found: run `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Watch:
    """Everything a page must not do: errors, violations of the policy, requests to elsewhere."""

    address: str
    may_say: str | None
    problems: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Note what the page does wrong from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        expected = self.may_say is not None and re.search(self.may_say, message.text)
        if message.type in {"error", "warning"} and not expected:
            self.problems.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.problems.append(f"asked {request.url}")


Opener = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, served: Any) -> Iterator[Opener]:
    """Opens pages; at the end, none of them may have done what no page may do.

    `may_say` is a pattern of console errors that the test brings about on purpose.
    """
    watches: list[Watch] = []
    contexts: list[BrowserContext] = []

    def open_page(path: str = "/", *, width: int = 1366, may_say: str | None = None) -> Page:
        context = chromium.new_context(
            base_url=served.address, locale="zh-CN", viewport={"width": width, "height": 768}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        watches.append(Watch(served.address, may_say))
        watches[-1].follow(page)
        page.goto(path)
        if not path.startswith("/docs"):
            expect(page.locator("#live")).to_have_attribute("data-state", "open")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [watch.problems for watch in watches] == [[] for _ in watches]


def row(page: Page, case_id: int) -> Any:
    return page.locator(f"#case-{case_id}")


def stored(seeder: Any, case_id: int) -> CaseDetail:
    with database.reading(seeder.engine) as connection:
        return queries.get_case(connection, case_id)


def apart(n: int) -> Place:
    """Places so far from each other that nothing is taken for a duplicate."""
    return Place(117.3601 + n * 0.001, 32.9302, 1.0)


def fill(seeder: Any, count: int) -> None:
    for n in range(count):
        seeder.see(Category.STREET_VENDOR, apart(n))


def picture(shade: int) -> bytes:
    _, encoded = cv2.imencode(".jpg", np.full((90, 160, 3), shade, np.uint8))
    return bytes(encoded.tobytes())


def test_a_case_appears_live_without_a_reload(open_page: Opener, seeder: Any) -> None:
    page = open_page()
    expect(page.locator("#empty")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    seeder.see(Category.MANHOLE_MISSING, severity="urgent")
    expect(row(page, 1)).to_contain_text("井盖缺失 Missing manhole cover")
    expect(row(page, 1)).to_contain_text("紧急")
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator('#counts [data-code="pending"]')).to_contain_text("1")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    assert page.evaluate("window.loadedOnce") is True


def test_new_rows_move_neither_the_focus_nor_what_is_being_read(
    open_page: Opener, seeder: Any
) -> None:
    fill(seeder, 20)
    page = open_page()
    for _ in range(12):
        page.keyboard.press("j")
    expect(row(page, 9)).to_be_focused()
    top = row(page, 9).bounding_box()["y"]
    seeder.see(Category.BIN_OVERFLOW)
    expect(row(page, 21)).to_be_attached()
    expect(page.locator("#new-above")).to_contain_text("1 条新案卷")
    expect(row(page, 9)).to_be_focused()
    assert abs(row(page, 9).bounding_box()["y"] - top) < 2
    page.locator("#new-above").click()
    expect(row(page, 21)).to_be_in_viewport()


def test_a_row_changes_in_place_when_a_colleague_decides(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 3)
    page, waiting = open_page(), open_page("/?view=pending")
    other = open_page()
    other.locator("#case-2 button.primary").click()
    expect(row(page, 2)).to_contain_text("已立案")
    assert page.locator("#cases li.case").evaluate_all("rows => rows.map(r => r.id)") == [
        "case-3",
        "case-2",
        "case-1",
    ]
    expect(row(waiting, 2)).to_have_count(0)
    expect(row(waiting, 3)).to_be_visible()


def test_a_case_is_confirmed_by_keyboard(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 2)
    page = open_page("/?view=pending")
    page.keyboard.press("j")
    expect(row(page, 2)).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator("#flash")).to_contain_text("已立案 Case")
    assert stored(seeder, 2).summary.state is CaseState.FILED
    made = stored(seeder, 2).decisions[-1]
    assert (made.who, made.action) == ("local", "confirm")
    expect(row(page, 2)).to_have_count(0)
    expect(row(page, 1)).to_be_focused()


def test_a_rejection_demands_a_reason(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 1)
    page = open_page()
    page.keyboard.press("j")
    page.keyboard.press("r")
    dialog = page.locator("#reject")
    expect(dialog).to_be_visible()
    page.keyboard.press("Enter")
    expect(dialog.locator(".problem")).to_contain_text("请选择或填写驳回理由")
    assert stored(seeder, 1).summary.state is CaseState.PENDING
    page.keyboard.press("2")
    dialog.locator("textarea").fill("现场已清理 <script>")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#flash")).to_contain_text("不予立案")
    detail = stored(seeder, 1)
    assert detail.summary.state is CaseState.REJECTED
    assert detail.decisions[-1].reason == "已自行消除 Already gone：现场已清理 <script>"


def test_who_comes_second_is_told_in_words(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 1)
    page = open_page("/cases/1", may_say=r"ERR_FAILED|409|/decisions")
    # The page must not learn of the colleague's decision before its own is sent.
    page.route("**/cases/1/live", lambda route: route.abort())
    with database.writing(seeder.engine) as connection:
        row_now = queries.get_summary(connection, 1)
        queries.decide(connection, 1, "confirm", "李强", None, row_now.updated_at)
    page.locator("#decide button.primary").click()
    expect(page.locator("#flash")).to_contain_text("可能已由他人处理")
    expect(page.locator("#flash")).to_have_attribute("role", "alert")
    expect(page.locator("#case-decisions")).to_contain_text("李强")
    expect(page.locator("#case-head")).to_contain_text("已立案")


def test_enter_opens_the_case_and_escape_comes_back(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 2)
    page = open_page()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/1")
    page.keyboard.press("Escape")
    expect(page.locator("#cases")).to_be_visible()


def test_a_case_is_rejected_by_keyboard_on_its_own_page(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 1)
    page = open_page("/cases/1")
    for key in ("r", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#case-decisions")).to_contain_text("重复案卷 Duplicate")
    assert stored(seeder, 1).summary.state is CaseState.REJECTED


def test_the_key_that_leads_to_the_reasons_sends_the_chosen_one(
    open_page: Opener, seeder: Any
) -> None:
    fill(seeder, 1)
    page = open_page("/cases/1")
    expect(page.locator("#decide button.danger kbd")).to_have_text(["r", "Enter"])
    for key in ("r", "r"):
        page.keyboard.press(key)
    expect(page.locator("#decide .problem")).to_contain_text("请选择或填写驳回理由")
    assert stored(seeder, 1).summary.state is CaseState.PENDING
    page.locator("#decide-text").press_sequentially("rr")
    expect(page.locator("#decide-text")).to_have_value("rr")
    page.locator("#decide-text").fill("")
    page.locator("h1").focus()
    for key in ("r", "1", "r"):
        page.keyboard.press(key)
    expect(page.locator("#case-head")).to_contain_text("不予立案")


def test_in_the_list_the_key_sends_the_chosen_reason_once(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 1)
    page = open_page("/?view=pending")
    dialog = page.locator("#reject")
    for key in ("j", "r", "r"):
        page.keyboard.press(key)
    expect(dialog.locator(".problem")).to_contain_text("请选择或填写驳回理由")
    expect(dialog.locator("button.danger kbd")).to_have_text(["r", "Enter"])
    for key in ("1", "r", "r"):
        page.keyboard.press(key)
    expect(page.locator("#flash")).to_contain_text("不予立案")
    expect(dialog).to_be_hidden()
    made = [decision.reason for decision in stored(seeder, 1).decisions]
    assert made == ["误报，无此问题 False alarm"]


def test_a_key_too_many_leaves_standing_what_was_said(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 1)
    page = open_page("/?view=pending")
    for key in ("j", "c"):
        page.keyboard.press(key)
    expect(page.locator("#flash")).to_contain_text("已立案")
    page.keyboard.press("c")
    expect(page.locator("#flash")).not_to_contain_text("已处理")
    expect(page.locator("#flash")).to_contain_text("已立案")


def test_the_key_bar_offers_only_what_is_possible(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 2)
    page = open_page("/cases/2")
    keys = page.locator(".keys kbd:visible")
    expect(keys).to_have_text(["c", "r", "n", "Esc"])
    page.keyboard.press("c")
    expect(keys).to_have_text(["n", "Esc"])
    page.keyboard.press("Escape")
    expect(keys).to_have_text(["j", "k", "v", "Enter", "c", "r"])
    page.keyboard.press("j")
    expect(row(page, 2)).to_be_focused()
    expect(keys).to_have_text(["j", "k", "v", "Enter"])
    page.keyboard.press("j")
    expect(keys).to_have_text(["j", "k", "v", "Enter", "c", "r"])
    page.goto("/?view=filed")
    expect(keys).to_have_text(["j", "k", "v", "Enter"])


def test_one_pending_case_leads_to_the_next(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 3)
    page = open_page("/cases/2")
    page.keyboard.press("c")
    expect(page.locator("#case-head")).to_contain_text("已立案")
    page.keyboard.press("n")
    page.wait_for_url("**/cases/1")
    page.keyboard.press("n")
    page.wait_for_url("**/cases/3")


def test_the_map_shows_cell_position_error_and_every_camera(open_page: Opener, seeder: Any) -> None:
    seeder.lay_grid()
    seeder.see(Category.STREET_VENDOR, camera_id="cam-01")
    seeder.see(Category.STREET_VENDOR, camera_id="cam-02")
    detail = stored(seeder, 1)
    assert len(detail.sightings) == 2
    page = open_page("/cases/1")
    shown = page.locator("#map")
    expect(shown.locator("path.map-cell.own")).to_have_count(1)
    assert shown.locator("path.map-cell").count() > 4
    expect(shown.locator("path.map-here")).to_be_visible()
    expect(shown.locator("path.map-error")).to_be_visible()
    expect(shown.locator(".pin-icon")).to_have_text(["1", "2"])
    expect(shown.locator(".own-cell")).to_have_text(f"{detail.summary.cell_code} 非官方 Unofficial")
    seeder.see(Category.STREET_VENDOR, camera_id="cam-03")
    expect(shown.locator(".pin-icon")).to_have_count(3)
    expect(page.locator("#case-sightings li")).to_have_count(3)


def test_the_cells_around_are_named_where_they_are_seen(open_page: Opener, seeder: Any) -> None:
    seeder.lay_grid()
    near_the_western_border = Place(117.3601 - 0.0005, 32.9302, 1.0)
    seeder.see(Category.STREET_VENDOR, near_the_western_border)
    shown = open_page("/cases/1").locator("#map")
    expect(shown.locator(".own-cell")).to_contain_text("XLATTICE0030003")
    expect(shown.get_by_title("XLATTICE0030002")).to_have_text("…0030002")


def test_a_picture_swaps_itself_in_when_it_arrives(open_page: Opener, seeder: Any) -> None:
    shown = picture(120)
    seeder.see(Category.EXPOSED_GARBAGE, evidence=[seeder.name_picture(shown)])
    pages = [open_page("/"), open_page("/cases/1")]
    for page in pages:
        expect(page.get_by_text("图片传输中").first).to_be_visible()
    seeder.store_picture(shown)
    for page in pages:
        image = page.locator(".thumb img, .frame img").first
        expect(image).to_be_visible()
        page.wait_for_function(
            "i => i.complete && i.naturalWidth === 160", arg=image.element_handle()
        )


def test_before_and_after_stand_side_by_side_once_cleared(open_page: Opener, seeder: Any) -> None:
    before, after = picture(10), picture(200)
    for content in (before, after):
        seeder.store_picture(content)
    seen = {"issue_id": "01980000-1111-7000-8000-0000000000bb"}
    named = [seeder.name_picture(before, "still")]
    seeder.see(Category.BIN_OVERFLOW, evidence=named, **seen)
    page = open_page("/cases/1")
    expect(page.locator("figure.picture")).to_have_count(1)
    named = [seeder.name_picture(after, "still")]
    seeder.see(Category.BIN_OVERFLOW, evidence=named, revision=2, phase="cleared", **seen)
    expect(page.locator("figure.picture")).to_have_count(2)
    expect(page.locator("#case-head")).to_contain_text("已消失 Gone")
    left, right = (page.locator("figure.picture").nth(n).bounding_box() for n in (0, 1))
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]


def test_a_thumbnail_is_looked_at_closely_by_key_or_by_hovering(
    open_page: Opener, seeder: Any
) -> None:
    shown = picture(90)
    seeder.store_picture(shown)
    seeder.see(Category.EXPOSED_GARBAGE, evidence=[seeder.name_picture(shown)])
    page = open_page()
    preview = page.locator("#preview")
    expect(preview).to_be_hidden()
    row(page, 1).locator(".thumb").hover()
    expect(preview).to_be_visible()
    page.locator("h1, .brand").first.hover()
    expect(preview).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("v")
    expect(preview.locator("img")).to_be_visible()
    page.keyboard.press("v")
    expect(preview).to_be_hidden()


def test_a_lost_connection_is_shown_and_what_was_missed_is_caught_up(
    open_page: Opener, seeder: Any, served: Any
) -> None:
    fill(seeder, 1)
    page = open_page(may_say=r"ERR_|object Event")
    served.stop()
    expect(page.locator("#live")).to_contain_text("连接中断，正在重连")
    expect(page.locator("#live")).to_have_attribute("data-state", "lost")
    seeder.see(Category.MANHOLE_DAMAGED)
    served.start()
    expect(page.locator("#live")).to_have_attribute("data-state", "open", timeout=40_000)
    expect(row(page, 2)).to_contain_text("井盖破损")
    seeder.see(Category.BIN_OVERFLOW, apart(9))
    expect(row(page, 3)).to_contain_text("垃圾箱满溢")


def test_a_page_whose_login_ended_leads_to_the_login(
    open_page: Opener, seeder: Any, served: Any
) -> None:
    fill(seeder, 1)
    page = open_page("/cases/1", may_say="ERR_|401|object Event")
    with database.writing(seeder.engine) as connection:
        access.put_user(connection, Actor("wang", Role.OFFICER), "a long password", utc_now())
    served.stop()
    served.start()
    page.wait_for_url("**/login?next=/cases/1")
    page.locator("#username").fill("wang")
    page.locator("#password").fill("a long password")
    page.keyboard.press("Enter")
    expect(page.locator("#case-head")).to_contain_text("占道经营")
    expect(page.locator(".who")).to_contain_text("wang")


def test_a_filter_is_one_click_and_keeps_the_list_live(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 1)
    page = open_page()
    page.locator("label.chip:has(#category-bin_overflow)").click()
    expect(page.locator("#empty")).to_contain_text("没有符合条件的案卷")
    assert page.url.endswith("category=bin_overflow&presence=&cell=")
    seeder.see(Category.EXPOSED_GARBAGE, apart(5))
    seeder.see(Category.BIN_OVERFLOW, apart(6))
    expect(row(page, 3)).to_be_visible()
    assert page.locator("#cases li.case").count() == 1


@pytest.mark.parametrize("path", ["/", "/cases/1"])
def test_nothing_overflows_a_phone(open_page: Opener, seeder: Any, path: str) -> None:
    seeder.lay_grid()
    fill(seeder, 2)
    page = open_page(path, width=360)
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]


def test_a_printed_case_holds_the_facts_and_no_buttons(open_page: Opener, seeder: Any) -> None:
    fill(seeder, 1)
    page = open_page("/cases/1")
    page.emulate_media(media="print")
    expect(page.locator("#case-facts")).to_be_visible()
    expect(page.locator("#decide")).to_be_hidden()
    expect(page.locator("header.top")).to_be_hidden()


def test_the_api_documentation_works_without_internet(open_page: Opener) -> None:
    page = open_page("/docs")
    expect(page.locator("#api").get_by_text("/api/cells")).to_be_visible()


def clip(shade: int) -> bytes:
    """Two seconds of H.264 as an agent makes them."""
    start = ReplayClock(datetime(2026, 7, 1, tzinfo=UTC))
    frames = [
        (start.at(n / 5), MaskedPicture.as_it_is(np.full((180, 320, 3), shade + n * 5, np.uint8)))
        for n in range(10)
    ]
    return encoded(frames) or b""


def test_clips_of_before_and_after_play_and_are_fetched_only_then(
    open_page: Opener, seeder: Any
) -> None:
    stills, clips = (picture(80), picture(160)), (clip(80), clip(160))
    moments = ("raised", "cleared")
    named = [
        [seeder.name_picture(still, "still") | {"moment": moment},
         seeder.name_picture(film, "clip") | {"moment": moment}]
        for still, film, moment in zip(stills, clips, moments, strict=True)
    ]  # fmt: skip
    issue = seeder.see(Category.BIN_OVERFLOW, evidence=named[0])
    seeder.see(
        Category.BIN_OVERFLOW, issue_id=str(issue), revision=2, phase="cleared", evidence=named[1]
    )
    for content in (*stills, *clips):
        seeder.store_picture(content)
    page = open_page("/cases/1")
    players = page.locator("video")
    expect(players).to_have_count(2)
    expect(page.locator("figure.clip").nth(1)).to_contain_text("消失后 After")
    with database.reading(seeder.engine) as connection:
        assert pictures.readings_of(connection, named[0][1]["sha256"]) == []
    players.first.evaluate(
        "video => new Promise(seen => {"
        " video.ontimeupdate = () => { if (video.currentTime > 0.2) seen(); }; video.play(); })"
    )
    assert players.first.evaluate("video => [video.videoWidth, video.duration > 1]") == [320, True]
    with database.reading(seeder.engine) as connection:
        assert pictures.readings_of(connection, named[0][1]["sha256"])
        assert pictures.readings_of(connection, named[1][1]["sha256"]) == []
