"""Looks in, committed reports out: one thread that judges all cameras in the looks' order.

Promise 1 of docs/design: a camera's issue state moves on only together with the reports that its
move caused. When the store cannot commit, the state stays as it was and the next look tries again.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from contract.messages import (
    ClockState,
    EvidenceRef,
    FrameInfo,
    IssueReport,
    Phase,
    Reason,
    ShownMoment,
)
from edge_agent.asks import Asks, LookAnswer
from edge_agent.clip_desk import ClipAsked, ClipDesk, ClipMade
from edge_agent.clock import Instant
from edge_agent.config import AgentInfo, CameraConfig, config_sha256
from edge_agent.errors import StoreError
from edge_agent.evidence import Caption, snapshot, stills
from edge_agent.issue_state import CameraIssues
from edge_agent.issues import repeated, withdraw
from edge_agent.judge import CameraJudge, Judgement
from edge_agent.looks import Look
from edge_agent.model import ModelCard
from edge_agent.policy import Policy
from edge_agent.presence import Place
from edge_agent.reports import Circumstances, Origin, Whereabouts, report_of
from edge_agent.store import Draft, Evidence, Store
from edge_agent.suppressions import Suppression
from edge_agent.witness import Witness

log = logging.getLogger(__name__)

WAITING_LOOKS = 32
SAVE_EVERY_S = 10.0
TO_COME_MAX = 64
# What these phases report can be seen; an update repeats, and a withdrawal shows nothing.
PICTURED: dict[Phase, ShownMoment] = {Phase.RAISED: "raised", Phase.CLEARED: "cleared"}
# A withdrawal at the start is caused by no frame; the contract wants a size.
NO_FRAME = FrameInfo(width=1, height=1, stream="detect")


@dataclass(slots=True)
class JudgedCamera:
    """One camera's judge, what it can show, and the last reports of issues with a clip to come."""

    config: CameraConfig
    judge: CameraJudge
    witness: Witness
    saved: Instant | None = None
    to_come: dict[UUID, Judgement] = field(default_factory=dict)
    frame: FrameInfo = NO_FRAME


