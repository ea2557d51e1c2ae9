"""An RTSP server that plays files in a loop: `python3 rtsp_server.py PORT /mount=FILE …`.

Runs under the system's Python, where GStreamer's bindings are installed (Debian: gir1.2-gst-rtsp-
server-1.0, gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad, python3-gi). H.264 and H.265 in
MP4 go out as they are, nothing is encoded again. PORT 0 takes a free one; `ready PORT` is printed
once clients may come. Killed and started again on the same port, it is a camera that went away.
"""

import sys
import threading
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  (versions come first)

SEGMENT_S = 10.0


def payloader_of(path: Path) -> str:
    """The parser and payloader for the file's codec, by the sample entry in its header."""
    header = path.read_bytes()
    h265 = b"hvc1" in header or b"hev1" in header
    codec = "h265" if h265 else "h264"
    return f"{codec}parse config-interval=-1 ! rtp{codec}pay name=pay0 pt=96"


class LoopedFile(GstRtspServer.RTSPMediaFactory):
    """One file, played again from its start whenever it ends; all clients share one pipeline."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.set_launch(f'( filesrc location="{path}" ! qtdemux ! {payloader_of(path)} )')
        self.set_shared(True)
        self.connect("media-configure", self._on_media)

    def _on_media(self, _factory: object, media: GstRtspServer.RTSPMedia) -> None:
        media.connect("prepared", self._on_prepared)

    def _on_prepared(self, media: GstRtspServer.RTSPMedia) -> None:
        payloader = media.get_element().get_by_name("pay0")
        # A client whose PLAY comes before the new segment aborts the whole server: it asserts that
        # there is one (rtsp-media.c, get_rates).
        segment = threading.Event()
        source = payloader.get_static_pad("src")
        probe = source.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_segment, segment)
        self._rewind(payloader)
        segment.wait(SEGMENT_S)
        source.remove_probe(probe)
        payloader.get_static_pad("sink").add_probe(
            Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_event, payloader
        )

    def _on_segment(
        self, _pad: Gst.Pad, info: Gst.PadProbeInfo, segment: threading.Event
    ) -> Gst.PadProbeReturn:
        if info.get_event().type == Gst.EventType.SEGMENT:
            segment.set()
        return Gst.PadProbeReturn.OK

    def _on_event(
        self, _pad: Gst.Pad, info: Gst.PadProbeInfo, payloader: Gst.Element
    ) -> Gst.PadProbeReturn:
        if info.get_event().type != Gst.EventType.SEGMENT_DONE:
            return Gst.PadProbeReturn.OK
        GLib.idle_add(self._again, payloader)
        return Gst.PadProbeReturn.DROP

    def _rewind(self, payloader: Gst.Element) -> None:
        flags = Gst.SeekFlags.SEGMENT | Gst.SeekFlags.FLUSH
        payloader.seek(1.0, Gst.Format.TIME, flags, Gst.SeekType.SET, 0, Gst.SeekType.NONE, -1)

    def _again(self, payloader: Gst.Element) -> bool:
        flags = Gst.SeekFlags.SEGMENT
        payloader.seek(1.0, Gst.Format.TIME, flags, Gst.SeekType.SET, 0, Gst.SeekType.NONE, -1)
        return False


def main(arguments: list[str]) -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments[0])
    for mount in arguments[1:]:
        point, _, path = mount.partition("=")
        server.get_mount_points().add_factory(point, LoopedFile(Path(path).resolve()))
    server.attach(None)
    print(f"ready {server.get_bound_port()}", flush=True)  # noqa: T201  (the protocol with the test)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(sys.argv[1:])
