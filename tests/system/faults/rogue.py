"""Somebody on the broker who means no good: hostile bytes, repeats in any order, a flood."""

import json
import random
from collections.abc import Iterable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from simulated_agent import CITY, EXAMPLE

FLOOD = 2000
FLOODER = "gw-flood"


class Rogue:
    """Publishes whatever it likes; subscribes to nothing, so that the broker knows of no reader."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "rogue", protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def hostile(self, seed: int) -> None:
        """Publish what is no report, in an agent's name too."""
        chance = random.Random(seed)
        for body in hostile_bodies(chance):
            agent = chance.choice(["gw-0", "gw-1", "rogue", "x" * 65, ""])
            self._publish(f"gridwatch/1/{CITY}/{agent}/issue", body)

    def repeat(self, seed: int, reports: Iterable[tuple[str, bytes]]) -> None:
        """Publish real reports, each an agent's name and a body, once more and shuffled."""
        shuffled = list(reports)
        random.Random(seed).shuffle(shuffled)
        for agent_id, body in shuffled:
            self._publish(f"gridwatch/1/{CITY}/{agent_id}/issue", body)

    def flood(self) -> None:
        """Publish one valid report of an agent of its own, thousands of times."""
        body = json.loads(EXAMPLE.read_text()) | {"city": CITY, "agent_id": FLOODER}
        for _ in range(FLOOD):
            self._publish(f"gridwatch/1/{CITY}/{FLOODER}/issue", json.dumps(body).encode())

    def leave(self) -> None:
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, topic: str, body: bytes) -> None:
        self._client.publish(topic, body, qos=0)


def hostile_bodies(chance: random.Random) -> list[bytes]:
    """Bytes, broken JSON, and JSON that lies, none of which names a real agent's outbox."""
    whole = EXAMPLE.read_bytes()
    example: dict[str, Any] = json.loads(whole)
    lies: list[dict[str, Any]] = [
        {"revision": 2**70}, {"seq": -1}, {"seq": 2**64}, {"score": "NaN"}, {"position": []},
        {"schema": "issue/9.0"}, {"schema": "issue/1.7"}, {"agent_id": "../.."}, {"cells": {}},
        {"issue_id": "'; DROP TABLE report; --"}, {"category": "\u0000"}, {"box_xyxyn": [1, 1, 0, 0]},
        {"first_seen_at": "9999-12-31T23:59:59Z"}, {"captured_at": "-1"}, {"city": "别的城"},
    ]  # fmt: skip
    return [
        b"",
        b"\xff\xfe\x00",
        chance.randbytes(chance.randrange(1, 5000)),
        whole[: chance.randrange(1, len(whole))],
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b"9" * 5000,
        b'{"seq": ' + b"1" * 5000 + b"}",
        whole + b" " * 300_000,
        *(json.dumps(example | lie).encode() for lie in lies),
    ]
