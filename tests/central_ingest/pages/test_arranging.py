"""The pages of merges, splits and answers: said in both languages, and told in the history."""

from typing import Any

import httpx
import pytest

from central_ingest.dedup import Place
from contract.catalogue import Category

FRAGMENT = {"HX-Request": "true"}
NEAR, FAR = Place(117.3601, 32.93021, 0.0), Place(117.3611, 32.9312, 0.0)


@pytest.fixture
def issues(seeder: Any) -> list[str]:
    """Two cases; the first has two sightings."""
    return [
        str(seeder.see(Category.STREET_VENDOR, place, camera_id=f"cam-{number}"))
        for number, place in enumerate((NEAR, NEAR, FAR))
    ]


def number_of(browser: httpx.Client, case_id: int) -> str:
    return str(browser.get(f"/api/cases/{case_id}").json()["summary"]["number"])


def test_a_case_offers_to_merge_and_to_split(browser: httpx.Client, issues: list[str]) -> None:
    page = browser.get("/cases/1").text
    assert "合并到该案卷" in page
    assert f'value="{issues[1]}"' in page
    assert "拆分为新案卷" not in browser.get("/cases/2").text


def test_a_merge_by_number_is_said_and_both_pages_link(
    browser: httpx.Client, issues: list[str]
) -> None:
    into = number_of(browser, 1)
    said = browser.post("/cases/2/merge", data={"into": f" {into} "}, headers=FRAGMENT)
    assert (said.status_code, f"已合并到案卷 {into}" in said.text) == (200, True)
    page = browser.get("/cases/2").text
    assert "已并入" in page
    assert 'href="/cases/1"' in page
    assert "合并 " in browser.get("/cases/1").text


def test_a_split_is_said_and_asks_for_a_reason(browser: httpx.Client, issues: list[str]) -> None:
    asked = browser.post("/cases/1/split", data={"issue": issues[1]}, headers=FRAGMENT)
    assert (asked.status_code, "请选择或填写理由" in asked.text) == (422, True)
    sent = {"issue": [issues[1]], "text": "两个摊位"}
    said = browser.post("/cases/1/split", data=sent, headers=FRAGMENT)
    assert (said.status_code, "已拆分为新案卷" in said.text) == (200, True)


@pytest.mark.parametrize(
    ("into", "status", "words"),
    [
        ("SP9", 404, "没有这个编号的案卷"),
        ("1", 404, "没有这个编号的案卷"),
        (None, 409, "不允许此操作"),
    ],
)
def test_what_cannot_be_merged_is_said_in_words(
    browser: httpx.Client, issues: list[str], into: str | None, status: int, words: str
) -> None:
    sent = {"into": number_of(browser, 1) if into is None else into}
    said = browser.post("/cases/1/merge", data=sent, headers=FRAGMENT)
    assert (said.status_code, words in said.text) == (status, True)


@pytest.mark.parametrize(("answer", "words"), [("accept", "已采纳"), ("dismiss", "已忽略")])
def test_a_proposal_is_answered_from_the_page(
    browser: httpx.Client, seeder: Any, answer: str, words: str
) -> None:
    seeder.see(Category.STREET_VENDOR, NEAR, camera_id="cam-1")
    seeder.see(Category.STREET_VENDOR, Place(117.3602, 32.9302, 30.0), camera_id="cam-2")
    (asked,) = browser.get("/api/cases/2").json()["proposals"]
    assert "采纳" in browser.get("/cases/2").text
    url = f"/cases/2/proposals/{asked['proposal_id']}"
    said = browser.post(url, data={"answer": answer}, headers=FRAGMENT)
    assert (said.status_code, words in said.text) == (200, True)
