"""Logging in, tokens, and what is open on loopback."""

from typing import Any

import pytest

from central_ingest.api.auth import COOKIE, FAILURES_MAX
from central_ingest.store.access import Role

GOOD = {"username": "li", "password": "correct horse"}


def test_without_users_loopback_is_local(client: Any) -> None:
    assert client.get("/api/me").json() == {"name": "local", "role": "admin"}


def test_without_users_nobody_else_is_trusted(centre: Any) -> None:
    with centre.client(host="192.0.2.1") as client:
        assert client.get("/api/me").status_code == 401


@pytest.mark.parametrize("path", ["/api/cases", "/api/cases/1", "/api/events", "/metrics"])
def test_with_users_reading_needs_a_login(client: Any, centre: Any, path: str) -> None:
    centre.add_user("li", Role.READER)
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_health_is_told_to_everybody(client: Any, centre: Any) -> None:
    centre.add_user("li", Role.READER)
    assert client.get("/healthz").status_code == 503


def test_a_login_lasts_until_logout(client: Any, centre: Any) -> None:
    centre.add_user("li", Role.OFFICER)
    answer = client.post("/api/session", json=GOOD)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/api/me").json() == {"name": "li", "role": "officer"}
    kept = client.cookies[COOKIE]
    assert client.delete("/api/session").status_code == 204
    client.cookies.set(COOKIE, kept)
    assert client.get("/api/me").status_code == 401


def test_a_session_ends_after_its_hours(client: Any, centre: Any) -> None:
    centre.add_user("li", Role.OFFICER)
    client.post("/api/session", json=GOOD)
    centre.clock.pass_(hours=13)
    assert client.get("/api/me").status_code == 401


@pytest.mark.parametrize(
    ("next_path", "led_to"),
    [
        ("/cases/7", "/cases/7"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
    ],
)
def test_the_form_leads_back_but_never_elsewhere(
    client: Any, centre: Any, next_path: str, led_to: str
) -> None:
    centre.add_user("li", Role.OFFICER)
    answer = client.post("/login", data=GOOD | {"next": next_path})
    assert (answer.status_code, answer.headers["location"]) == (303, led_to)


def test_a_wrong_password_leads_back_to_the_form(client: Any, centre: Any) -> None:
    centre.add_user("li", Role.OFFICER)
    answer = client.post("/login", data=GOOD | {"password": "wrong"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?problem=wrong")
    assert COOKIE not in client.cookies


def test_guessing_is_stopped_for_a_while(client: Any, centre: Any) -> None:
    centre.add_user("li", Role.OFFICER)
    for _ in range(FAILURES_MAX):
        assert client.post("/api/session", json=GOOD | {"password": "x"}).status_code == 401
    answer = client.post("/api/session", json=GOOD)
    assert answer.status_code == 401
    assert "wait five minutes" in answer.json()["detail"]
    centre.clock.pass_(minutes=6)
    assert client.post("/api/session", json=GOOD).status_code == 200


def test_a_reader_may_look_and_not_decide(client: Any, centre: Any) -> None:
    reader = centre.token("grafana", Role.READER)
    assert client.get("/api/cases", headers=reader).status_code == 200
    answer = client.post("/api/cases/1/decisions", headers=reader, json={"action": "confirm"})
    assert answer.status_code == 403
    assert "grafana is reader; this needs officer" in answer.json()["detail"]


def test_an_unknown_token_is_refused_even_where_it_is_open(client: Any) -> None:
    assert client.get("/api/me", headers={"Authorization": "Bearer x"}).status_code == 401


def test_behind_https_the_cookie_is_secure(centre: Any) -> None:
    centre.add_user("li", Role.OFFICER)
    with centre.client(public_url="https://centre.city") as client:
        cookie = client.post("/api/session", json=GOOD).headers["set-cookie"]
    assert "Secure" in cookie
