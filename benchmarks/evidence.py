"""What evidence costs a gateway: packets kept all day, a still and a clip now and then.

Processor seconds of this process, on one 1080p stream at 25 frames/s and 4 Mbit/s. Keeping packets
is paid every second; decoding the same stream all day is what it saves. A still and a clip are
paid once an issue is raised and once it is cleared.
"""

import statistics
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.footage import describe
from benchmarks.machine import this_machine
from contract.catalogue import Category
from edge_agent.clips import Span, encoded, masked_frames, moments, nearest, thinned
from edge_agent.clock import ReplayClock
from edge_agent.config import CameraEvidence
from edge_agent.detector import Detector
from edge_agent.evidence import Caption, stills
from edge_agent.masking import MASK_WINDOW_S, MaskedPicture
from edge_agent.packet_ring import Footage, PacketRing
from edge_agent.video import DEFAULT_TIMEOUTS, Video, kept
from edge_agent.witness import MASK_TILES

CLOCK = ReplayClock(datetime(2000, 1, 1, tzinfo=UTC))
SETTINGS = CameraEvidence()
RING_S = SETTINGS.before_s + SETTINGS.after_s + 2 * MASK_WINDOW_S


def measure(clip: Path, model: Path, rounds: int) -> dict[str, Any]:
    """Measure each part so many times. Raises CameraError and ModelError."""
    detector = Detector(model, threads=1)
    seconds = _length_s(clip)
    ring = PacketRing(RING_S, SETTINGS.ring_bytes)
    keep_s = _median(lambda: _fill(clip, ring), rounds)
    decode_s = _median(lambda: _decode(clip), rounds)
    footage = ring.footage(CLOCK.at(0), CLOCK.at(seconds))
    if footage is None:
        raise ValueError(f"clip {clip}: nothing of it was kept")
    detector.detect(next(moments(footage)).picture, MASK_TILES)  # the network is loaded
    made: list[bytes] = []
    still_s = _median(lambda: made.extend(_still(footage, detector)), rounds)
    clip_s = _median(lambda: made.append(_clip(footage, detector, seconds)), rounds)
    return {
        "question": "processor seconds for evidence, 1080p25 at 4 Mbit/s",
        "machine": this_machine().as_json(),
        "model": detector.card.name,
        "source": describe(clip),
        "rounds": rounds,
        "kept_packets": {
            "core_share": round(keep_s / seconds, 4),
            "decoding_core_share": round(decode_s / seconds, 4),
            "ring_bytes": ring.bytes,
            "ring_s": RING_S,
        },
        "still": {"cpu_s": round(still_s, 2), "bytes": [len(one) for one in made[:2]]},
        "clip": {
            "cpu_s": round(clip_s, 2),
            "seconds": SETTINGS.before_s + SETTINGS.after_s,
            "bytes": len(made[-1]),
        },
    }


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The figures alone."""
    return {name: result[name] for name in ("kept_packets", "still", "clip")}


def _median(work: Callable[[], object], rounds: int) -> float:
    spent = []
    for _ in range(rounds):
        began = process_time()
        work()
        spent.append(process_time() - began)
    return statistics.median(spent)


def _open(clip: Path) -> Video:
    return Video(str(clip), f"clip {clip}", "tcp", DEFAULT_TIMEOUTS)


def _length_s(clip: Path) -> float:
    with _open(clip) as video:
        return max(video.seconds(packet.pts) or 0.0 for packet in video.packets())


def _fill(clip: Path, ring: PacketRing) -> None:
    with _open(clip) as video:
        ring.begin(video.format)
        for packet in video.packets():
            ring.add(kept(packet, CLOCK.at(video.seconds(packet.pts) or 0.0)))


def _decode(clip: Path) -> None:
    with _open(clip) as video:
        for packet in video.packets():
            deque(video.decode(packet), maxlen=0)


def _still(footage: Footage, detector: Detector) -> list[bytes]:
    """From the packets of one moment in the middle to both JPEGs."""
    middle = footage.packets[len(footage.packets) // 2].at
    start = max(
        n for n, one in enumerate(footage.packets) if one.is_keyframe and one.at.utc <= middle.utc
    )
    upto = tuple(one for one in footage.packets[start:] if one.at.utc <= middle.utc)
    moment = nearest(Footage(footage.format, upto), middle)
    if moment is None:
        raise ValueError("no picture of the middle could be decoded")
    picture = moment.picture
    looked = detector.detect(picture, MASK_TILES)
    masked = MaskedPicture.of(picture.rgb(picture.width, picture.height), [looked])
    caption = Caption(
        (0.4, 0.4, 0.6, 0.6),
        Category.STREET_VENDOR,
        "人民路口",
        middle.utc,
        "Asia/Shanghai",
        "raised",
    )
    return [item.data for item in stills(masked, caption)]


def _clip(footage: Footage, detector: Detector, seconds: float) -> bytes:
    """From packets to a masked clip of the default length."""
    end = CLOCK.at(seconds - MASK_WINDOW_S)
    span = Span(end.plus(-SETTINGS.before_s - SETTINGS.after_s), end)
    wide = span.widened(MASK_WINDOW_S)
    decoded = thinned(one for one in moments(footage) if wide.holds(one.at))
    frames = masked_frames(decoded, lambda one: detector.detect(one, MASK_TILES), span)
    return encoded(frames) or b""
