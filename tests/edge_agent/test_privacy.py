"""Nobody's head and no plate leaves the gateway: planted ones are looked for in all that is written.

Heads are magenta and plates cyan, colours that the street does not have. A real stream (H.264)
goes through the ring, the judge, stills, clips, the store and the uploader to an HTTP server; then
every file of the state folder and every byte that was sent is searched.
"""

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from contract.catalogue import Category
from contract.messages import ClockState, IssueReport
from edge_agent.clip_desk import ClipDesk
from edge_agent.clock import Instant, ReplayClock
from edge_agent.config import AgentInfo, CameraConfig, Centre
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.frames import Frame, Picture
from edge_agent.judge import CameraJudge, Surroundings
from edge_agent.judging import Desks, Hooks, JudgedCamera, Judging
from edge_agent.looks import Look
from edge_agent.model import ModelCard
from edge_agent.packet_ring import PacketRing
from edge_agent.still_desk import StillDesk
from edge_agent.store import Store
from edge_agent.uploader import Uploader
from edge_agent.video import DEFAULT_TIMEOUTS, Video, kept
from edge_agent.witness import MASK_TILES, Witness, clip_source
from tests.edge_agent.centre_server import CentreServer

Until = Callable[..., None]
Box = tuple[float, float, float, float]
CLOCK = ReplayClock(datetime(2026, 7, 1, 8, 0, tzinfo=UTC))
WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 10, 16
HEAD_RGB, PLATE_RGB, STREET_RGB = (255, 0, 255), (0, 255, 255), (110, 110, 100)
CART = (0.35, 0.5, 0.6, 0.8)
CONFIG = {
    "camera": {"id": "cam-01", "name": "人民路口"},
    "rules": {"street_vendor": {"seen_m": 2, "of_n": 3, "dwell_s": 2, "clear_after_s": 2}},
    "evidence": {"before_s": 3, "after_s": 2},
}


def person(seconds: float) -> Box:
    """A walker who crosses the picture, also before the cart."""
    x = 0.05 + 0.9 * seconds / SECONDS
    return x - 0.04, 0.3, x + 0.04, 0.85


def car(seconds: float) -> Box:
    x = 0.85 - 0.5 * seconds / SECONDS
    return x - 0.12, 0.05, x + 0.12, 0.3


def painted(seconds: float) -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), STREET_RGB, np.uint8)

    def fill(box: Box, colour: tuple[int, int, int]) -> None:
        x1, y1, x2, y2 = box
        rows, columns = (
            slice(round(y1 * HEIGHT), round(y2 * HEIGHT)),
            slice(round(x1 * WIDTH), round(x2 * WIDTH)),
        )
        picture[rows, columns] = colour

    if cart_stands(seconds):
        fill(CART, (200, 160, 40))
    x1, y1, x2, y2 = car(seconds)
    fill((x1, y1, x2, y2), (60, 60, 160))
    fill((x1 + 0.08, y2 - 0.06, x2 - 0.08, y2 - 0.02), PLATE_RGB)
    x1, y1, x2, y2 = person(seconds)
    fill((x1, y1, x2, y2), (40, 90, 40))
    fill((x1 + 0.01, y1, x2 - 0.01, y1 + 0.14), HEAD_RGB)
    return picture


def cart_stands(seconds: float) -> bool:
    return 1 <= seconds < 8


def second_of(picture: Picture) -> float:
    """Where the car is tells when the picture was taken: the detector knows nothing else."""
    row = picture.rgb(WIDTH, HEIGHT)[round(0.06 * HEIGHT)].astype(int)
    (blue,) = np.nonzero((row[:, 2] > 130) & (row[:, 0] < 90))
    return (0.85 - (blue.min() + blue.max() + 1) / 2 / WIDTH) / 0.5 * SECONDS


