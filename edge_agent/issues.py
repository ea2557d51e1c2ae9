"""The issue state machine of one camera: (state, look, policy) → (state, transitions).

Raised: seen in m of the last n visible looks, for the dwell time, at one place. Cleared: missed in
m of the last n visible looks, for the clearing time. What lies between changes nothing. A miss
counts by its weight: less while the place is partly covered or its score only doubtful, in full
when the place is bare, or intact.

Places are associated by overlap with an anchored box and by distance on the ground, not by tracks
from frame to frame. Pure: the only time is the look's own; the same looks always give the same
transitions.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from uuid import UUID

from contract.catalogue import Category, Family
from contract.messages import Phase, Reason, Severity
from edge_agent.clock import Instant
from edge_agent.config import Rule
from edge_agent.issue_state import CameraIssues, Past
from edge_agent.looks import Look
from edge_agent.observations import (
    CONTESTED,
    HIDDEN_SHARE,
    RIVAL_IOU,
    Finding,
    Scene,
    box_area,
    containment,
    iou,
)
from edge_agent.policy import Policy
from edge_agent.presence import Issue, Place, Tally
from edge_agent.zones import Box

__all__ = [
    "CameraIssues",
    "Past",
    "Place",
    "Policy",
    "Tally",
    "Transition",
    "repeated",
    "step",
    "withdraw",
]

# A camera holds so many places, the best scores first, and remembers so many cleared ones.
MAX_PLACES = 64
MAX_PAST = 64

# A cover of which this much is covered makes no candidate: half a cover looks broken.
HALF_HIDDEN = HIDDEN_SHARE / 2

# An open issue whose box overlaps what was last reported by less than this has grown, shrunk or
# shifted; it is reported again, but not more often than this.
CHANGED_IOU = 0.5
CHANGES_EVERY_S = 30.0

# A heap that lies so far inside a bin's box is that bin's, and a speck inside a heap is the heap's.
NESTED_CONTAINMENT = 0.8
# What heaps of fruit on a cart may be taken for.
STOCK = frozenset({Family.BIN, Family.GARBAGE})


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of an issue, to be reported; `captured_at` is of the frame that caused it."""

    phase: Phase
    reason: Reason | None
    reopened: bool
    issue_id: UUID
    revision: int
    family: Family
    category: Category
    severity: Severity
    first_seen_at: datetime
    last_seen_at: datetime
    captured_at: datetime
    box_xyxyn: Box
    score: float
    support: Tally


def step(
    state: CameraIssues, look: Look, policy: Policy
) -> tuple[CameraIssues, tuple[Transition, ...]]:
    """Take one look into account.

    A suspended look says nothing about any place; it only lets candidates expire. By night the
    same holds for the categories whose policy says so.
    """
    state = _rebased(state, look.at)
    places = tuple(
        place
        for place in state.places
        if place.is_open or not place.is_forgotten(look.at, policy.terms[place.category])
    )
    state = replace(state, places=places, past=_remembered(state.past, look.at, policy))
    if look.suspended is not None:
        return state, ()
    awake = replace(look, judged=policy.judged(look))
    state = replace(state, places=_kept(_observed(places, awake, policy), policy))
    state, cleared = _clear(state, awake, policy)
    state, raised = _raise(state, awake, policy)
    state, updated = _update(state, look, policy)
    return state, (*cleared, *raised, *updated)


def withdraw(
    state: CameraIssues, at: Instant, reason: Reason, which: Callable[[Place], bool]
) -> tuple[CameraIssues, tuple[Transition, ...]]:
    """Take back the issues at the places that `which` names, and forget those places.

    Candidates among them are dropped silently.
    """
    gone = [place for place in state.places if which(place)]
    transitions = [
        _reported(place, at, Phase.WITHDRAWN, reason)[1] for place in gone if place.is_open
    ]
    left = tuple(place for place in state.places if place not in gone)
    return replace(state, places=left), tuple(transitions)


