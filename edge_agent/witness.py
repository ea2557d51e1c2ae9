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
# A still may cost so many packets of decoding (1 s for 1080p); the judge waits for it.
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
        self._made: tuple[Instant, MaskedPicture] | None = None

    def remember(self, look: Look) -> None:
        """Take a look into account, before stills of it are asked for."""
        self.recent.remember(look)
        self._made = None

    def still(self, look: Look, transition: Transition) -> tuple[Instant, MaskedPicture]:
        """The masked picture of the moment that shows a transition best, and that moment.

        Raised: the object while it was seen. Cleared: its place since it was last seen.
        """
        own = Moment(look.at, look.frame.picture)
        moment = next(self._better(look, transition), own)
        if self._made is None or self._made[0] != moment.at:
            self._made = moment.at, self._masked(moment)
        return self._made

    def now(self, look: Look) -> MaskedPicture:
        """The look's own picture, masked."""
        return self._masked(Moment(look.at, look.frame.picture))

    def _better(self, look: Look, transition: Transition) -> Iterator[Moment]:
        raised = transition.phase is Phase.RAISED
        since = transition.first_seen_at if raised else transition.last_seen_at
        best = self.recent.clearest(
            transition.box_xyxyn,
            transition.family if raised else None,
            _moment_of(since, look.at),
            (look.frame.picture.width, look.frame.picture.height),
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
        return MaskedPicture.of(rgb, (*self.recent.around(moment.at), found))


def clip_source(config: CameraConfig) -> ClipSource:
    """Give a camera a ring that holds one clip with the second of masks around it."""
    settings = config.evidence
    seconds = max(KEEP_S, settings.before_s + settings.after_s + 2 * MASK_WINDOW_S) + SLACK_S
    return ClipSource(PacketRing(seconds, settings.ring_bytes), settings, config.privacy.mask)


def _moment_of(utc: datetime, now: Instant) -> Instant:
    return now.plus(-max(0.0, (now.utc - utc).total_seconds()))
