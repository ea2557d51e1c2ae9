"""An hourly synthetic report, and the alarm when its receipt stays away."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.messages import Canary, Receipt
from edge_agent.canary import EVERY_S, RECEIPT_WITHIN_S, CanaryWatch
from edge_agent.clock import Instant
from edge_agent.config import AgentInfo
from edge_agent.store import Store

T0 = Instant(datetime(2026, 7, 1, 8, tzinfo=UTC), 100.0, "boot")
AGENT = AgentInfo(city="demo", id="gw-01")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, 10_000_000) as opened:
        yield opened


def receipt(store: Store, *seqs: int) -> None:
    ranges = tuple((seq, seq) for seq in seqs)
    store.settle(
        Receipt(agent_id="gw-01", outbox_id=store.outbox_id, ranges=ranges, centre_time=T0.utc)
    )


def test_one_is_put_out_at_once_and_then_every_hour(store: Store) -> None:
    watch = CanaryWatch(AGENT, store)
    assert watch.tick(T0)
    body = Canary.model_validate_json(store.due(0, 9)[0].body)
    assert (body.agent_id, body.seq, body.made_at) == ("gw-01", 1, T0.utc)
    receipt(store, 1)
    assert not watch.tick(T0.plus(5))
    assert watch.now.receipted_at == T0.plus(5).utc
    assert not watch.tick(T0.plus(EVERY_S - 1))
    assert watch.tick(T0.plus(EVERY_S))
    assert [json.loads(report.body)["seq"] for report in store.due(0, 9)] == [2]


def test_a_receipt_that_stays_away_raises_the_alarm_until_it_comes(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    watch = CanaryWatch(AGENT, store)
    watch.tick(T0)
    watch.tick(T0.plus(RECEIPT_WITHIN_S - 1))
    assert watch.now.trouble == ""
    watch.tick(T0.plus(RECEIPT_WITHIN_S))
    watch.tick(T0.plus(RECEIPT_WITHIN_S + 5))
    assert watch.now.trouble.startswith("no receipt since 2026-07-01T08:00:00.000Z")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    receipt(store, 1)
    watch.tick(T0.plus(RECEIPT_WITHIN_S + 10))
    assert watch.now.trouble == ""


def test_never_more_than_one_waits(store: Store) -> None:
    watch = CanaryWatch(AGENT, store)
    for hour in range(5):
        watch.tick(T0.plus(hour * EVERY_S))
    assert store.counts().reports == 1


def test_one_that_an_earlier_process_left_is_waited_for(store: Store) -> None:
    CanaryWatch(AGENT, store).tick(T0)
    again = CanaryWatch(AGENT, store)
    assert not again.tick(T0.plus(EVERY_S))
    again.tick(T0.plus(EVERY_S + RECEIPT_WITHIN_S))
    assert again.now.trouble