def repeated(
    state: CameraIssues, at: Instant, last: Transition
) -> tuple[CameraIssues, Transition] | None:
    """Report an issue once more, as it stands, for evidence that came after its last report.

    `last` is that report: an open issue is `updated`, one that it cleared is `cleared` again. None
    when the issue is not known any more, which is how withdrawn ones leave.
    """
    for place in state.places:
        if place.issue is not None and place.issue.issue_id == last.issue_id:
            again, transition = _reported(place, at, Phase.UPDATED)
            places = tuple(again if one is place else one for one in state.places)
            return replace(state, places=places), transition
    for past in state.past:
        if past.issue.issue_id == last.issue_id and last.phase is Phase.CLEARED:
            issue = replace(past.issue, revision=past.issue.revision + 1)
            left = tuple(replace(one, issue=issue) if one is past else one for one in state.past)
            return replace(state, past=left), replace(last, revision=issue.revision)
    return None


def _rebased(state: CameraIssues, at: Instant) -> CameraIssues:
    """Pull moments of an earlier boot that lie in the future back to now.

    After a boot with a wall clock set back, nothing would expire until it caught up.
    """

    def ahead(then: Instant) -> bool:
        return then.boot_id != at.boot_id and then.utc > at.utc

    def issue(value: Issue) -> Issue:
        return replace(value, reported_at=at) if ahead(value.reported_at) else value

    def place(value: Place) -> Place:
        return replace(
            value,
            seen_at=at if ahead(value.seen_at) else value.seen_at,
            observed_at=at if ahead(value.observed_at) else value.observed_at,
            issue=None if value.issue is None else issue(value.issue),
            behind=None if value.behind is None or ahead(value.behind.at) else value.behind,
        )

    return replace(
        state,
        places=tuple(place(value) for value in state.places),
        past=tuple(replace(value, issue=issue(value.issue)) for value in state.past),
    )


def _observed(places: tuple[Place, ...], look: Look, policy: Policy) -> tuple[Place, ...]:
    scene = Scene.of(look.detections, look.judged, policy.keep_scores)
    known = [_observe(place, scene, look, policy) for place in places]
    for finding in scene.findings:
        if len(known) >= MAX_PLACES:
            break
        if _founds(finding, scene, look.at, policy) and not any(
            place.family is finding.category.family and _shows(place, finding, policy)
            for place in known
        ):
            known.append(Place.founded(finding, look.at))
    return tuple(known)


def _observe(place: Place, scene: Scene, look: Look, policy: Policy) -> Place:
    terms = policy.terms[place.category]
    found = [
        finding
        for finding in scene.of_family(place.family)
        if _shows(place, finding, policy)
        and policy.judges(finding.category, place.anchor, look.at.utc)
    ]
    if found:
        if not place.is_open and _is_half_hidden(place.family, place.anchor, scene):
            return place
        return place.seen(found, look.at, terms)
    judged = place.category in look.judged
    if not (judged and policy.judges(place.category, place.anchor, look.at.utc)):
        return place
    absence = scene.absence(place.family, place.anchor, terms.keep_score)
    if absence.occluder is not None:
        return place.hidden(absence.occluder, look.at)
    if not absence.intact and place.is_behind_parked(look.at, terms):
        return place
    return place.unseen(look.at, terms, absence.weight)


def _shows(place: Place, finding: Finding, policy: Policy) -> bool:
    same = partial(policy.same_place, place.family)
    return place.shows(finding.box_xyxyn, same)


def _founds(finding: Finding, scene: Scene, at: Instant, policy: Policy) -> bool:
    enough = finding.score >= policy.terms[finding.category].raise_score
    whole = not _is_half_hidden(finding.category.family, finding.box_xyxyn, scene)
    likely = enough and whole and policy.fits(finding.category, finding.box_xyxyn)
    return likely and policy.judges(finding.category, finding.box_xyxyn, at.utc)


def _is_half_hidden(family: Family, box: Box, scene: Scene) -> bool:
    return family is Family.COVER and scene.covered(family, box) > HALF_HIDDEN


