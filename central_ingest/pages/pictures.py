"""Which pictures of a sighting to show, and how: before, after, marked or plain. Pure."""

from dataclasses import dataclass

from central_ingest.store.views import EvidenceView, SightingView
from contract.messages import Phase


@dataclass(frozen=True, slots=True)
class PictureView:
    """One moment's picture: as it was, and with the box drawn in by the agent."""

    plain: EvidenceView | None = None
    marked: EvidenceView | None = None

    @property
    def best(self) -> EvidenceView | None:
        """The picture to open in full size: the plain one where it is here."""
        return next((e for e in (self.plain, self.marked) if e and e.state == "present"), None)

    @property
    def here(self) -> bool:
        """Whether there is anything to show."""
        return self.best is not None

    @property
    def state(self) -> str:
        """`present`, `pending`, `lost`, or `none` when no picture was ever named."""
        states = {e.state for e in (self.plain, self.marked) if e}
        return next((s for s in ("present", "pending", "lost") if s in states), "none")

    @property
    def draw_box(self) -> bool:
        """Whether the page must draw the box itself."""
        return not (self.marked and self.marked.state == "present")


@dataclass(frozen=True, slots=True)
class SightingPictures:
    """What one sighting shows; `after` only once its camera saw that the problem is gone.

    Of each moment the newest clip.
    """

    before: PictureView
    after: PictureView | None
    clip_before: EvidenceView | None = None
    clip_after: EvidenceView | None = None


def pictures_of(sighting: SightingView) -> SightingPictures:
    """Choose the pictures of a sighting, whose evidence stands in the order it was named."""
    plain = _split([e for e in sighting.evidence if e.kind == "still"])
    marked = _split([e for e in sighting.evidence if e.kind == "still_marked"])
    clips = _split([e for e in sighting.evidence if e.kind == "clip"])
    cleared = sighting.phase is Phase.CLEARED
    after = PictureView(_last(plain[1]), _last(marked[1])) if cleared and plain[1] else None
    return SightingPictures(
        before=PictureView(_first(plain[0]), _first(marked[0])),
        after=after,
        clip_before=_last(clips[0]),
        clip_after=_last(clips[1]) if cleared else None,
    )


def _split(named: list[EvidenceView]) -> tuple[list[EvidenceView], list[EvidenceView]]:
    """Those that show the issue, and those that show its absence.

    Where an agent does not say which, the first named shows the issue and the others its absence.
    """
    before = [e for e in named if e.moment == "raised"]
    after = [e for e in named if e.moment == "cleared"]
    silent = [e for e in named if e.moment is None]
    return before + silent[:1], silent[1:] + after


def _first(named: list[EvidenceView]) -> EvidenceView | None:
    return named[0] if named else None


def _last(named: list[EvidenceView]) -> EvidenceView | None:
    return named[-1] if named else None