@dataclass(slots=True)
class JudgedCounts:
    """What was judged since the agent started."""

    looks: int = 0
    reports: int = 0
    raised: int = 0


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is asked of others, and who wants to know: of looks judged, of what now waits."""

    clock_state: Callable[[], ClockState]
    on_look: Callable[[str], None]
    on_commit: Callable[[], None]


class Judging:
    """Judges looks and commits what follows; `run` is its thread."""

    def __init__(
        self,
        cameras: Mapping[str, JudgedCamera],
        card: ModelCard,
        agent: AgentInfo,
        store: Store,
        hooks: Hooks,
        clips: ClipDesk | None = None,
    ) -> None:
        self._cameras = cameras
        self._card = card
        self._agent = agent
        self._store = store
        self._hooks = hooks
        self._clips = clips
        self._looks: queue.Queue[Look] = queue.Queue(WAITING_LOOKS)
        self._orders: deque[Callable[[], None]] = deque()
        self.asks = Asks()
        self._closed = threading.Event()
        self.counts = JudgedCounts()
        self.trouble = ""

    def put(self, look: Look) -> None:
        """Hand over a look; waits while too many wait, so that the engine drops old frames."""
        while not self._closed.is_set():
            try:
                self._looks.put(look, timeout=0.2)
                return
            except queue.Full:
                continue

    @property
    def withheld(self) -> int:
        """How often a suppression kept something from being raised, ever."""
        return sum(camera.judge.state.withheld for camera in self._cameras.values())

    def close(self) -> None:
        """Take no more looks: whoever waits in `put` returns, and `run` ends."""
        self._closed.set()

    def run(self, stop: threading.Event) -> None:
        """Judge until `stop` or `close`, then commit every camera's last state."""
        while not (stop.is_set() or self._closed.is_set()):
            self.add_clips()
            self.carry_out_orders()
            try:
                look = self._looks.get(timeout=0.2)
            except queue.Empty:
                continue
            self.take(look)
        self.carry_out_orders()
        for camera_id, camera in self._cameras.items():
            self._commit(camera_id, camera.judge.state)

    def take(self, look: Look) -> None:
        """Judge one look and commit what follows from it."""
        camera = self._cameras[look.frame.camera_id]
        before = camera.judge.state
        judgements = camera.judge.judge(look)
        camera.witness.remember(look)
        due = camera.saved is None or look.at.seconds_since(camera.saved) >= SAVE_EVERY_S
        if judgements or (due and camera.judge.state != before):
            drafts, evidence = self._drafts(look, camera, judgements)
            if self._commit(look.frame.camera_id, camera.judge.state, drafts, evidence):
                camera.saved = look.at
                self._ask_for_clips(look, camera, judgements)
            else:
                camera.judge.state = before
        self.counts.looks += 1
        self._hooks.on_look(look.frame.camera_id)
        for ask, answer in self.asks.take(look, camera.judge.state):
            ask.told(self._pictured(look, camera, answer) if ask.picture else answer)

    def suppress(self, camera_id: str, suppressions: tuple[Suppression, ...], at: Instant) -> None:
        """Soon raise nothing at these places, and take back what is open there; any thread."""
        camera = self._cameras[camera_id]

        def order() -> None:
            camera.judge.policy = replace(camera.judge.policy, suppressions=suppressions)
            self._take_back(camera_id, at, Reason.SUPPRESSED, _suppressed(camera.judge.policy, at))

        self._orders.append(order)

    def carry_out_orders(self) -> None:
        """Do what other threads asked for; what the store cannot commit is tried again."""
        while self._orders:
            try:
                self._orders[0]()
            except StoreError as error:
                self.trouble = str(error)
                return
            self._orders.popleft()

    def add_clips(self) -> None:
        """Report the clips that were made since, each with its issue as it stands now."""
        if self._clips is None:
            return
        self._clips.collect()
        for clip in self._clips.made():
            self._add_clip(clip, self._cameras[clip.asked.camera_id])

    def withdraw_what_changed(self, at: Instant) -> None:
        """At the start: take back what is not judged any more.

        Issues of removed cameras, outside edited zones, and of categories that were switched off.

        Raises StoreError.
        """
        for camera_id, state in self._store.states().items():
            camera = self._cameras.get(camera_id)
            if camera is None:
                issues = CameraIssues.from_json(state)
                left, gone = withdraw(issues, at, Reason.CAMERA_REMOVED, lambda _: True)
                judgements = [Judgement(one, Whereabouts()) for one in gone]
                drafts = self._plain_drafts(camera_id, "0" * 64, judgements)
                self._committed(self._store.commit(camera_id, left.to_json(), drafts))
                self._store.forget_camera(camera_id)
                continue
            for reason, which in _changes(camera.judge.policy):
                self._take_back(camera_id, at, reason, which)

    def _take_back(
        self, camera_id: str, at: Instant, reason: Reason, which: Callable[[Place], bool]
    ) -> None:
        """Withdraw a camera's issues at the places that `which` names. Raises StoreError."""
        camera = self._cameras[camera_id]
        judge = camera.judge
        state, gone = withdraw(judge.state, at, reason, which)
        judgements = [Judgement(one, judge.whereabouts(one)) for one in gone]
        drafts = self._plain_drafts(camera_id, config_sha256(camera.config), judgements)
        self._committed(self._store.commit(camera_id, state.to_json(), drafts))
        judge.state = state

    # -- inside

    def _pictured(self, look: Look, camera: JudgedCamera, answer: LookAnswer) -> LookAnswer:
        """Add a masked picture of the look to what somebody asked for."""
        picture = snapshot(camera.witness.now(look), look.at.utc)
        if not self._commit(look.frame.camera_id, camera.judge.state, (), (picture,)):
            return replace(answer, said=f"{answer.said}; the picture was not kept: {self.trouble}")
        self._hooks.on_commit()
        return replace(answer, evidence=(picture.ref,))

    def _ask_for_clips(
        self, look: Look, camera: JudgedCamera, judgements: Sequence[Judgement]
    ) -> None:
        for judgement in judgements:
            issue_id, phase = judgement.transition.issue_id, judgement.transition.phase
            if self._clips is not None and phase in PICTURED:
                camera.to_come[issue_id] = judgement
                camera_id = look.frame.camera_id
                self._clips.ask(ClipAsked(camera_id, issue_id, PICTURED[phase], look.at))
            elif issue_id in camera.to_come:
                camera.to_come[issue_id] = judgement
        while len(camera.to_come) > TO_COME_MAX:
            del camera.to_come[next(iter(camera.to_come))]

    def _add_clip(self, clip: ClipMade, camera: JudgedCamera) -> None:
        last = camera.to_come.get(clip.asked.issue_id)
        again = repeated(camera.judge.state, clip.asked.at, last.transition) if last else None
        if last is None or again is None:
            return
        state, transition = again
        where = camera.judge.whereabouts(transition)
        ref, sha256 = clip.evidence.ref, config_sha256(camera.config)
        drafts = [
            self._draft(
                clip.asked.camera_id, sha256, Judgement(transition, where), camera.frame, (ref,)
            )
        ]
        if self._commit(clip.asked.camera_id, state, drafts, [clip.evidence]):
            camera.judge.state = state

    def _commit(
        self,
        camera_id: str,
        state: CameraIssues,
        drafts: Sequence[Draft] = (),
        evidence: Sequence[Evidence] = (),
    ) -> bool:
        try:
            reports = self._store.commit(camera_id, state.to_json(), drafts, evidence)
        except StoreError as error:
            if not self.trouble:
                log.error("camera %s: judgement is held back: %s", camera_id, error)  # noqa: TRY400
            self.trouble = str(error)
            return False
        self.trouble = ""
        self._committed(reports)
        return True

    def _committed(self, reports: Sequence[IssueReport]) -> None:
        for report in reports:
            self.counts.reports += 1
            self.counts.raised += report.phase is Phase.RAISED
            log.info("camera %s: %s %s (issue %s, revision %d)", report.camera_id, report.category,
                     report.phase, report.issue_id, report.revision)  # fmt: skip
        if reports:
            self._hooks.on_commit()

    def _drafts(
        self,
        look: Look,
        camera: JudgedCamera,
        judgements: Sequence[Judgement],
    ) -> tuple[list[Draft], list[Evidence]]:
        """Write the reports of one look, and make the pictures that they name."""
        if not judgements:
            return [], []
        picture = look.frame.picture
        camera.frame = FrameInfo(width=picture.width, height=picture.height, stream="detect")
        drafts: list[Draft] = []
        evidence: list[Evidence] = []
        for judgement in judgements:
            mine: tuple[Evidence, ...] = ()
            if judgement.transition.phase in PICTURED:
                at, still = camera.witness.still(look, judgement.transition)
                mine = stills(still, _caption(judgement, at, camera.config))
                evidence += mine
            refs = tuple(item.ref for item in mine)
            sha256 = config_sha256(camera.config)
            drafts.append(
                self._draft(camera.config.camera.id, sha256, judgement, camera.frame, refs)
            )
        return drafts, evidence

    def _plain_drafts(
        self, camera_id: str, sha256: str, judgements: Sequence[Judgement]
    ) -> list[Draft]:
        return [self._draft(camera_id, sha256, one, NO_FRAME, ()) for one in judgements]

    def _draft(
        self,
        camera_id: str,
        sha256: str,
        judgement: Judgement,
        frame: FrameInfo,
        evidence: tuple[EvidenceRef, ...],
    ) -> Draft:
        model = self._card.reference(self._card.file_for(frame.width, frame.height))
        clock = self._hooks.clock_state()

        def numbered(outbox_id: UUID, seq: int) -> IssueReport:
            origin = Origin(self._agent.city, self._agent.id, camera_id, outbox_id, model, sha256)
            circumstances = Circumstances(seq, clock, frame, evidence)
            return report_of(judgement.transition, judgement.where, origin, circumstances)

        return numbered


def _changes(policy: Policy) -> tuple[tuple[Reason, Callable[[Place], bool]], ...]:
    """Which places an edited camera file no longer judges, by the reason to give."""

    def off(place: Place) -> bool:
        return not policy.enabled(place.category)

    def outside(place: Place) -> bool:
        return not policy.concerns(place.category, place.box)

    return ((Reason.RULE_CHANGED, off), (Reason.ZONE_CHANGED, outside))


def _suppressed(policy: Policy, at: Instant) -> Callable[[Place], bool]:
    def which(place: Place) -> bool:
        return place.is_open and policy.suppression(place.category, place.box, at.utc) is not None

    return which


def _caption(judgement: Judgement, at: Instant, config: CameraConfig) -> Caption:
    transition, cells = judgement.transition, judgement.where.cells
    return Caption(
        box_xyxyn=transition.box_xyxyn,
        category=transition.category,
        camera=f"{config.camera.name} {config.camera.id}".strip(),
        captured_at=at.utc,
        timezone=config.camera.timezone,
        moment=PICTURED[transition.phase],
        cell=cells[0].code if cells else None,
    )