def _kept(places: tuple[Place, ...], policy: Policy) -> tuple[Place, ...]:
    """Drop candidates that lapsed, or that lie on another place of their family."""
    kept: list[Place] = []
    for place in sorted(places, key=_rank):
        lapsed = not place.is_open and place.has_lapsed(policy.terms[place.category])
        if place.is_open or not (lapsed or any(_is_one(place, other, policy) for other in kept)):
            kept.append(place)
    return tuple(kept)


def _rank(place: Place) -> tuple[bool, float, float, str, Box]:
    # Open ones first, then who stands longest; the rest only makes the order certain.
    return (
        not place.is_open,
        -place.standing.window_s,
        -place.strength,
        place.family,
        place.anchor,
    )


def _is_one(candidate: Place, other: Place, policy: Policy) -> bool:
    if candidate.family is not other.family:
        return False
    theirs = other.anchor if other.is_open else other.box
    return policy.same_place(candidate.family, candidate.box, theirs)


def _remembered(past: tuple[Past, ...], at: Instant, policy: Policy) -> tuple[Past, ...]:
    fresh = [
        one
        for one in past
        if at.seconds_since(one.issue.reported_at) <= policy.reopen_s(one.family)
    ]
    return tuple(fresh[-MAX_PAST:])


def _clear(
    state: CameraIssues, look: Look, policy: Policy
) -> tuple[CameraIssues, tuple[Transition, ...]]:
    past, transitions = list(state.past), []
    left = []
    for place in state.places:
        if not (
            place.is_open
            and place.history[-1:] == (False,)
            and place.is_gone(policy.terms[place.category])
        ):
            left.append(place)
            continue
        cleared, transition = _reported(place, look.at, Phase.CLEARED)
        transitions.append(transition)
        if cleared.issue is not None:
            past.append(Past(place.family, place.anchor, cleared.issue, place.first_seen_at))
    return replace(state, places=tuple(left), past=tuple(past)), tuple(transitions)


def _raise(
    state: CameraIssues, look: Look, policy: Policy
) -> tuple[CameraIssues, tuple[Transition, ...]]:
    transitions: list[Transition] = []
    ready = [
        place
        for place in state.places
        if not place.is_open
        and place.seen_at == look.at
        and policy.judges(place.category, place.box, look.at.utc)
        and place.stands(policy.terms[place.category])
    ]
    for place in sorted(ready, key=lambda one: (-one.strength, *_rank(one))):
        if any(_forbids(other, place) for other in state.places if other is not place):
            continue
        if policy.suppression(place.category, place.box, look.at.utc) is not None:
            state = _withhold(state, place)
            continue
        state, transition = _open(state, place, look.at, policy)
        transitions.append(transition)
    return state, tuple(transitions)


def _withhold(state: CameraIssues, place: Place) -> CameraIssues:
    """Count, once a place, that a suppression kept it from being raised."""
    if place.withheld:
        return state
    held = replace(place, withheld=True)
    places = tuple(held if one is place else one for one in state.places)
    return replace(state, places=places, withheld=state.withheld + 1)


def _forbids(other: Place, place: Place) -> bool:
    """Say whether a place keeps another from being raised."""
    if other.family is place.family:
        # Like boxes were merged before; this holds a speck off a heap, and a heap off a speck.
        return other.is_open and containment(other.anchor, place.box) >= NESTED_CONTAINMENT
    if not (other.family in CONTESTED and place.family in CONTESTED):
        return False
    if not (_same_spot(other, place) or _is_stock(place, other)):
        return False
    return other.is_open or other.strength > place.strength


def _is_stock(place: Place, cart: Place) -> bool:
    """Say whether what looks like a full bin or a heap lies in a cart's box: it is for sale."""
    if cart.family is not Family.VENDOR or place.family not in STOCK:
        return False
    smaller = box_area(place.box) < box_area(cart.box)
    return smaller and containment(place.box, cart.box) >= NESTED_CONTAINMENT


def _same_spot(a: Place, b: Place) -> bool:
    if {a.family, b.family} == {Family.BIN, Family.GARBAGE}:
        bin_, garbage = (a, b) if a.family is Family.BIN else (b, a)
        if containment(garbage.box, bin_.box) >= NESTED_CONTAINMENT:
            return True
    return iou(a.box, b.box) > RIVAL_IOU


