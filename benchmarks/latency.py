"""From frame to case: capture, decoding, look, judgement, evidence, store, MQTT, SQLite, receipt.

A real broker, a real centre, a real agent under load. Issues are confirmed at their first look, so
that nothing but the way itself is timed. A case counts from the moment at which another process
reads it in the centre's database; the receipt, which the centre may hold back a quarter of a second
for an agent that it just told something, is timed of its own, and so are the stills, which come
after their report. How many cameras the machine carries is found first, in the same run; three
quarters of them are the load.
"""

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.density import Plan as DensityPlan
from benchmarks.density import carried_now, part_of
from benchmarks.fleet import Row
from benchmarks.footage import CACHE, Footage
from benchmarks.result import label, result
from benchmarks.rounds import BusyShare, OtherLoad, load_summary, percentile
from benchmarks.site import Site
from edge_agent.runtimes import Choice

WARM_S = 12.0
SEARCH_S = 8.0
CALM_WITHIN_S = 60.0
# A street raises a few a day; each costs a still, a quarter of a second of a core.
EVENTS_PER_S = 0.25
LOOK_IN_EVERY_S = 0.004
RULE = {"seen_m": 1, "of_n": 1, "dwell_s": 0, "clear_after_s": 600}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: so many cameras of a row (0: three quarters of all it carries), so long."""

    model: Path
    clip: Path | None
    choice: Choice
    row: Row
    cameras: int
    seconds: float


@dataclass(slots=True)
class Heard:
    """What passed on the broker: when each report was captured, published, and receipted."""

    captured_s: dict[int, float] = field(default_factory=dict)
    raised: dict[str, float] = field(default_factory=dict)
    shown_s: dict[str, float] = field(default_factory=dict)
    published_s: dict[int, float] = field(default_factory=dict)
    receipted_s: dict[int, float] = field(default_factory=dict)
    filed_s: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, topic: str, payload: bytes, at_s: float) -> None:
        """Take a message, at the moment at which it was heard."""
        body = json.loads(payload)
        with self.lock:
            if topic.endswith("/issue") and body.get("phase") == "raised":
                captured = datetime.fromisoformat(body["captured_at"])
                self.captured_s[body["seq"]] = captured.timestamp()
                self.published_s[body["seq"]] = at_s
                self.raised[body["issue_id"]] = captured.timestamp()
            elif topic.endswith("/issue") and body.get("evidence"):
                self.shown_s.setdefault(body["issue_id"], at_s)
            elif topic.endswith("/receipt"):
                for first, last in body["ranges"]:
                    for seq in range(max(first, last - 1000), last + 1):
                        self.receipted_s.setdefault(seq, at_s)

    def since_capture_ms(self, moments_s: dict[int, float], after_s: float) -> list[float]:
        """Return how long after its frame each report reached a moment, milliseconds."""
        return [
            1000 * (moments_s[seq] - at_s)
            for seq, at_s in self.captured_s.items()
            if seq in moments_s and at_s > after_s
        ]

    def issues_ms(self, moments_s: dict[str, float], after_s: float) -> list[float]:
        """Return how long after its frame each issue reached a moment, milliseconds."""
        return [
            1000 * (moments_s[issue_id] - at_s)
            for issue_id, at_s in self.raised.items()
            if issue_id in moments_s and at_s > after_s
        ]


class Reader:
    """Reads new cases in the centre's database, as anybody else would, every few milliseconds."""

    def __init__(self, database: Path, heard: Heard) -> None:
        self._database = database
        self._heard = heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)
        last = 0
        while not self._stop.wait(LOOK_IN_EVERY_S):
            query = "SELECT rowid, issue_id FROM sighting WHERE rowid > ? ORDER BY rowid"
            for row, issue_id in connection.execute(query, (last,)).fetchall():
                last = row
                self._heard.filed_s[str(UUID(issue_id))] = time.time()
        connection.close()


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure; returns percentiles from frame to broker and from frame to case."""
    clip, others = Footage(plan.row.height).made(plan.clip), OtherLoad()
    carried = 0
    if not plan.cameras:
        search = DensityPlan(plan.model, plan.clip, plan.choice, (plan.row,), SEARCH_S)
        carried = carried_now(plan.row, clip, search, say)
        plan = replace(plan, cameras=part_of(carried))
    body = result("latency", "from frame to case, confirmation time aside", plan.model)
    body |= {"choice": label(plan.choice), "row": plan.row.name, "cameras": plan.cameras,
             "carried": carried or None}  # fmt: skip
    heard, looks = _run(plan, clip, say)
    _add_figures(body, heard, plan, looks)
    body["other_load"] = load_summary([others.share()])
    return body


@dataclass(frozen=True, slots=True)
class Counted:
    """What the agent did in the measured time, from when on, and how busy the machine was."""

    since_s: float
    looks_per_s: float
    dropped: float
    busy_share: float


def _run(plan: Plan, clip: Path, say: Callable[[str], None]) -> tuple[Heard, Counted]:
    """Run the city for a while; returns what passed on the broker, and what the agent did."""
    heard = Heard()
    with Site(CACHE / "latency", plan.model) as site:
        site.start_broker()
        site.start_centre()
        client = _listen(site.mqtt_port, heard)
        reader = Reader(site.database, heard)
        _start_agent(site, plan, clip)
        looked = site.wait_for(lambda: _looks(site) > 0, "the first look")
        say(f"{plan.cameras} cameras, {plan.row.name}: first look after {looked:.1f} s")
        threading.Event().wait(WARM_S)
        site.wait_for(lambda: _stretch(site) <= 1.0, "a start that is over", CALM_WITHIN_S)
        began_s, before, busy = datetime.now(UTC).timestamp(), site.metrics(), BusyShare()
        threading.Event().wait(plan.seconds)
        after, busy_share = site.metrics(), busy.share()
        client.loop_stop()
        reader.close()

    def more(name: str) -> float:
        return after.get((name, ""), 0.0) - before.get((name, ""), 0.0)

    looks_per_s = more("gridwatch_looks_total") / plan.seconds
    return heard, Counted(began_s, looks_per_s, more("gridwatch_looks_dropped_total"), busy_share)


def _add_figures(body: dict[str, Any], heard: Heard, plan: Plan, counted: Counted) -> None:
    published = heard.since_capture_ms(heard.published_s, counted.since_s)
    receipted = heard.since_capture_ms(heard.receipted_s, counted.since_s)
    cased = heard.issues_ms(heard.filed_s, counted.since_s)
    shown = heard.issues_ms(heard.shown_s, counted.since_s)
    body["figures"] = {
        "frame to broker, ms median": {"median": round(percentile(published, 0.5), 1)},
        "frame to broker, ms p95": {"median": round(percentile(published, 0.95), 1)},
        "frame to case, ms median": {"median": round(percentile(cased, 0.5), 1)},
        "frame to receipt, ms p95": {"median": round(percentile(receipted, 0.95), 1)},
        "frame to stills named, ms p95": {"median": round(percentile(shown, 0.95), 1)},
        "issues": {"median": len(cased)},
        "looks/s": {"median": round(counted.looks_per_s, 1)},
        "looks/s asked for": {"median": plan.cameras * plan.row.per_s},
        "looks dropped": {"median": counted.dropped},
        "machine busy, %": {"median": round(100 * counted.busy_share)},
    }
    if cased:
        body["figures"]["frame to case, ms p95"] = {"median": round(percentile(cased, 0.95), 1)}
    body["samples"] = {"to_broker_ms": published, "to_case_ms": cased, "to_stills_ms": shown}


def _start_agent(site: Site, plan: Plan, clip: Path) -> None:
    looks = {"every_s": plan.row.every_s, "decode": plan.row.decode, "tiles": [1, 1]}
    still = ("bin_overflow", "exposed_garbage", "manhole_damaged", "manhole_missing")
    camera = {
        "streams": {"detect": {"url": str(clip), "loop": True}},
        "looks": dict.fromkeys(("default", *still), looks),
        "rules": {"street_vendor": RULE},
        "evidence": {"clips": False},
    }
    config = site.write_agent({f"cam-{number}": camera for number in range(plan.cameras)})
    every = max(1, round(plan.cameras * plan.row.per_s / EVENTS_PER_S))
    site.start("agent", [sys.executable, "-m", "benchmarks.planting", str(config), str(every)])


def _listen(port: int, heard: Heard) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _c, _u, m: heard.take(m.topic, bytes(m.payload), time.time())
    client.connect("127.0.0.1", port)
    client.subscribe([("gridwatch/1/bench/gw-1/issue", 1), ("gridwatch/1/bench/gw-1/receipt", 1)])
    client.loop_start()
    return client


def _stretch(site: Site) -> float:
    return site.metrics().get(("gridwatch_interval_stretch", ""), 0.0)


def _looks(site: Site) -> float:
    return site.metrics().get(("gridwatch_looks_total", ""), 0.0)
