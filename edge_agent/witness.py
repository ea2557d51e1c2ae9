"""What one camera can show of an issue: its recent looks and packets, and the best still of them.

A still is of the moment in which passing people and vehicles, which are masked, cover least of the
object. That moment is some seconds old; its picture is decoded from the packet ring, in the full
size of the evidence stream where there is one.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from contract.messages import Phase
from edge_agent.clip_desk import SLACK_S, ClipSource
from edge_agent.clips import Moment, nearest
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.detections import Detections
from edge_agent.frames import Picture
from edge_agent.issues import Transition
from edge_agent.looks import Look
from edge_agent.masking import MASK_WINDOW_S, MaskedPicture
from edge_agent.packet_ring import PacketRing
from edge_agent.recent_looks import KEEP_S, RecentLooks

DetectClosely = Callable[[Picture, tuple[int, int]], Detections]

MASK_TILES = (2, 2)
# Packets of a second stream come earlier or later than the same moment's of the first.
STREAMS_APART_S = 0.5
# A still may cost so many packets of decoding (1 s for 1080p); other stills wait meanwhile.
DECODE_MAX = 150
# So many of the best moments are tried before the look's own picture is taken.
TRIES = 3


class Witness:
    """One camera's recent looks and packets; for the judge's thread."""

    def __init__(
        self, closely: DetectClosely, ring: PacketRing | None = None, *, mask: bool = True
    ) -> None:
        """`mask` is false only where the camera file says so, for test images."""
        self.recent = RecentLooks()
        self._closely = closely
        self._ring = ring
        self._mask = mask

    def remember(self, look: Look) -> None:
        """Take a look into account, before stills of it are asked for."""
        self.recent.remember(look)

    def shot(self, look: Look) -> "Shot":
        """What stills of a look are made from, in any thread, while the witness goes on."""
        return Shot(look, self.recent.copy(), self._closely, self._ring, mask=self._mask)

    def now(self, look: Look) -> MaskedPicture:
        """The look's own picture, masked."""
        return self.shot(look).own()


class Shot:
    """A look with what was known when it was made: for stills of what it reported; one thread."""

    def __init__(
        self,
        look: Look,
        recent: RecentLooks,
        closely: DetectClosely,
        ring: PacketRing | None,
        *,
        mask: bool,
    ) -> None:
        self.look = look
        self._recent = recent
        self._closely = closely
        self._ring = ring
        self._mask = mask
        self._made: tuple[Instant, MaskedPicture] | None = None

    def still(self, transition: Transition) -> tuple[Instant, MaskedPicture]:
        """The masked picture of the moment that shows a transition best, and that moment.

        Raised: the object while it was seen. Cleared: its place since it was last seen.
        """
        own = Moment(self.look.at, self.look.frame.picture)
        moment = next(self._better(transition), own)
        if self._made is None or self._made[0] != moment.at:
            self._made = moment.at, self._masked(moment)
        return self._made

    def own(self) -> MaskedPicture:
        """The look's own picture, masked."""
        return self._masked(Moment(self.look.at, self.look.frame.picture))

    def _better(self, transition: Transition) -> Iterator[Moment]:
        raised = transition.phase is Phase.RAISED
        since = transition.first_seen_at if raised else transition.last_seen_at
        picture = self.look.frame.picture
        best = self._recent.clearest(
            transition.box_xyxyn,
            transition.family if raised else None,
            _moment_of(since, self.look.at),
            (picture.width, picture.height),
        )
        for at in best[:TRIES]:
            if (moment := self._decoded(at)) is not None:
                yield moment

    def _decoded(self, at: Instant) -> Moment | None:
        footage = self._ring.footage(at, at.plus(STREAMS_APART_S)) if self._ring else None
        if footage is None or len(footage.packets) > DECODE_MAX:
            return None
        moment = nearest(footage, at)
        apart_s = STREAMS_APART_S if moment is None else abs(moment.at.monotonic_s - at.monotonic_s)
        return moment if apart_s < STREAMS_APART_S else None

    def _masked(self, moment: Moment) -> MaskedPicture:
        """Mask with what was found within a second, and in one close look at the picture itself.

        Small heads need pixels: the close look is in tiles.
        """
        picture = moment.picture
        rgb = picture.rgb(picture.width, picture.height)
        if not self._mask:
            return MaskedPicture.as_it_is(rgb)
        found = self._closely(picture, MASK_TILES)
        return MaskedPicture.of(rgb, (*self._recent.around(moment.at), found))


def clip_source(config: CameraConfig) -> ClipSource:
    """Give a camera a ring that holds one clip with the second of masks around it."""
    settings = config.evidence
    seconds = max(KEEP_S, settings.before_s + settings.after_s + 2 * MASK_WINDOW_S) + SLACK_S
    return ClipSource(PacketRing(seconds, settings.ring_bytes), settings, config.privacy.mask)


def _moment_of(utc: datetime, now: Instant) -> Instant:
    return now.plus(-max(0.0, (now.utc - utc).total_seconds()))
