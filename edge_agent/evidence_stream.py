"""A camera's second stream, in full resolution: its packets go into the ring, undecoded.

Kept open all the time, because a clip begins before anybody knows that it will be wanted. That
costs the network, and little of a core: `gridwatch-bench evidence` measures it against decoding.
"""

import logging
import threading

from edge_agent.camera import Pace, Source, wait_s
from edge_agent.clock import Clock
from edge_agent.errors import CameraError, CameraUnreachable
from edge_agent.packet_ring import PacketRing
from edge_agent.video import DEFAULT_TIMEOUTS, Timeouts, Video, kept

log = logging.getLogger(__name__)


class EvidenceStream:
    """Fills a ring from one source until it is stopped, reconnecting as a camera does.

    While it is away the ring empties of what is old, and stills come from the judged stream.
    """

    def __init__(
        self, source: Source, ring: PacketRing, clock: Clock, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> None:
        self._source = source
        self._ring = ring
        self._clock = clock
        self._timeouts = timeouts
        self._failures = 0
        self.trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Fill until `stop`, or until a file that is not looped has ended."""
        while not stop.is_set():
            try:
                self._play(stop)
                if not self._source.stream.loop:
                    return
            except CameraError as error:
                self._failures += 1
                self._say(f"evidence stream: {error}")
                stop.wait(wait_s(self._failures, error))

    def _play(self, stop: threading.Event) -> None:
        source, stream = self._source, self._source.stream
        pace = None if source.live else Pace(self._clock, stop.wait)
        with Video(source.url(), source.shown, stream.transport, self._timeouts) as video:
            self._ring.begin(video.format)
            for packet in video.packets():
                if pace is not None:
                    pace.hold(video.seconds(packet.dts))
                if stop.is_set():
                    return
                self._ring.add(kept(packet, self._clock.now()))
                self._failures = 0
                self._say("")
        if source.live:
            raise CameraUnreachable(f"{source.shown}: the camera ended the stream")

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            log.log(
                logging.WARNING if trouble else logging.INFO,
                "%s",
                trouble or f"evidence stream: {self._source.shown} plays",
            )
