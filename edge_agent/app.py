"""The agent put together: built from its files, supervised while it runs, stopped in order.

Threads: one a camera, the engine's, the judge's, the publisher's, the uploader's, a heartbeat. A
thread that dies is logged and started again; here alone every exception is caught.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Literal

from contract.messages import AgentStatus, CameraState, Command, ModelRef
from contract.topics import AgentAddress
from edge_agent import __version__
from edge_agent.actions import Actions
from edge_agent.asks import Ask
from edge_agent.backoff import backoff_s
from edge_agent.camera import Camera, CameraSinks, Source
from edge_agent.canary import CanaryWatch
from edge_agent.clip_desk import ClipDesk
from edge_agent.clock import SystemClock
from edge_agent.command_book import CommandBook
from edge_agent.commands import Commands, Duties
from edge_agent.config import AgentConfig, CameraConfig, config_sha256
from edge_agent.core_turns import CoreTurns
from edge_agent.crashes import FORGIVEN_AFTER_S, CrashBook
from edge_agent.decoding import DecodePolicy
from edge_agent.detector import Detector, Detects
from edge_agent.engine import Engine, lanes_of
from edge_agent.errors import CommandRefused
from edge_agent.evidence_limits import trim
from edge_agent.evidence_stream import EvidenceStream
from edge_agent.issue_state import CameraIssues
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.judging import Desks, Hooks, JudgedCamera, Judging
from edge_agent.locked import Locked
from edge_agent.looks import plans_of, turn_of
from edge_agent.metrics import MetricsServer, Snapshot, Totals
from edge_agent.model import ModelCard, load_card, verified_path
from edge_agent.probing import Probe, choose
from edge_agent.publisher import Publisher
from edge_agent.shedding import overloaded
from edge_agent.signature import check_signature
from edge_agent.still_desk import StillDesk
from edge_agent.store import Evidence, Store
from edge_agent.suppressions import Suppression
from edge_agent.to_come import saved_in
from edge_agent.uploader import Uploader
from edge_agent.view_files import Views, slot_of
from edge_agent.watching import EngineHooks, Watching, fallen_behind
from edge_agent.witness import MASK_TILES, DetectClosely, Witness, clip_source

log = logging.getLogger(__name__)

# Street cameras are 16:9; networks for other shapes are loaded when they are met.
WIDE = (1920, 1080)
STOP_WITHIN_S = 1.8
# Cameras are opened one after the other: opening costs more than playing.
STAGGER_S = 0.05
HEARTBEAT_S = 5.0
HEALTH_EVERY_S = 60.0
# What is learned of a view changes slowly, and compressing it costs a few milliseconds a camera.
SAVE_VIEWS_EVERY_S = 600.0
RESTART_FIRST_S = 1.0
RESTART_LONGEST_S = 30.0

Work = Callable[[threading.Event], None]


class Supervisor:
    """Runs named work in threads and starts again what dies."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.restarts = 0
        self._awaited: list[threading.Thread] = []

    def start(self, name: str, work: Work, *, awaited: bool = True) -> None:
        """Run `work(stop)` in a thread of its own until it returns.

        What is not `awaited` holds nothing and may end with the process: a camera that is being
        opened and a running inference cannot be interrupted.
        """
        thread = threading.Thread(target=self._run, args=(name, work), name=name, daemon=True)
        if awaited:
            self._awaited.append(thread)
        thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for the awaited threads; return whether all have ended."""
        deadline_s = monotonic() + seconds
        for thread in self._awaited:
            thread.join(max(0.0, deadline_s - monotonic()))
        return not any(thread.is_alive() for thread in self._awaited)

    def _run(self, name: str, work: Work) -> None:
        failures = 0
        while not self.stop.is_set():
            began_s = monotonic()
            try:
                work(self.stop)
                return
            except Exception:
                failures = 1 if monotonic() - began_s > RESTART_LONGEST_S else failures + 1
                self.restarts += 1
                wait_s = backoff_s(failures, RESTART_FIRST_S, RESTART_LONGEST_S)
                log.exception("thread %s died; started again in %.1f s", name, wait_s)
                self.stop.wait(wait_s)


class App:
    """One agent. Building it raises AgentError for whatever cannot work."""

    def __init__(
        self,
        config: AgentConfig,
        cameras: Mapping[Path, CameraConfig],
        detector: Detects,
        reread: Callable[[], None] | None = None,
    ) -> None:
        """Build the agent; `reread` reads its files anew to see whether they can be used."""
        self._reread = reread
        self.reload_wanted = False
        self._config = config
        self._cameras = {one.camera.id: one for one in cameras.values()}
        self._sources = {one.camera.id: Source.of(path, one) for path, one in cameras.items()}
        self._full_streams = {
            one.camera.id: Source.evidence_of(path, one) for path, one in cameras.items()
        }
        self._clock = SystemClock()
        self._since = self._clock.now()
        self._supervisor = Supervisor()
        self._engine_stop = threading.Event()
        self._turns = CoreTurns()
        self._model: ModelRef = detector.card.reference(detector.card.files[0])
        self._store = _store(config)
        self._crashes = CrashBook(config.state_dir)
        self._views = Views(cameras, config.state_dir)
        address = AgentAddress(config.agent.city, config.agent.id)
        self._publisher = Publisher(address, config.broker, self._store, self._clock, self)
        self._uploader = Uploader(config.centre, self._store)
        self._canary = CanaryWatch(config.agent, self._store)
        look_closely = Locked(detector.detect)
        self._footage = {one.camera.id: clip_source(one) for one in cameras.values()}
        self._clips = ClipDesk(
            self._footage, lambda picture: look_closely(picture, MASK_TILES), self._clock
        )
        self._stills = StillDesk()
        self._actions = Actions(config.actions, self._clock)
        desks = Desks(self._stills, self._clips)
        self._judging = Judging(
            self._judged(detector.card, look_closely),
            detector.card, config.agent, self._store, self._judging_hooks(), desks,
        )  # fmt: skip
        lanes = lanes_of(detector.choice, self._turns)
        self._engine = Engine(detector.detect_many, self._judging.put, self._clock, lanes)
        self._overload = ""
        self._book = CommandBook(config.state_dir)
        duties = Duties(frozenset(self._cameras), self, self._reload, self._publisher.wake)
        self._commands = Commands(config.agent.id, self._book, duties, self._clock)
        self._watching = {
            camera_id: Watching(
                camera_id, plans_of(one), self._engine_hooks(number), self._on_change,
                self._clock, self._views.eyes(camera_id),
            )
            for number, (camera_id, one) in enumerate(self._cameras.items())
        }  # fmt: skip

    def run(self, seconds: float | None = None) -> None:
        """Work until `stop`, or for so many seconds. Raises AgentError when it cannot begin."""
        self._judging.withdraw_what_changed(self._clock.now(), self._views.changed)
        metrics = self._config.metrics
        server = MetricsServer(metrics.host, metrics.port, self.snapshot) if metrics.port else None
        start = self._supervisor.start
        with self._crashes.watching():
            start("engine", self._run_engine, awaited=False)
            start("judge", self._judging.run)
            start("actions", self._actions.run, awaited=False)
            start("publisher", self._publisher.run)
            start("uploader", self._uploader.run)
            start("stills", self._stills.run, awaited=False)
            start("clips", self._clips.run, awaited=False)
            start("heartbeat", self._heartbeat)
            for number, camera_id in enumerate(self._cameras):
                self._start_camera(camera_id, number * STAGGER_S)
            log.info("agent %s runs with %d cameras", self._config.agent.id, len(self._cameras))
            self._supervisor.stop.wait(seconds)
            if server:
                server.close()
            self._shut_down()

    def stop(self) -> None:
        """Have `run` return soon; fit for a signal handler."""
        self._supervisor.stop.set()

    def snapshot(self) -> Snapshot:
        """Return the whole agent at this moment."""
        judged = self._judging.counts
        return Snapshot(
            at=self._clock.now(),
            cameras=tuple(one.now() for one in self._watching.values()),
            totals=Totals(
                looks=judged.looks,
                dropped=self._engine.counts.dropped,
                late=self._engine.counts.late,
                issues_raised=judged.raised,
                reports=judged.reports,
                receipted=self._publisher.receipted,
                replayed=self._publisher.replayed,
                pictures_uploaded=self._uploader.uploaded,
                stills=self._stills.counts,
                clips=self._clips.counts,
                restarts=self._supervisor.restarts,
                withheld=self._judging.withheld,
                actions=replace(self._actions.counts),
            ),
            store=self._store.counts(),
            store_trouble=self._judging.trouble,
            broker=self._publisher.state,
            centre_trouble=self._uploader.trouble,
            canary=self._canary.now,
            clock=self._publisher.clock_state(),
            stretch=self._engine.stretch,
            free_bytes=shutil.disk_usage(self._config.state_dir).free,
            suppressions=len(self._commands.suppressions()),
        )

    # -- what the publisher asks

    def status(self, state: Literal["online", "offline"]) -> AgentStatus:
        """Describe the agent as of now."""
        return AgentStatus(
            city=self._config.agent.city,
            agent_id=self._config.agent.id,
            state=state,
            since=self._since.utc,
            version=__version__,
            outbox_id=self._store.outbox_id,
            waiting_reports=self._store.counts().reports,
            canary_receipted_at=self._canary.now.receipted_at,
            canary_trouble=self._canary.now.trouble,
            cameras=tuple(self._cameras),
            model=self._model,
            config_sha256=config_sha256(self._config, *self._cameras.values()),
        )

    def command(self, command: Command) -> None:
        """Carry out a command, or refuse it."""
        self._commands.take(command)

    def answers(self, limit: int) -> list[bytes]:
        """Take the answers to commands that wait to be sent."""
        return self._book.take_unsent(limit)

    # -- what commands ask

    def suppress(self, camera_id: str, suppressions: tuple[Suppression, ...]) -> None:
        """Raise nothing at these places from now on, and withdraw what is open there."""
        self._judging.suppress(camera_id, suppressions, self._clock.now())

    def look_again(self, ask: Ask) -> None:
        """Look at the camera as soon as possible, and answer."""
        self._judging.asks.put(ask)
        self._watching[ask.camera_id].look_now()

    def _reload(self) -> str:
        """Read the files anew and stop, to be started with them. Raises AgentError."""
        if self._reread is None:
            raise CommandRefused("this agent was not started from files; restart it")
        self._reread()
        self.reload_wanted = True
        self.stop()
        return "the files can be used; the agent starts again with them"

    # -- inside

    def _engine_hooks(self, number: int) -> EngineHooks:
        return EngineHooks(self._engine.offer, lambda: self._engine.stretch, turn_of(number))

    def _judging_hooks(self) -> Hooks:
        return Hooks(
            self._publisher.clock_state,
            self._on_look,
            self._on_commit,
            self._on_moved,
            self._actions.offer,
        )

    def _judged(self, card: ModelCard, look_closely: DetectClosely) -> dict[str, JudgedCamera]:
        near = Surroundings.read(self._config.grid, self._config.components)
        states = self._store.states()
        judged = {}
        for camera_id, config in self._cameras.items():
            footage = self._footage[camera_id]
            witness = Witness(look_closely, footage.ring, mask=footage.mask)
            for preset_id, view in config.views().items():
                slot = slot_of(camera_id, preset_id)
                saved = states.get(slot)
                state = CameraIssues.from_json(saved) if saved else CameraIssues(slot)
                awaited = saved_in(saved) if saved else {}
                judge = CameraJudge(view, card, near, state)
                judged[slot] = JudgedCamera(view, judge, witness, preset_id, to_come=awaited)
        return judged

    def _start_camera(self, camera_id: str, after_s: float) -> None:
        watching, config = self._watching[camera_id], self._cameras[camera_id]
        if not self._crashes.admits(camera_id, config_sha256(config)):
            watching.on_state(
                CameraState.SET_ASIDE,
                "its decoding crashed the agent twice; change its camera file (another stream, "
                "another codec) to have it tried again",
            )
            return
        ring, full = self._footage[camera_id].ring, self._full_streams.get(camera_id)
        camera = Camera(
            self._sources[camera_id],
            DecodePolicy.of(config),
            CameraSinks(
                watching.on_frame,
                watching.on_state,
                None if full else ring,
                watching.wait_s,
                self._turns,
            ),
            self._clock,
            counts=watching.counts,
        )
        work = partial(self._run_camera, camera, after_s)
        self._supervisor.start(f"camera {camera_id}", work, awaited=False)
        if full:
            stream = EvidenceStream(full, ring, self._clock)
            self._supervisor.start(f"evidence {camera_id}", stream.run, awaited=False)

    def _run_camera(self, camera: Camera, after_s: float, stop: threading.Event) -> None:
        stop.wait(after_s)
        self._crashes.decoding_here(camera.source.camera_id)
        camera.run(stop)

    def _run_engine(self, stop: threading.Event) -> None:
        """Run the engine with a stop of its own, which it sets itself when a worker dies."""
        self._engine_stop.clear()
        if not stop.is_set():
            self._engine.run(self._engine_stop)

    def _heartbeat(self, stop: threading.Event) -> None:
        last = saved = self._clock.now()
        while not stop.wait(HEARTBEAT_S):
            now = self._clock.now()
            if now.seconds_since(saved) >= SAVE_VIEWS_EVERY_S:
                saved = now
                self._views.save()
            self._tell_overload()
            self._commands.tick()
            if self._canary.tick(now):
                self._publisher.wake()
            for camera_id, watching in self._watching.items():
                camera = watching.now()
                well_s = now.seconds_since(camera.since) if camera.state is CameraState.OK else 0
                if well_s >= FORGIVEN_AFTER_S:
                    self._crashes.decodes_well(camera_id)
            if now.seconds_since(last) >= HEALTH_EVERY_S:
                last = now
                if self._publisher.clock_state().synced:  # a wrong clock makes pictures old
                    trim(self._store, self._config.limits, now.utc)
                for watching in self._watching.values():
                    self._publisher.set_health(watching.health(self._config.agent.id))

    def _tell_overload(self) -> None:
        """Say once when intervals are stretched or decoding falls behind, and once when no more."""
        behind = fallen_behind(self._clock.now(), [one.now() for one in self._watching.values()])
        before, self._overload = self._overload, overloaded(self._engine.stretch) or behind
        if bool(self._overload) != bool(before):
            for watching in self._watching.values():
                self._publisher.set_health(watching.health(self._config.agent.id))
        if self._overload and not before:
            log.warning("%s", self._overload)
        elif before and not self._overload:
            log.info("intervals are kept again, and decoding keeps up")

    def _on_moved(self, camera_id: str, picture: Evidence) -> None:
        self._views.keep_new(camera_id, picture.data)
        self._store.keep_picture(picture)
        watching = self._watching[camera_id]
        watching.on_picture(picture.ref)
        self._publisher.set_health(watching.health(self._config.agent.id))
        self._uploader.wake()

    def _on_look(self, camera_id: str) -> None:
        self._watching[camera_id].on_look()

    def _on_commit(self) -> None:
        self._publisher.wake()
        self._uploader.wake()

    def _on_change(self, watching: Watching) -> None:
        now = watching.now()
        level = logging.INFO if now.state is CameraState.OK else logging.WARNING
        if now.detail:
            log.log(level, "%s: %s", now.state, now.detail)  # which names the camera
        else:
            log.log(level, "camera %s: %s", now.camera_id, now.state)
        self._publisher.set_health(watching.health(self._config.agent.id))

    def _shut_down(self) -> None:
        """Stop in the order of the data; the store closes when nobody can write any more."""
        self._supervisor.stop.set()
        self._engine_stop.set()
        self._engine.wake()
        self._judging.close()
        self._publisher.wake()
        self._uploader.wake()
        if self._supervisor.join(STOP_WITHIN_S):
            self._views.save()
            self._publisher.close()
            self._store.close()
            self._book.close()
        log.info("agent %s stopped", self._config.agent.id)


def _store(config: AgentConfig) -> Store:
    return Store(config.state_dir, config.limits.store_bytes, config.limits.ledger)


def detector_of(config: AgentConfig) -> Detector:
    """Build the one detector of all threads, in the runtime that is fastest here.

    Raises ModelError for a model that was changed or that nobody trusted has signed.
    """
    check_signature(config.model, config.model_keys)
    card = load_card(config.model)
    for file in card.files:
        verified_path(config.model, file)
    probe = Probe(config.model, config.runtime, config.limits.inference_threads)
    chosen = choose(probe, config.state_dir)
    log.info("inference: %s: %s", chosen.choice, chosen.why)
    detector = Detector(config.model, choice=chosen.choice)
    # Loaded now, so that no camera's first looks wait for it.
    detector.warm_up(*WIDE)
    return detector