def detected(seconds: float, *, blink: bool) -> Detections:
    """What a good detector finds; blinking, it misses person and car in two looks of three."""
    seen = [("street_vendor", CART)] if cart_stands(seconds) else []
    if not blink or round(seconds * 5) % 3 == 0:
        seen += [("person", person(seconds)), ("vehicle", car(seconds))]
    return Detections(
        np.array([box for _, box in seen], np.float32).reshape(-1, 4),
        np.full(len(seen), 0.9, np.float32),
        np.array([CLASS_INDEX[name] for name, _ in seen], np.int64),
    )


def closely(picture: Picture, _tiles: tuple[int, int] = MASK_TILES) -> Detections:
    return detected(second_of(picture), blink=False)


def film(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=FPS, options={"g": "20", "bf": "0", "crf": "12"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.time_base = Fraction(1, FPS)
        for index in range(FPS * SECONDS):
            frame = av.VideoFrame.from_ndarray(painted(index / FPS), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@dataclass
class Hand:
    seconds: float = 0.0

    def now(self) -> Instant:
        return CLOCK.at(self.seconds)


@dataclass
class Gateway:
    """One camera's whole way from packets to the store, driven by the film's own time."""

    folder: Path
    store: Store
    card: ModelCard
    config: CameraConfig

    def watch(self, path: Path) -> list[IssueReport]:
        source, hand = clip_source(self.config), Hand()
        ring: PacketRing = source.ring
        clips = ClipDesk({"cam-01": source}, closely, hand)
        judge = CameraJudge(self.config, self.card, Surroundings())
        witness = Witness(closely, ring, mask=self.config.privacy.mask)
        hooks = Hooks(
            lambda: ClockState(offset_s=0, error_s=1, synced=True), lambda _: None, lambda: None
        )
        cameras = {"cam-01": JudgedCamera(self.config, judge, witness)}
        stills, agent = StillDesk(), AgentInfo(city="demo", id="gw-01")
        judging = Judging(cameras, self.card, agent, self.store, hooks, Desks(stills, clips))
        stop = threading.Event()
        worker = threading.Thread(target=clips.run, args=(stop,))
        worker.start()
        with Video(str(path), "film", "tcp", DEFAULT_TIMEOUTS) as video:
            ring.begin(video.format)
            for packet in video.packets():
                hand.seconds = video.seconds(packet.pts) or hand.seconds
                ring.add(kept(packet, hand.now()))
                for picture in video.decode(packet):
                    self._look(judging, hand, picture)
                stills.work_off()
                judging.add_stills()
                judging.add_clips()
                clips.finish()
        judging.add_clips()
        stop.set()
        worker.join(10)
        waiting = sorted(self.store.due(0, 100), key=lambda one: one.seq)
        return [IssueReport.model_validate_json(one.body) for one in waiting]

    def _look(self, judging: Judging, hand: Hand, picture: Picture) -> None:
        if round(hand.seconds * FPS) % 2 == 0:
            found = detected(hand.seconds, blink=True)
            judging.take(Look(Frame("cam-01", hand.now(), picture), frozenset(Category), found))


@pytest.fixture
def gateway(tmp_path: Path, card: ModelCard) -> Iterator[Callable[..., Gateway]]:
    opened: list[Store] = []

    def make(**more: Any) -> Gateway:
        store = Store(tmp_path / "state", 100_000_000)
        opened.append(store)
        config = CameraConfig.model_validate(CONFIG | more)
        return Gateway(tmp_path / "state", store, card, config)

    yield make
    for store in opened:
        store.close()


def pictures_in(data: bytes) -> list[np.ndarray]:
    """Every picture that can be decoded from bytes, RGB."""
    if data[:3] == b"\xff\xd8\xff":
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert bgr is not None
        return [np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))]
    if data[4:8] == b"ftyp":
        with av.open(io.BytesIO(data)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return []


def planted_pixels(picture: np.ndarray) -> int:
    """Pixels that look like a planted head or plate, however compressed."""
    r, g, b = (picture[..., index].astype(int) for index in range(3))
    magenta = (r - g > 80) & (b - g > 80)
    cyan = (g - r > 80) & (b - r > 80)
    return int((magenta | cyan).sum())


def test_the_planted_colours_are_found_where_nobody_masks() -> None:
    assert planted_pixels(painted(4.0)) > 500
    assert closely(type("P", (), {"rgb": lambda *_: painted(4.0)})()).classes.tolist() == [0, 7, 8]


def test_no_pixel_of_a_planted_head_or_plate_is_written_or_sent(
    gateway: Callable[..., Gateway], centre: CentreServer, tmp_path: Path, until: Until
) -> None:
    film(tmp_path / "film.mp4")
    own = gateway()
    reports = own.watch(tmp_path / "film.mp4")
    named = [ref for report in reports for ref in report.evidence]
    assert sorted(ref.kind for ref in named) == [
        "clip",
        "clip",
        "still",
        "still",
        "still_marked",
        "still_marked",
    ]
    files = {path: path.read_bytes() for path in own.folder.rglob("*") if path.is_file()}
    upload_all(own.store, centre, until, len(named))

    shown = 0
    for origin, data in [*files.items(), *centre.held.items()]:
        for picture in pictures_in(data):
            shown += 1
            assert planted_pixels(picture) == 0, f"a planted head or plate in {origin}"
    assert shown > 100, "stills and clips, on disk and sent, were looked at"
    assert_no_packets_in([*files.values(), *centre.held.values()], tmp_path / "film.mp4")


def test_the_same_way_unmasked_shows_them(
    gateway: Callable[..., Gateway], tmp_path: Path, until: Until
) -> None:
    film(tmp_path / "film.mp4")
    own = gateway(privacy={"mask": False})
    own.watch(tmp_path / "film.mp4")
    found = [
        planted_pixels(picture)
        for path in own.folder.rglob("evidence/*")
        for picture in pictures_in(path.read_bytes())
    ]
    assert max(found) > 500


def test_stills_and_clips_are_reported_with_its_issue_as_it_then_stands(
    gateway: Callable[..., Gateway], tmp_path: Path, until: Until
) -> None:
    film(tmp_path / "film.mp4")
    reports = gateway().watch(tmp_path / "film.mp4")
    told = [
        (report.phase, [(ref.kind, ref.moment) for ref in report.evidence]) for report in reports
    ]
    assert told == [
        ("raised", []),
        ("updated", [("still", "raised"), ("still_marked", "raised")]),
        ("updated", [("clip", "raised")]),
        ("cleared", []),
        ("cleared", [("still", "cleared"), ("still_marked", "cleared")]),
        ("cleared", [("clip", "cleared")]),
    ]
    assert len({report.issue_id for report in reports}) == 1
    assert [report.revision for report in reports] == [1, 2, 3, 4, 5, 6]
    before, after = (report.evidence[0].captured_at for report in (reports[1], reports[4]))
    assert before is not None
    assert after is not None
    assert before <= reports[0].captured_at <= after <= reports[3].captured_at


def upload_all(store: Store, centre: CentreServer, until: Until, count: int) -> None:
    stop = threading.Event()
    uploader = Uploader(Centre(url=centre.url), store)
    thread = threading.Thread(target=uploader.run, args=(stop,))
    thread.start()
    until(lambda: len(centre.held) == count, "everything is sent")
    stop.set()
    uploader.wake()
    thread.join(10)


def assert_no_packets_in(written: list[bytes], path: Path) -> None:
    """Undecoded video is as good as a picture: no part of a packet may be anywhere."""
    with Video(str(path), "film", "tcp", DEFAULT_TIMEOUTS) as video:
        marks = [bytes(one)[-48:-8] for one in video.packets() if one.size > 200]
    assert len(marks) > 5
    everything = b"".join(written)
    assert not [mark for mark in marks if mark in everything]
    assert json.dumps("cam-01").encode() in everything, "the database was searched too"
