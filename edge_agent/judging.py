"""Looks in, committed reports out: one thread that judges all cameras in the looks' order.

Promise 1 of docs/design: a camera's issue state moves on only together with the reports that its
move caused. When the store cannot commit, the state stays as it was and the next look tries again.
Promise 8: a report is committed without its pictures; those come with a later one of its issue.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from contract.messages import (
    CameraState,
    ClockState,
    EvidenceRef,
    FrameInfo,
    IssueReport,
    Phase,
    Reason,
    ShownMoment,
)
from edge_agent.asks import Asks, LookAnswer
from edge_agent.clip_desk import ClipAsked, ClipDesk
from edge_agent.clock import Instant
from edge_agent.config import AgentInfo, CameraConfig, config_sha256
from edge_agent.errors import StoreError
from edge_agent.evidence import snapshot
from edge_agent.issue_state import CameraIssues
from edge_agent.issues import repeated, withdraw
from edge_agent.judge import CameraJudge, Judgement
from edge_agent.looks import Look
from edge_agent.model import ModelCard
from edge_agent.policy import Policy
from edge_agent.presence import Place
from edge_agent.reports import Circumstances, Origin, Whereabouts, report_of
from edge_agent.still_desk import StillAsked, StillDesk
from edge_agent.store import Draft, Evidence, Store
from edge_agent.suppressions import Suppression
from edge_agent.to_come import PICTURED, Awaited, ToCome, paid, reported, saved_with
from edge_agent.view_files import slot_of
from edge_agent.witness import Shot, Witness

log = logging.getLogger(__name__)

WAITING_LOOKS = 32
SAVE_EVERY_S = 10.0
# A withdrawal at the start is caused by no frame; the contract wants a size.
NO_FRAME = FrameInfo(width=1, height=1, stream="detect")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose issues they are: a camera's, or those of one of its presets."""

    camera_id: str
    preset_id: str | None
    config_sha256: str


