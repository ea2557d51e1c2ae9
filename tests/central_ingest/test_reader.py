"""The reading process as who files sees it; with a broker it is tried in `test_ingest`."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from paho.mqtt import publish as mqtt_publish
from paho.mqtt.enums import MQTTProtocolVersion

from benchmarks import broker
from benchmarks.site import children_of
from central_ingest.config import BrokerSettings, IngestSettings
from central_ingest.errors import SubscriberStopped
from central_ingest.handover import Batch
from central_ingest.reader import Reader


@pytest.fixture
def reader() -> Iterator[Reader]:
    with closing(socket.create_server(("127.0.0.1", 0))) as nobody:
        port = nobody.getsockname()[1]
    made = Reader("test", BrokerSettings(port=port), IngestSettings())
    made.start()
    yield made
    made.stop()


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def take_until_it_says(reader: Reader, word: str) -> None:
    ends_s = time.monotonic() + 30
    while word not in reader.detail and time.monotonic() < ends_s:
        assert reader.take(0.1) is None
    assert word in reader.detail


def publish(port: int, body: str) -> None:
    topic = "gridwatch/1/demo/gw-01/issue"
    mqtt_publish.single(topic, body, qos=1, port=port, protocol=MQTTProtocolVersion.MQTTv5)


def take(reader: Reader) -> Batch:
    ends_s = time.monotonic() + 30
    while (batch := reader.take(0.1)) is None:
        assert time.monotonic() < ends_s
    return batch


def bodies(batch: Batch) -> list[bytes]:
    return [one.delivery.body for one in batch.messages]


def test_a_reader_without_a_broker_says_so(reader: Reader) -> None:
    take_until_it_says(reader, "no broker answers")
    assert not reader.connected


def test_what_is_forgotten_the_broker_sends_again_and_what_was_acknowledged_it_does_not() -> None:
    with broker.running() as port:
        reader = Reader("test", BrokerSettings(port=port, reconnect_max_s=1), IngestSettings())
        reader.start()
        take_until_it_says(reader, "connected to")
        publish(port, "first")
        first = take(reader)
        reader.acknowledge([first.number])
        publish(port, "second")
        second = take(reader)
        reader.forget([second.number])
        assert bodies(take(reader)) == bodies(second) == [b"second"]
        reader.stop()


def test_who_asks_a_reading_process_that_was_killed_is_told(reader: Reader) -> None:
    take_until_it_says(reader, "no broker answers")
    (child,) = [pid for pid in children_of(os.getpid()) if "central_ingest.reader" in command(pid)]
    os.kill(child, signal.SIGKILL)
    with pytest.raises(SubscriberStopped, match="the reading process ended"):
        reader.take(20)
    reader.send([("a/topic", b"a body")])  # goes nowhere, as while disconnected