def _open(
    state: CameraIssues, place: Place, at: Instant, policy: Policy
) -> tuple[CameraIssues, Transition]:
    """Raise an issue, or continue the one that was cleared at the same place."""
    past = _past_of(place, state.past, policy)
    severity = policy.terms[place.category].rule.severity
    if past is None:
        issue_id = _issue_id(state.camera_id, place, at)
        issue = Issue(issue_id, 0, place.category, severity, at, place.box)
        opened = replace(place, issue=issue, anchor=place.box)
    else:
        issue = replace(past.issue, severity=severity)
        first = min(past.first_seen_at, place.first_seen_at)
        opened = replace(place, issue=issue, anchor=place.box, first_seen_at=first)
    opened, transition = _reported(opened, at, Phase.RAISED, reopened=past is not None)
    places = tuple(opened if one is place else one for one in state.places)
    left = tuple(one for one in state.past if one is not past)
    return replace(state, places=places, past=left), transition


def _past_of(place: Place, past: tuple[Past, ...], policy: Policy) -> Past | None:
    same = [
        one
        for one in past
        if one.family is place.family and policy.same_place(one.family, one.anchor, place.box)
    ]
    return max(same, key=lambda one: iou(one.anchor, place.box)) if same else None


def _update(
    state: CameraIssues, look: Look, policy: Policy
) -> tuple[CameraIssues, tuple[Transition, ...]]:
    """Report open issues again that changed, or whose heartbeat is due."""
    transitions, places = [], []
    for place in state.places:
        updated = place
        if place.issue is not None and place.category in look.judged:
            rule = policy.terms[place.category].rule
            silent_s = look.at.seconds_since(place.issue.reported_at)
            if _has_changed(place, place.issue, rule, silent_s) or silent_s >= rule.heartbeat_s:
                issue = replace(place.issue, severity=rule.severity)
                updated, transition = _reported(replace(place, issue=issue), look.at, Phase.UPDATED)
                transitions.append(transition)
        places.append(updated)
    return replace(state, places=tuple(places)), tuple(transitions)


def _has_changed(place: Place, issue: Issue, rule: Rule, silent_s: float) -> bool:
    """Say whether an issue is not any more what was last reported: state, urgency or extent."""
    if place.category is not issue.category or rule.severity is not issue.severity:
        return True
    return silent_s >= CHANGES_EVERY_S and iou(place.box, issue.box) < CHANGED_IOU


def _reported(
    place: Place, at: Instant, phase: Phase, reason: Reason | None = None, *, reopened: bool = False
) -> tuple[Place, Transition]:
    """Count the next revision of a place's issue, and describe it."""
    if place.issue is None:
        raise ValueError(f"the {place.family} candidate at {place.anchor} has no issue to report")
    issue = replace(
        place.issue,
        revision=place.issue.revision + 1,
        category=place.category,
        reported_at=at,
        box=place.box,
    )
    transition = Transition(
        phase=phase,
        reason=reason,
        reopened=reopened,
        issue_id=issue.issue_id,
        revision=issue.revision,
        family=place.family,
        category=place.category,
        severity=issue.severity,
        # A wall clock set back while it stood there would make it end before it began.
        first_seen_at=min(place.first_seen_at, place.seen_at.utc),
        last_seen_at=place.seen_at.utc,
        captured_at=at.utc,
        box_xyxyn=place.box,
        score=round(place.score, 4),
        support=place.missing if phase is Phase.CLEARED else place.standing,
    )
    return replace(place, issue=issue), transition


def _issue_id(camera_id: str, place: Place, at: Instant) -> UUID:
    """A UUIDv7 (RFC 9562) whose random bits come from camera, family and box: replays agree."""
    name = f"{camera_id}|{place.family}|{place.box}"
    noise = int.from_bytes(sha256(name.encode()).digest()[:10], "big")
    milliseconds = int(at.utc.timestamp() * 1000) & ((1 << 48) - 1)
    value = milliseconds << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
