"""How one view looks: its reference still, and what was learned of it by day and by night."""

from dataclasses import dataclass, field

from edge_agent.edges import Edges, Match
from edge_agent.luma import Sample

# A picture is in place when so much of the structure is, or when it lies this close, as a share of
# the picture's width (10 px of 1280): what ground points err by anyway.
KEPT_SHARE = 0.5
IN_PLACE = 0.008

# A sample moves what was learned by one part in so many: in ten minutes shadows may wander and a
# lamp be lit, in a second nothing counts.
SLOWEST = 600
# What was learned is held against the reference still this often, so that it cannot creep away.
CHECKED_EVERY = 600
# With no reference still, so many samples that agree make the view that later ones must keep to.
SETTLED = 20
# After so many samples their mean sharpness is what is usual.
USUAL = 10


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """The mean of many samples in one light; `samples` counts them."""

    edges: Edges
    sharpness: float
    samples: int

    def plus(self, sample: Sample) -> "Learned":
        """Count one more sample."""
        count = self.samples + 1
        share = 1 / min(count, SLOWEST)
        sharpness = self.sharpness + share * (sample.sharpness - self.sharpness)
        return Learned(self.edges.towards(sample.edges, share), sharpness, count)


@dataclass(slots=True)
class KnownView:
    """One view of a camera; `still` is its reference, `learned` maps night (or not) to a mean.

    `fixed` says that only the still can say what the view is: it is never adopted from what the
    camera happens to show.
    """

    preset_id: str | None = None
    still: Edges | None = None
    fixed: bool = False
    learned: dict[bool, Learned] = field(default_factory=dict)

    def begin_anew(self) -> None:
        """Forget a view that was hardly seen yet, and that the camera does not show.

        The first picture may be of a lorry, which would then be missed for ever.
        """
        samples = sum(one.samples for one in self.learned.values())
        if not self.fixed and self.still is None and samples < SETTLED:
            self.learned.clear()

    @property
    def usual_tiles(self) -> int:
        """How many tiles of the picture usually have structure; 0 while nothing is known."""
        known = [one.edges for one in self.learned.values()] or ([self.still] if self.still else [])
        return min((edges.textured for edges in known), default=0)

    def usual_sharpness(self, sample: Sample) -> float | None:
        """How sharp a picture in this light usually is; None while nothing is known."""
        lights = (self.learned.get(light) for light in (sample.night, not sample.night))
        return next((one.sharpness for one in lights if one and one.samples >= USUAL), None)

    def compare(self, sample: Sample, *, closely: bool = True) -> Match:
        """Find this view in a picture: by what is known of this light first, then of any.

        Not closely, it is enough that much is kept, for a fifth of the work: a little turning or
        zoom keeps the middle of the picture where it was.
        """
        references = self._references(night=sample.night)
        if not references:
            return Match(0.0) if self.fixed else Match(1.0)
        if not closely:
            for edges in references:
                kept = sample.edges.kept(edges)
                if kept >= KEPT_SHARE:
                    return Match(kept)
        matches = [sample.edges.match(edges) for edges in references]
        best = next((one for one in matches if in_place(one)), None)
        return best or next((one for one in matches if one.shift is not None), matches[0])

    def learn(self, sample: Sample) -> None:
        """Count a picture that was found in place."""
        known = self.learned.get(sample.night)
        learned = known.plus(sample) if known else Learned(sample.edges, sample.sharpness, 1)
        self.learned[sample.night] = learned
        if self.still is None and learned.samples == SETTLED:
            self.still = learned.edges
        if self.still is not None and learned.samples % CHECKED_EVERY == 0:
            self._check(learned, night=sample.night)

    def _check(self, learned: Learned, *, night: bool) -> None:
        """Forget what has crept away from the still."""
        shift = learned.edges.match(self.still).shift if self.still else None
        if shift is not None and shift.corner > IN_PLACE:
            del self.learned[night]

    def _references(self, *, night: bool) -> list[Edges]:
        known = [self.learned[one].edges for one in (night, not night) if one in self.learned]
        return [*known, self.still] if self.still else known


def in_place(match: Match) -> bool:
    """Say whether a view is where it was: by its shift, or by what is kept where none is found."""
    if match.shift is not None:
        return match.shift.corner <= IN_PLACE
    return match.kept >= KEPT_SHARE
