"""Foreign hosts, foreign origins, strict headers."""

from typing import Any

import pytest

from central_ingest.api.security import BODY_MAX_BYTES, HEADERS, host_names, host_of
from central_ingest.config import HttpSettings

STEP = {"action": "confirm"}


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8080", True),
        ("localhost", True),
        ("LOCALHOST:8080", True),
        ("[::1]:8080", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:8080", False),
        ("", False),
        ("[", False),
    ],
)
def test_on_loopback_only_loopback_names_are_answered(
    client: Any, host: str, *, known: bool
) -> None:
    assert (client.get("/api/me", headers={"Host": host}).status_code == 200) is known


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"127.0.0.1", "::1", "localhost"}),
        ({"host": "192.0.2.1"}, None),
        (
            {"host": "::", "public_url": "https://centre.city/"},
            {"127.0.0.1", "::1", "localhost", "centre.city"},
        ),
        ({"hosts": ["a.b"]}, {"127.0.0.1", "::1", "localhost", "a.b"}),
    ],
)
def test_names_come_from_the_settings(settings: dict[str, Any], names: set[str] | None) -> None:
    assert host_names(HttpSettings.model_validate(settings)) == names


def test_a_port_is_no_part_of_a_name() -> None:
    assert host_of("centre.city:8443") == "centre.city"


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ({}, True),  # a program
        ({"Origin": "http://127.0.0.1:8080"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://127.0.0.1:9999"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_a_change_asked_for_by_another_site_is_refused(
    client: Any, headers: dict[str, str], *, passed: bool
) -> None:
    answer = client.post("/api/cases/1/decisions", json=STEP, headers=headers)
    assert answer.status_code == (404 if passed else 403)


def test_another_site_may_link_to_us(client: Any) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}
    assert client.get("/api/me", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/api/me", "/healthz", "/nothing", "/api/cases?limit=x"])
def test_every_answer_has_strict_headers(client: Any, path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}])
def test_a_body_that_is_no_form_is_refused_unread(client: Any, headers: dict[str, str]) -> None:
    answer = client.post("/login", content=b"x" * (BODY_MAX_BYTES + 1), headers=headers)
    assert answer.status_code == 413
