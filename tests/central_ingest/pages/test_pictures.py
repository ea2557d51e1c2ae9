from dataclasses import replace

import pytest

from central_ingest.pages.pictures import PictureView, pictures_of
from central_ingest.store.views import EvidenceState, EvidenceView, SightingView
from contract.messages import Phase


def evidence(name: str, kind: str, state: EvidenceState = "present") -> EvidenceView:
    return EvidenceView(name, kind, "image/jpeg", 10, state)


RAISED = (evidence("a", "still"), evidence("b", "still_marked"))
CLEARED = (*RAISED, evidence("c", "still"))


def test_a_standing_issue_shows_one_moment(sighting: SightingView) -> None:
    views = pictures_of(replace(sighting, evidence=CLEARED, phase=Phase.UPDATED))
    assert views.after is None
    assert views.before == PictureView(*RAISED)


def test_a_cleared_issue_shows_before_and_after(sighting: SightingView) -> None:
    views = pictures_of(replace(sighting, evidence=CLEARED, phase=Phase.CLEARED))
    assert views.before == PictureView(*RAISED)
    assert views.after == PictureView(evidence("c", "still"))


def test_a_cleared_issue_without_a_second_picture_shows_the_first(sighting: SightingView) -> None:
    assert pictures_of(replace(sighting, evidence=RAISED, phase=Phase.CLEARED)).after is None


def test_clips_are_no_pictures(sighting: SightingView) -> None:
    clip = evidence("d", "clip")
    views = pictures_of(replace(sighting, evidence=(clip,)))
    assert (views.clip_before, views.clip_after) == (clip, None)
    assert views.before.state == "none"


def test_evidence_that_names_its_moment_stands_there_in_any_order(sighting: SightingView) -> None:
    named = [
        replace(evidence(f"{kind} {moment}", kind), moment=moment)
        for moment in ("cleared", "raised")
        for kind in ("clip", "still_marked", "still")
    ]
    views = pictures_of(replace(sighting, evidence=tuple(named), phase=Phase.CLEARED))
    shown = {one.sha256: one for one in named}
    assert views.before == PictureView(shown["still raised"], shown["still_marked raised"])
    assert views.after == PictureView(shown["still cleared"], shown["still_marked cleared"])
    assert views.clip_before is shown["clip raised"]
    assert views.clip_after is shown["clip cleared"]


def test_a_clip_of_the_absence_alone_is_not_shown_as_the_issue(sighting: SightingView) -> None:
    clip = replace(evidence("d", "clip"), moment="cleared")
    views = pictures_of(replace(sighting, evidence=(*RAISED, clip), phase=Phase.CLEARED))
    assert (views.clip_before, views.clip_after, views.after) == (None, clip, None)


def test_reopened_an_issue_shows_its_newest_clip_and_no_absence(sighting: SightingView) -> None:
    clips = [
        replace(evidence(name, "clip"), moment=moment)
        for name, moment in (("a", "raised"), ("b", "cleared"), ("c", "raised"))
    ]
    views = pictures_of(replace(sighting, evidence=tuple(clips), phase=Phase.RAISED))
    assert (views.clip_before, views.clip_after) == (clips[2], None)


@pytest.mark.parametrize(
    ("plain", "marked", "state", "draw_box"),
    [
        ("present", "present", "present", False),
        ("present", "pending", "present", True),
        ("pending", "present", "present", False),
        ("pending", "lost", "pending", True),
        ("lost", "lost", "lost", True),
    ],
)
def test_a_picture_says_plainly_whether_it_is_here(
    plain: EvidenceState, marked: EvidenceState, state: str, *, draw_box: bool
) -> None:
    view = PictureView(evidence("a", "still", plain), evidence("b", "still_marked", marked))
    assert (view.state, view.here, view.draw_box) == (state, state == "present", draw_box)
