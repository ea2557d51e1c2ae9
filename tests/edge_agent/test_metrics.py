"""What is measured and what is wrong, over HTTP."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.messages import CameraState, ClockState
from edge_agent.canary import CanaryNow
from edge_agent.clock import Instant
from edge_agent.errors import ConfigError
from edge_agent.metrics import MetricsServer, Snapshot, Totals, troubles
from edge_agent.publisher import BrokerState
from edge_agent.shedding import overloaded
from edge_agent.store import GivenUp, StoreCounts
from edge_agent.watching import BEHIND_SHOWN_S, CameraNow, fallen_behind

AT = Instant(datetime(2026, 7, 1, tzinfo=UTC), 100.0, "boot")
CAMERA = CameraNow(
    camera_id="cam-01", state=CameraState.OK, detail="", since=AT, frames=50, corrupt=1,
    reconnects=2, keyframes_only=False, passed_over=4, behind_at=None, stretch=1.0, looks=10, dropped=3,
    last_frame_at=Instant(AT.utc, 98.0, "boot"),
)  # fmt: skip
WELL = Snapshot(
    at=AT,
    cameras=(CAMERA,),
    totals=Totals(looks=10, reports=4, issues_raised=2, receipted=3),
    store=StoreCounts(reports=1, sent=1, pictures=0, bytes=1500, given_up=GivenUp()),
    store_trouble="",
    broker=BrokerState(connected=True, detail=""),
    centre_trouble="",
    clock=ClockState(offset_s=0.5, error_s=0.1, synced=True),
    free_bytes=10**12,
)


@pytest.mark.parametrize(
    ("change", "part", "reason"),
    [
        ({"broker": BrokerState(connected=False, detail="refused")}, "broker", "refused"),
        ({"centre_trouble": "not reached"}, "centre", "not reached"),
        ({"stretch": 2.5}, "load", overloaded(2.5)),
        ({"store_trouble": "disk is full"}, "store", "disk is full"),
        ({"canary": CanaryNow("no receipt since noon")}, "canary", "no receipt since noon"),
        ({"free_bytes": 7_000_000}, "disk", "only 7 MB are free"),
        (
            {"cameras": (replace(CAMERA, behind_at=AT), replace(CAMERA, camera_id="cam-02"))},
            "decoding",
            fallen_behind(AT, [replace(CAMERA, behind_at=AT)]),
        ),
        (
            {"cameras": (replace(CAMERA, state=CameraState.OFFLINE, detail="silent"),)},
            "camera cam-01",
            "offline: silent",
        ),
    ],
)
def test_each_trouble_is_named_with_its_part(
    change: dict[str, Any], part: str, reason: str
) -> None:
    assert troubles(replace(WELL, **change)) == {part: reason}


def test_all_is_well_when_nothing_is_wrong() -> None:
    assert troubles(WELL) == {}


def test_a_camera_that_was_behind_long_ago_is_no_trouble() -> None:
    long_ago = Instant(AT.utc, AT.monotonic_s - BEHIND_SHOWN_S, "boot")
    assert troubles(replace(WELL, cameras=(replace(CAMERA, behind_at=long_ago),))) == {}


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    running = MetricsServer("127.0.0.1", 0, lambda: WELL)
    yield running
    running.close()


def get(server: MetricsServer, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", trust_env=False)


def test_healthz_is_json_with_every_camera(server: MetricsServer) -> None:
    answer = get(server, "/healthz").json()
    assert answer["state"] == "ok"
    assert answer["cameras"] == {"cam-01": "ok"}
    assert answer["waiting_reports"] == 1
    assert json.dumps(answer["reasons"]) == "{}"


def test_metrics_are_readable_by_prometheus(server: MetricsServer) -> None:
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(get(server, "/metrics").text)
        for sample in family.samples
    }
    assert samples["gridwatch_looks_total",] == 10
    assert samples["gridwatch_reports_receipted_total",] == 3
    assert samples["gridwatch_camera_reconnects_total", "cam-01"] == 2
    assert samples["gridwatch_camera_frames_passed_over_total", "cam-01"] == 4
    assert samples["gridwatch_camera_state", "cam-01", "ok"] == 1
    assert samples["gridwatch_camera_last_frame_age_seconds", "cam-01"] == 2
    assert samples["process_resident_memory_bytes",] > 0


def test_there_is_nothing_else(server: MetricsServer) -> None:
    assert get(server, "/etc/passwd").status_code == 404


def test_an_address_that_is_taken_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1:\d+ .*metrics\.port"),
    ):
        MetricsServer("127.0.0.1", taken.getsockname()[1], lambda: WELL)