@dataclass(slots=True)
class JudgedCamera:
    """The judge of a camera or of one of its presets, and what it can show."""

    config: CameraConfig
    judge: CameraJudge
    witness: Witness
    preset_id: str | None = None
    saved: Instant | None = None
    to_come: Awaited = field(default_factory=dict)
    frame: FrameInfo = NO_FRAME

    @property
    def owner(self) -> Owner:
        """Who reports."""
        return Owner(self.config.camera.id, self.preset_id, config_sha256(self.config))

    @property
    def slot(self) -> str:
        """The name under which its state is kept."""
        return slot_of(self.config.camera.id, self.preset_id)

    def shows(self, entry: ToCome, look: Look) -> bool:
        """Whether a look shows what is still owed of an issue."""
        if look.suspended is not None or entry.still is None:
            return False
        here = [place for place in self.judge.state.open_places if place.seen_at == look.at]
        seen = any(place.issue and place.issue.issue_id == entry.last.issue_id for place in here)
        return seen or entry.still == "cleared"


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
    on_moved: Callable[[str, Evidence], None] = lambda _camera_id, _picture: None
    on_report: Callable[[IssueReport], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Desks:
    """Where stills and, if there are any, clips are made while the judge goes on."""

    stills: StillDesk
    clips: ClipDesk | None = None


class Judging:
    """Judges looks and commits what follows; `run` is its thread."""

    def __init__(
        self,
        cameras: Mapping[str, JudgedCamera],
        card: ModelCard,
        agent: AgentInfo,
        store: Store,
        hooks: Hooks,
        desks: Desks,
    ) -> None:
        self._cameras = cameras
        self._card = card
        self._agent = agent
        self._store = store
        self._hooks = hooks
        self._stills = desks.stills
        self._clips = desks.clips
        self._being_made: set[tuple[UUID, ShownMoment]] = set()
        self._looks: queue.Queue[Look] = queue.Queue(WAITING_LOOKS)
        self._orders: deque[Callable[[], None]] = deque()
        self.asks = Asks()
        self._closed = threading.Event()
        self._moved: dict[str, Instant] = {}
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
            self.add_stills()
            self.add_clips()
            self.carry_out_orders()
            try:
                look = self._looks.get(timeout=0.2)
            except queue.Empty:
                continue
            self.take(look)
        self.carry_out_orders()
        for camera in self._cameras.values():
            self._commit(camera, camera.judge.state, camera.to_come)

    def take(self, look: Look) -> None:
        """Judge one look and commit what follows from it.

        A look at none of a turning camera's presets belongs to no issue: it is only counted.
        """
        camera_id, view = look.frame.camera_id, look.frame.view
        some = self._of(camera_id)[0]
        some.witness.remember(look)
        self._show_moved(look, some)
        camera = self._cameras.get(slot_of(camera_id, view.preset_id if view else None))
        if camera is not None:
            self._judge(look, camera)
        self.counts.looks += 1
        self._hooks.on_look(camera_id)
        state = camera.judge.state if camera else CameraIssues(camera_id)
        elsewhere = self._open_elsewhere(camera_id, camera)
        for ask, answer in self.asks.take(look, state, elsewhere):
            ask.told(self._pictured(look, some, answer) if ask.picture else answer)

    def _of(self, camera_id: str) -> list[JudgedCamera]:
        """Return the judges of one camera: one, or one a preset."""
        return [one for one in self._cameras.values() if one.config.camera.id == camera_id]

    def _open_elsewhere(self, camera_id: str, here: JudgedCamera | None) -> frozenset[UUID]:
        """The issues that are open in other views of a turning camera."""
        others = [one for one in self._of(camera_id) if one is not here]
        places = [place for one in others for place in one.judge.state.open_places]
        return frozenset(place.issue.issue_id for place in places if place.issue)

    def _judge(self, look: Look, camera: JudgedCamera) -> None:
        before = camera.judge.state
        judgements = camera.judge.judge(look)
        due = camera.saved is None or look.at.seconds_since(camera.saved) >= SAVE_EVERY_S
        if judgements or (due and camera.judge.state != before):
            picture = look.frame.picture
            camera.frame = FrameInfo(width=picture.width, height=picture.height, stream="detect")
            drafts = [self._draft(camera.owner, one, camera.frame, ()) for one in judgements]
            awaited = reported(camera.to_come, [one.transition for one in judgements])
            if self._commit(camera, camera.judge.state, awaited, drafts):
                camera.saved = look.at
                self._ask_for_clips(look, judgements)
            else:
                camera.judge.state = before
        self._ask_for_stills(look, camera, judgements)

    def _show_moved(self, look: Look, camera: JudgedCamera) -> None:
        """Offer the first picture of a camera that was moved, masked, for its recalibration."""
        camera_id, view = look.frame.camera_id, look.frame.view
        if view is None or view.state is not CameraState.MOVED:
            return
        if self._moved.get(camera_id) != view.since:
            self._moved[camera_id] = view.since
            self._hooks.on_moved(camera_id, snapshot(camera.witness.now(look), look.at.utc))

    def suppress(self, camera_id: str, suppressions: tuple[Suppression, ...], at: Instant) -> None:
        """Soon raise nothing at these places, and take back what is open there; any thread."""
        cameras = self._of(camera_id)

        def order() -> None:
            for camera in cameras:
                mine = tuple(one for one in suppressions if one.preset_id == camera.preset_id)
                policy = replace(camera.judge.policy, suppressions=mine)
                camera.judge.policy = policy
                self._take_back(camera.slot, at, Reason.SUPPRESSED, _suppressed(policy, at))

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

    def add_stills(self) -> None:
        """Report the stills that were made since; what cannot be committed is made anew."""
        for made in self._stills.made():
            asked = made.asked
            self._being_made.discard((asked.issue_id, asked.moment))
            camera = self._cameras.get(asked.slot)
            if camera is None:
                continue
            left = paid(camera.to_come, asked.issue_id, asked.moment)
            self._add(camera, asked.issue_id, asked.shot.look.at, made.evidence, left)

    def add_clips(self) -> None:
        """Report the clips that were made since, each with its issue as it stands now."""
        if self._clips is None:
            return
        self._clips.collect()
        for clip in self._clips.made():
            asked = clip.asked
            for camera in self._of(asked.camera_id):
                self._add(camera, asked.issue_id, asked.at, (clip.evidence,), camera.to_come)

    def withdraw_what_changed(self, at: Instant, new_views: Container[str] = ()) -> None:
        """At the start: take back what is not judged any more.

        Issues of removed cameras and presets, of `new_views` (slots whose reference still shows
        something else than before), outside edited zones, and of categories switched off.

        Raises StoreError.
        """
        for slot, state in self._store.states().items():
            camera = self._cameras.get(slot)
            if camera is None:
                self._forget(slot, CameraIssues.from_json(state), at)
                continue
            for reason, which in _changes(camera.judge.policy, new_view=slot in new_views):
                self._take_back(slot, at, reason, which)

    def _forget(self, slot: str, issues: CameraIssues, at: Instant) -> None:
        """Withdraw all issues of a camera or preset that is not configured any more."""
        camera_id, _, preset_id = slot.partition("/")
        stays = any(one.config.camera.id == camera_id for one in self._cameras.values())
        reason = Reason.VIEW_CHANGED if stays else Reason.CAMERA_REMOVED
        left, gone = withdraw(issues, at, reason, lambda _: True)
        owner = Owner(camera_id, preset_id or None, "0" * 64)
        drafts = self._plain_drafts(owner, [Judgement(one, Whereabouts()) for one in gone])
        self._committed(self._store.commit(slot, left.to_json(), drafts))
        self._store.forget_camera(slot)

    def _take_back(
        self, slot: str, at: Instant, reason: Reason, which: Callable[[Place], bool]
    ) -> None:
        """Withdraw a camera's issues at the places that `which` names. Raises StoreError.

        What belongs to an earlier view is not placed: today's ground points know nothing of it.
        """
        camera = self._cameras[slot]
        judge = camera.judge
        state, gone = withdraw(judge.state, at, reason, which)
        moved = reason is Reason.VIEW_CHANGED
        judgements = [
            Judgement(one, Whereabouts() if moved else judge.whereabouts(one)) for one in gone
        ]
        drafts = self._plain_drafts(camera.owner, judgements)
        awaited = reported(camera.to_come, gone)
        self._committed(self._store.commit(slot, saved_with(state.to_json(), awaited), drafts))
        judge.state, camera.to_come = state, awaited

    # -- inside

    def _pictured(self, look: Look, camera: JudgedCamera, answer: LookAnswer) -> LookAnswer:
        """Add a masked picture of the look to what somebody asked for."""
        picture = snapshot(camera.witness.now(look), look.at.utc)
        if not self._commit(camera, camera.judge.state, camera.to_come, (), (picture,)):
            return replace(answer, said=f"{answer.said}; the picture was not kept: {self.trouble}")
        self._hooks.on_commit()
        return replace(answer, evidence=(picture.ref,))

    def _ask_for_stills(
        self, look: Look, camera: JudgedCamera, judgements: Sequence[Judgement]
    ) -> None:
        """Have made what this look's reports owe, and what is owed since before and seen in it."""
        now = {one.transition.issue_id: one for one in judgements}
        shot: Shot | None = None
        for issue_id, entry in camera.to_come.items():
            if entry.still is None or (issue_id, entry.still) in self._being_made:
                continue
            judgement = now.get(issue_id)
            if judgement is None:
                if not camera.shows(entry, look):
                    continue
                judgement = Judgement(entry.last, camera.judge.whereabouts(entry.last))
            shot = shot or camera.witness.shot(look)
            if not self._stills.ask(StillAsked(camera.slot, judgement, shot, camera.config)):
                return
            self._being_made.add((issue_id, entry.still))

    def _ask_for_clips(self, look: Look, judgements: Sequence[Judgement]) -> None:
        for judgement in judgements:
            issue_id, phase = judgement.transition.issue_id, judgement.transition.phase
            if self._clips is not None and phase in PICTURED:
                camera_id = look.frame.camera_id
                self._clips.ask(ClipAsked(camera_id, issue_id, PICTURED[phase], look.at))

    def _add(
        self,
        camera: JudgedCamera,
        issue_id: UUID,
        at: Instant,
        evidence: tuple[Evidence, ...],
        left: Awaited,
    ) -> None:
        """Report an issue once more with evidence that came; `left` is then owed.

        An issue that is not known any more needs none.
        """
        last = camera.to_come.get(issue_id)
        again = repeated(camera.judge.state, at, last.last) if last and evidence else None
        if again is None:
            camera.to_come = left
            return
        state, transition = again
        judgement = Judgement(transition, camera.judge.whereabouts(transition))
        refs = tuple(one.ref for one in evidence)
        drafts = [self._draft(camera.owner, judgement, camera.frame, refs)]
        if self._commit(camera, state, left, drafts, evidence):
            camera.judge.state = state

    def _commit(
        self,
        camera: JudgedCamera,
        state: CameraIssues,
        awaited: Awaited,
        drafts: Sequence[Draft] = (),
        evidence: Sequence[Evidence] = (),
    ) -> bool:
        """Commit a camera's state with what it owes; returns whether the store could."""
        try:
            saved = saved_with(state.to_json(), awaited)
            reports = self._store.commit(camera.slot, saved, drafts, evidence)
        except StoreError as error:
            if not self.trouble:
                log.error("camera %s: judgement is held back: %s", camera.slot, error)  # noqa: TRY400
            self.trouble = str(error)
            return False
        self.trouble = ""
        camera.to_come = awaited
        self._committed(reports)
        return True

    def _committed(self, reports: Sequence[IssueReport]) -> None:
        for report in reports:
            self.counts.reports += 1
            self.counts.raised += report.phase is Phase.RAISED
            log.info("camera %s: %s %s (issue %s, revision %d)", report.camera_id, report.category,
                     report.phase, report.issue_id, report.revision)  # fmt: skip
            self._hooks.on_report(report)
        if reports:
            self._hooks.on_commit()

    def _plain_drafts(self, owner: Owner, judgements: Sequence[Judgement]) -> list[Draft]:
        return [self._draft(owner, one, NO_FRAME, ()) for one in judgements]

    def _draft(
        self,
        owner: Owner,
        judgement: Judgement,
        frame: FrameInfo,
        evidence: tuple[EvidenceRef, ...],
    ) -> Draft:
        model = self._card.reference(self._card.file_for(frame.width, frame.height))
        clock = self._hooks.clock_state()

        def numbered(outbox_id: UUID, seq: int) -> IssueReport:
            origin = Origin(
                self._agent.city, self._agent.id, owner.camera_id, outbox_id, model,
                owner.config_sha256, owner.preset_id,
            )  # fmt: skip
            circumstances = Circumstances(seq, clock, frame, evidence)
            return report_of(judgement.transition, judgement.where, origin, circumstances)

        return numbered


def _changes(
    policy: Policy, *, new_view: bool
) -> tuple[tuple[Reason, Callable[[Place], bool]], ...]:
    """Which places an edited camera file no longer judges, by the reason to give."""

    def off(place: Place) -> bool:
        return not policy.enabled(place.category)

    def outside(place: Place) -> bool:
        return not policy.concerns(place.category, place.box)

    return (
        (Reason.VIEW_CHANGED, lambda _: new_view),
        (Reason.RULE_CHANGED, off),
        (Reason.ZONE_CHANGED, outside),
    )


def _suppressed(policy: Policy, at: Instant) -> Callable[[Place], bool]:
    def which(place: Place) -> bool:
        return place.is_open and policy.suppression(place.category, place.box, at.utc) is not None

    return which
