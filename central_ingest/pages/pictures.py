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
    """What one sighting shows; `after` only once its camera saw that the problem is gone."""

    before: PictureView
    after: PictureView | None
    clips: tuple[EvidenceView, ...]


def pictures_of(sighting: SightingView) -> SightingPictures:
    """Choose the pictures of a sighting, whose evidence stands in the order it was named."""
    plain = [e for e in sighting.evidence if e.kind == "still"]
    marked = [e for e in sighting.evidence if e.kind == "still_marked"]
    cleared = sighting.phase is Phase.CLEARED and len(plain) > 1
    return SightingPictures(
        before=PictureView(
            plain[0] if plain else None,
            marked[0] if marked else None,
        ),
        after=PictureView(plain[-1]) if cleared else None,
        clips=tuple(e for e in sighting.evidence if e.kind == "clip"),
    )
