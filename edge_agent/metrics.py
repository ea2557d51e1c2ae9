"""`/metrics` for Prometheus and `/healthz` for people and supervisors, on a small HTTP server.

Everything is read from one `Snapshot` at the moment of the request; nothing counts here.
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from contract.messages import CameraState, ClockState
from edge_agent.actions import ActionCounts
from edge_agent.canary import CanaryNow
from edge_agent.clock import Instant
from edge_agent.desk import DeskCounts
from edge_agent.errors import ConfigError
from edge_agent.publisher import BrokerState
from edge_agent.shedding import overloaded
from edge_agent.store import StoreCounts
from edge_agent.watching import CameraNow, fallen_behind

LOW_DISK_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Totals:
    """What was done since the agent started."""

    looks: int = 0
    dropped: int = 0
    late: int = 0
    issues_raised: int = 0
    reports: int = 0
    receipted: int = 0
    replayed: int = 0
    pictures_uploaded: int = 0
    stills: DeskCounts = field(default_factory=DeskCounts)
    clips: DeskCounts = field(default_factory=DeskCounts)
    restarts: int = 0
    withheld: int = 0
    actions: ActionCounts = field(default_factory=ActionCounts)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole agent at one moment."""

    at: Instant
    cameras: tuple[CameraNow, ...]
    totals: Totals
    store: StoreCounts
    store_trouble: str
    broker: BrokerState
    centre_trouble: str
    clock: ClockState
    free_bytes: int
    stretch: float = 1.0
    suppressions: int = 0
    canary: CanaryNow = field(default_factory=CanaryNow)


def troubles(snapshot: Snapshot) -> dict[str, str]:
    """Return what is wrong, in words, by the part that it is wrong with; empty: all is well."""
    found = {
        f"camera {camera.camera_id}": f"{camera.state}: {camera.detail}".rstrip(": ")
        for camera in snapshot.cameras
        if camera.state is not CameraState.OK
    }
    if snapshot.broker.detail:
        found["broker"] = snapshot.broker.detail
    if snapshot.centre_trouble:
        found["centre"] = snapshot.centre_trouble
    if snapshot.canary.trouble:
        found["canary"] = snapshot.canary.trouble
    if snapshot.store_trouble:
        found["store"] = snapshot.store_trouble
    if overload := overloaded(snapshot.stretch):
        found["load"] = overload
    if behind := fallen_behind(snapshot.at, snapshot.cameras):
        found["decoding"] = behind
    if snapshot.free_bytes < LOW_DISK_BYTES:
        found["disk"] = f"only {snapshot.free_bytes // 1_000_000} MB are free"
    return found


def healthz(snapshot: Snapshot) -> bytes:
    """Write the health as JSON: `ok` or `degraded` with the reasons."""
    reasons = troubles(snapshot)
    document = {
        "state": "degraded" if reasons else "ok",
        "reasons": reasons,
        "cameras": {camera.camera_id: camera.state for camera in snapshot.cameras},
        "waiting_reports": snapshot.store.reports,
        "waiting_pictures": snapshot.store.pictures,
    }
    return json.dumps(document, ensure_ascii=False).encode()


class SnapshotCollector(Collector):
    """Turns a snapshot into metrics, all named `gridwatch_…`."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as of now."""
        snapshot = self._snapshot()
        yield from _totals(snapshot)
        yield from _gauges(snapshot)
        yield from _cameras(snapshot)


def _totals(snapshot: Snapshot) -> Iterator[Metric]:
    totals, given_up = snapshot.totals, snapshot.store.given_up
    for name, help_text, value in (
        ("looks", "frames judged", totals.looks),
        ("looks_dropped", "due frames replaced by newer ones, or too old", totals.dropped),
        (
            "looks_late",
            "due frames dropped because they were older than their interval",
            totals.late,
        ),
        ("issues_raised", "reports with phase raised", totals.issues_raised),
        ("reports", "reports committed", totals.reports),
        ("reports_receipted", "reports that the centre holds", totals.receipted),
        ("reports_replayed", "reports offered again", totals.replayed),
        ("pictures_uploaded", "pictures that the centre took", totals.pictures_uploaded),
        ("stills_made", "masked stills of reports", totals.stills.made),
        ("stills_given_up", "stills that could not be made", totals.stills.given_up),
        ("clips_made", "masked clips of issues", totals.clips.made),
        ("clips_given_up", "clips without video, or too many at once", totals.clips.given_up),
        ("thread_restarts", "threads that died and were started again", totals.restarts),
        ("issues_withheld", "not raised because a person suppressed them", totals.withheld),
        ("actions_done", "actions on the spot that happened", totals.actions.done),
        ("actions_failed", "actions on the spot that failed", totals.actions.failed),
        ("actions_skipped", "actions that came too often", totals.actions.skipped),
        ("reports_given_up", "reports lost to the quota, ever", given_up.reports),
        ("pictures_given_up", "pictures lost or never taken, ever", given_up.evidence),
    ):
        yield CounterMetricFamily(f"gridwatch_{name}", help_text, value=value)


