"""Health says plainly what is wrong; metrics hold what the ingest said."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from central_ingest.store.access import Role
from central_ingest.store.database import writing
from central_ingest.store.fleet import WorkerBeat, beat, hold_canary, leave
from contract.messages import Canary


def say(centre: Any, *, connected: bool = True, ago_s: float = 0) -> None:
    now = centre.clock.now
    said = WorkerBeat(
        name="ingest",
        pid=1,
        started_at=now,
        beat_at=now - timedelta(seconds=ago_s),
        connected=connected,
        detail="the broker is away: keep alive timeout",
        metrics="gridwatch_ingest_receipts_total 7.0\n",
    )
    with writing(centre.engine) as connection:
        beat(connection, said)


def test_all_is_well(client: Any, centre: Any) -> None:
    say(centre)
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


@pytest.mark.parametrize(
    ("beat_of", "status", "reason"),
    [
        ({"connected": False}, 200, "ingest ingest: the broker is away"),
        ({"ago_s": 11}, 503, "no sign of life of an ingest since 2026-07-01 08:29:59Z"),
        (None, 503, "no ingest is running: no sign of life"),
    ],
)
def test_what_is_wrong_is_said(
    client: Any, centre: Any, beat_of: dict[str, Any] | None, status: int, reason: str
) -> None:
    if beat_of is not None:
        say(centre, **beat_of)
    answer = client.get("/healthz")
    assert answer.status_code == status
    assert answer.json()["status"] == "degraded"
    assert reason in answer.json()["degraded"][0]


@pytest.mark.parametrize(
    ("asks", "is_told"), [("a reader", True), ("nobody", False), ("a stranger", False)]
)
def test_only_readers_are_told_reasons_which_name_hosts_and_agents(
    centre: Any, asks: str, *, is_told: bool
) -> None:
    say(centre, connected=False)
    headers = {
        "a reader": centre.token("li", Role.READER),
        "nobody": {},
        "a stranger": {"Authorization": "Bearer wrong"},
    }
    with centre.client(host="192.0.2.1") as client:
        answer = client.get("/healthz", headers=headers[asks])
    assert (answer.status_code, answer.json()["broker"]) == (200, False)
    (reason,) = answer.json()["degraded"]
    assert reason.startswith("ingest ingest: the broker is away" if is_told else "log in, or send")


def test_an_ingest_that_was_stopped_is_away_at_once(client: Any, centre: Any) -> None:
    say(centre)
    with writing(centre.engine) as connection:
        leave(connection, "ingest", centre.clock.now)
    answer = client.get("/healthz")
    reason = "no ingest is running: ingest was stopped at 2026-07-01 08:30:10Z"
    assert (answer.status_code, answer.json()["degraded"]) == (503, [reason])
    assert 'gridwatch_ingest_up{worker="ingest"} 0.0' in client.get("/metrics").text


def test_metrics_hold_our_counts_and_the_ingests(client: Any, centre: Any) -> None:
    say(centre)
    text = client.get("/metrics").text
    assert 'gridwatch_open_cases{state="pending"} 0.0' in text
    assert 'gridwatch_ingest_up{worker="ingest"} 1.0' in text
    assert "gridwatch_ingest_receipts_total 7.0" in text


def test_metrics_of_a_dead_worker_are_not_repeated(client: Any, centre: Any) -> None:
    say(centre, ago_s=60)
    text = client.get("/metrics").text
    assert 'gridwatch_ingest_up{worker="ingest"} 0.0' in text
    assert "gridwatch_ingest_receipts_total" not in text


@pytest.mark.parametrize(("ago_h", "status"), [(1, "ok"), (3, "degraded")])
def test_an_agent_whose_test_reports_stay_away_is_named(
    client: Any, centre: Any, ago_h: float, status: str
) -> None:
    say(centre)
    heard = centre.clock.now - timedelta(hours=ago_h)
    canary = Canary(city="demo", agent_id="gw-07", outbox_id=UUID(int=1), seq=1, made_at=heard)
    with writing(centre.engine) as connection:
        hold_canary(connection, canary, heard)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert [reason.split(":")[0] for reason in answer.json()["degraded"]] == (
        ["agent gw-07 (demo)"] if status == "degraded" else []
    )
    age_s = f'gridwatch_canary_age_seconds{{agent="gw-07",city="demo"}} {ago_h * 3600:.1f}'
    assert age_s in client.get("/metrics").text
