"""The calibration page as an operator uses it: a real browser on a really served page."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from edge_agent.calibrate_page import HOST, CalibratePage
from edge_agent.calibration import Calibration, Target
from edge_agent.config import load_camera
from edge_agent.errors import CameraUnreachable, ConfigError
from tests.edge_agent.test_calibration import MORE, ground_points, surroundings

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FILE = """\
camera: {id: cam-01, name: 人民路口, location: {lon: 117.36, lat: 32.93}}
rules:
  street_vendor: {dwell_s: 120}   # who only rests is not reported
"""


def picture() -> bytes:
    street = np.full((360, 640, 3), 120, np.uint8)
    for x, y in MORE:
        cv2.circle(street, (round(x * 640), round(y * 360)), 5, (255, 255, 255), -1)
    return bytes(cv2.imencode(".jpg", street)[1].tobytes())


@dataclass
class Served:
    """A page that is served, and how often a picture was taken for it."""

    page: CalibratePage
    file: Path
    taken: list[int] = field(default_factory=list)

    def ask(
        self, method: str, name: str, body: bytes = b"{}", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.page.address)
        connection = HTTPConnection(HOST, parts.port or 0, timeout=10)
        path = name if name.startswith("/") else parts.path + name
        sent = {"content-type": "application/json"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        connection.request(method, path, body if method == "POST" else None, sent)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    file = tmp_path / "cam.yaml"
    file.write_text(FILE, encoding="utf-8")
    taken: list[int] = []

    def take() -> bytes:
        taken.append(1)
        if len(taken) == 3:
            raise CameraUnreachable("camera cam-01: connection refused")
        return picture()

    calibration = Calibration(Target(file), load_camera(file), surroundings())
    page = CalibratePage(calibration, take)
    thread = threading.Thread(target=page.serve, daemon=True)
    thread.start()
    yield Served(page, file, taken)
    page.close()
    thread.join(5)


# -- what the server lets in


def test_only_the_printed_address_is_answered(served: Served) -> None:
    assert urlsplit(served.page.address).hostname == "127.0.0.1"
    assert served.ask("GET", "state.json")[0] == 200
    for path in ("/", "/state.json", "/guess/state.json"):
        assert served.ask("GET", path)[0] == 404
    for name in ("calibration.py", "../config.py", "%2e%2e/config.py"):
        assert served.ask("GET", name)[0] == 404
    assert served.ask("GET", "state.json", host="evil.example:80")[0] == 404


def test_other_pages_of_the_browser_can_change_nothing(served: Served) -> None:
    body = json.dumps({"points": [], "zones": []}).encode()
    assert served.ask("POST", "save", body, content_type="text/plain")[0] == 400
    assert served.ask("POST", "save", b"[1]")[0] == 400
    assert served.ask("POST", "save", b"{broken")[0] == 400
    assert served.ask("POST", "delete")[0] == 400
    assert served.file.read_text(encoding="utf-8") == FILE


def test_nothing_may_be_loaded_from_elsewhere(served: Served) -> None:
    for name in ("", "calibrate.js", "picture.jpg"):
        status, headers, body = served.ask("GET", name)
        assert (status, bool(body)) == (200, True)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "*" not in policy


def test_a_port_that_is_taken_is_said(served: Served) -> None:
    port = urlsplit(served.page.address).port or 0
    calibration = Calibration(Target(served.file), load_camera(served.file), surroundings())
    with pytest.raises(ConfigError, match=r"端口被占用.*--port"):
        CalibratePage(calibration, picture, port)


# -- what the operator does


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium was found: run `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser, served: Served) -> Iterator[Page]:
    """The page in a browser; at the end, nothing of it may have gone wrong or elsewhere."""
    problems: list[str] = []

    def said(message: ConsoleMessage) -> None:
        expected = "status of 422" in message.text
        if message.type in {"error", "warning"} and not expected:
            problems.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(served.page.address):
            problems.append(f"asked {request.url}")

    context = chromium.new_context(locale="zh-CN", viewport={"width": 1366, "height": 800})
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("console", said)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", asked)
    page.goto(served.page.address)
    expect(page.locator("#camera")).to_contain_text("cam-01")
    expect(page.locator("#picture")).to_have_js_property("naturalWidth", 640)
    yield page
    context.close()
    assert problems == []


def click_picture(page: Page, x: float, y: float, **how: Any) -> None:
    box = page.locator("#frame").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"], **how)


def type_points(page: Page, count: int, *, wrong: int | None = None) -> None:
    """Click points in the picture and type their coordinates."""
    for index, point in enumerate(ground_points(MORE)[:count]):
        x, y = point.xyn
        click_picture(page, x + 0.07 if index == wrong else x, y)
        page.locator("#points input").nth(index).fill(
            f"{point.lonlat[0]:.7f}, {point.lonlat[1]:.7f}"
        )


def test_points_are_clicked_typed_checked_and_saved(opened: Page, served: Served) -> None:
    expect(opened.locator("#verdict")).to_contain_text("还需 4 个完整的点")
    type_points(opened, 4)
    expect(opened.locator("#verdict")).to_contain_text("四点总能对上")
    opened.reload()
    type_points(opened, 6)
    expect(opened.locator("#verdict")).to_contain_text("标定良好")
    expect(opened.locator("#overlay .cell").first).to_be_attached()
    opened.locator("#save").click()
    expect(opened.locator("#toast")).to_contain_text("已保存")
    camera = load_camera(served.file)
    assert camera.place is not None
    for saved, true in zip(camera.place.points, ground_points(MORE), strict=True):
        assert saved.xyn == pytest.approx(true.xyn, abs=0.002)
        assert saved.lonlat == pytest.approx(true.lonlat, abs=1e-7)
    assert "# who only rests is not reported" in served.file.read_text(encoding="utf-8")
    assert (served.file.parent / "cam.reference.jpg").read_bytes() == picture()


def test_a_mis_clicked_point_is_shown_and_can_be_dragged_right(opened: Page) -> None:
    type_points(opened, 6, wrong=4)
    expect(opened.locator("#verdict")).to_have_class("bad")
    expect(opened.locator("#verdict")).to_contain_text(re.compile(r"第 5.* 点很可能点错了"))
    box = opened.locator("#frame").bounding_box()
    assert box is not None
    x, y = MORE[4]
    opened.mouse.move(box["x"] + (x + 0.07) * box["width"], box["y"] + y * box["height"])
    opened.mouse.down()
    opened.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
    opened.mouse.up()
    expect(opened.locator("#verdict")).to_contain_text("标定良好")


def test_a_spot_is_clicked_on_the_map_and_a_component_catches_the_click(opened: Page) -> None:
    click_picture(opened, 0.5, 0.75)
    expect(opened.locator("#hint")).to_contain_text("在地图上点同一位置")
    dot = opened.locator("#map .component").bounding_box()
    assert dot is not None
    opened.mouse.click(dot["x"] + dot["width"] / 2 + 1, dot["y"] + dot["height"] / 2)
    expect(opened.locator("#points input")).to_have_value("117.3600000, 32.9300000")


def test_coordinates_that_are_none_are_marked(opened: Page) -> None:
    click_picture(opened, 0.5, 0.75)
    opened.locator("#points input").fill("abc")
    expect(opened.locator("#points input")).to_have_class("wrong")
    opened.locator("#save").click()
    expect(opened.locator("#toast")).to_contain_text("第 1 点不完整")


def test_a_zone_is_drawn_named_and_saved(opened: Page, served: Served) -> None:
    opened.locator("#tab-zones").click()
    opened.locator("#draw").click()
    for x, y in ((0.2, 0.5), (0.7, 0.5), (0.8, 0.9)):
        click_picture(opened, x, y)
    opened.keyboard.press("Enter")
    expect(opened.locator("#hint")).to_contain_text("拖动角")
    opened.get_by_label("区域名称").fill("kerb")
    opened.get_by_label("占道经营").check()
    opened.get_by_label("时段").fill("06:00-22:00")
    opened.locator("#save").click()
    expect(opened.locator("#toast")).to_contain_text("已保存")
    (zone,) = load_camera(served.file).zones
    assert (zone.id, zone.hours, len(zone.polygon_xyn)) == ("kerb", "06:00-22:00", 3)
    assert [one.value for one in zone.categories] == ["street_vendor"]


def test_what_the_agent_refuses_is_shown_and_not_saved(opened: Page, served: Served) -> None:
    opened.locator("#tab-zones").click()
    opened.locator("#draw").click()
    for x, y in ((0.2, 0.5), (0.7, 0.5), (0.8, 0.9)):
        click_picture(opened, x, y)
    click_picture(opened, 0.2, 0.5)
    opened.get_by_label("时段").fill("six to ten")
    opened.locator("#save").click()
    expect(opened.locator("#toast")).to_contain_text("没有保存")
    expect(opened.locator("#toast")).to_contain_text("hours such as 06:00-22:00")
    assert served.file.read_text(encoding="utf-8") == FILE


def test_a_new_picture_is_taken_and_a_camera_that_is_away_is_said(
    opened: Page, served: Served
) -> None:
    opened.locator("#renew").click()
    expect(opened.locator("#picture")).to_have_attribute("src", re.compile(r"picture\.jpg\?\d+"))
    opened.locator("#renew").click()
    expect(opened.locator("#toast")).to_contain_text("取不到新图")
    assert len(served.taken) == 3


def test_the_spot_under_the_pointer_is_told_with_its_error_and_cells(opened: Page) -> None:
    type_points(opened, 6)
    expect(opened.locator("#verdict")).to_contain_text("标定良好")
    box = opened.locator("#frame").bounding_box()
    assert box is not None
    opened.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"])
    expect(opened.locator("#spot")).to_contain_text(re.compile(r"117\.36\d+, 32\.93\d+ ± .* m"))
    expect(opened.locator("#spot")).to_contain_text("340300000000001")


def test_the_command_prints_the_address_and_masks_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "cam.yaml").write_text(FILE, encoding="utf-8")
    (tmp_path / "now.jpg").write_bytes(picture())
    command = ["calibrate", "cam.yaml", "--picture", "now.jpg", "--port", "0"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "edge_agent", *command],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
    ) as running:
        assert running.stdout is not None
        address = urlsplit(running.stdout.readline().split()[-1])
        connection = HTTPConnection(HOST, address.port or 0, timeout=30)
        connection.request("GET", address.path + "picture.jpg")
        assert connection.getresponse().read().startswith(b"\xff\xd8")
        connection.close()
        running.send_signal(signal.SIGINT)
        assert "已结束 stopped" in running.stdout.read()
    assert running.returncode == 0