def _gauges(snapshot: Snapshot) -> Iterator[Metric]:
    store, clock, canary = snapshot.store, snapshot.clock, snapshot.canary
    for name, help_text, value in (
        ("reports_waiting", "reports without a receipt", store.reports),
        ("pictures_waiting", "pictures not uploaded yet", store.pictures),
        ("store_bytes", "bytes of what waits", store.bytes),
        ("disk_free_bytes", "free on the state's disk", snapshot.free_bytes),
        ("broker_connected", "1 while connected", int(snapshot.broker.connected)),
        ("clock_offset_seconds", "centre minus gateway", clock.offset_s),
        ("clock_error_seconds", "bound of the offset's error", clock.error_s),
        ("interval_stretch", "by how much all intervals are stretched", snapshot.stretch),
        ("suppressions", "places where nothing is raised for now", snapshot.suppressions),
        ("canary_overdue", "1 while a test report's receipt stays away", int(bool(canary.trouble))),
        ("healthy", "1 while nothing is wrong", int(not troubles(snapshot))),
    ):
        yield GaugeMetricFamily(f"gridwatch_{name}", help_text, value=value)


def _cameras(snapshot: Snapshot) -> Iterator[Metric]:
    columns: dict[str, Callable[[CameraNow], float]] = {
        "frames": lambda camera: camera.frames,
        "corrupt_packets": lambda camera: camera.corrupt,
        "frames_passed_over": lambda camera: camera.passed_over,
        "reconnects": lambda camera: camera.reconnects,
        "looks": lambda camera: camera.looks,
        "looks_dropped": lambda camera: camera.dropped,
    }
    for name, value in columns.items():
        family = CounterMetricFamily(
            f"gridwatch_camera_{name}", f"{name} of one camera", labels=["camera"]
        )
        for camera in snapshot.cameras:
            family.add_metric([camera.camera_id], value(camera))
        yield family
    state = GaugeMetricFamily(
        "gridwatch_camera_state", "1 for the state it is in", labels=["camera", "state"]
    )
    age = GaugeMetricFamily(
        "gridwatch_camera_last_frame_age_seconds", "since the last frame", labels=["camera"]
    )
    suspended = GaugeMetricFamily(
        "gridwatch_camera_suspended", "1 while its picture is not judged", labels=["camera"]
    )
    for camera in snapshot.cameras:
        state.add_metric([camera.camera_id, camera.state], 1)
        suspended.add_metric([camera.camera_id], int(camera.suspended))
        if camera.last_frame_at is not None:
            age.add_metric([camera.camera_id], snapshot.at.seconds_since(camera.last_frame_at))
    yield from (state, suspended, age)


class MetricsServer:
    """Serves both pages until it is closed."""

    def __init__(self, host: str, port: int, snapshot: Callable[[], Snapshot]) -> None:
        """Listen. Raises ConfigError when the address is taken or not ours."""
        registry = CollectorRegistry()
        registry.register(SnapshotCollector(snapshot))
        ProcessCollector(registry=registry)
        pages: dict[str, tuple[str, Callable[[], bytes]]] = {
            "/metrics": (CONTENT_TYPE_LATEST, lambda: generate_latest(registry)),
            "/healthz": ("application/json", lambda: healthz(snapshot())),
        }
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(pages))
        except OSError as error:
            raise ConfigError(
                f"metrics: cannot listen on {host}:{port} ({error.strerror}); "
                "choose another metrics.port, or 0 for none"
            ) from None
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(
    pages: dict[str, tuple[str, Callable[[], bytes]]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content_type, page = pages.get(self.path.partition("?")[0], ("", None))
            body = page() if page else b"there are /metrics and /healthz\n"
            self.send_response(200 if page else 404)
            self.send_header("content-type", content_type or "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Leave the log to what matters."""

    return Handler
