"""Stills hold the issue, not the people; what was not masked is not written."""

import hashlib
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.detections import PERSON, Detections
from edge_agent.evidence import Caption, masked, stills
from edge_agent.frames import ArrayPicture, Frame, Picture
from edge_agent.looks import Look
from edge_agent.masking import FILL_RGB

AT = Instant(datetime(2026, 7, 1, 8, 30, tzinfo=UTC), 1.0, "boot")
CAPTION = Caption(
    (0.25, 0.25, 0.5, 0.5), "street_vendor", "cam-01", AT.utc, "Asia/Shanghai", "340302001001001"
)


def found(*boxes: tuple[float, float, float, float]) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.full(len(boxes), PERSON, np.int64),
    )


def look(*people: tuple[float, float, float, float]) -> Look:
    street = np.full((360, 640, 3), (40, 160, 60), np.uint8)
    frame = Frame("cam-01", AT, ArrayPicture(street))
    return Look(frame, frozenset(Category), found(*people))


def nobody(_picture: Picture, _tiles: tuple[int, int]) -> Detections:
    return Detections.empty()


def is_filled(picture: np.ndarray, x: int, y: int) -> bool:
    return bool(np.abs(picture[y, x].astype(int) - FILL_RGB).max() < 12)


def decoded(data: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def test_heads_of_this_look_and_of_the_second_before_are_masked() -> None:
    here, before = (0.7, 0.2, 0.8, 0.9), found((0.1, 0.2, 0.2, 0.9))
    still, marked = stills(masked(look(here), (before,), nobody), CAPTION)
    for data in (still.data, marked.data):
        picture = decoded(data)
        assert is_filled(picture, 480, 100)
        assert is_filled(picture, 96, 100)
        assert not is_filled(picture, 480, 300)


def test_a_head_that_only_a_closer_look_finds_is_masked() -> None:
    def closely(_picture: Picture, tiles: tuple[int, int]) -> Detections:
        return found((0.1, 0.2, 0.2, 0.9)) if tiles == (2, 2) else Detections.empty()

    assert is_filled(decoded(stills(masked(look(), (), closely), CAPTION)[0].data), 96, 100)


def test_a_still_is_named_by_its_hash_and_keeps_its_size() -> None:
    still, marked = stills(masked(look(), (), nobody), CAPTION)
    for item, kind in ((still, "still"), (marked, "still_marked")):
        assert item.ref.sha256 == hashlib.sha256(item.data).hexdigest()
        assert (item.ref.kind, item.ref.media_type) == (kind, "image/jpeg")
        assert item.ref.bytes == len(item.data)
    assert decoded(still.data).shape == (360, 640, 3)


def test_the_mark_frames_the_box_and_the_text_stands_below_the_picture() -> None:
    still, marked = (decoded(item.data) for item in stills(masked(look(), (), nobody), CAPTION))
    assert marked.shape[0] > still.shape[0]
    assert marked[90, 240].astype(int)[2] < 90 < marked[90, 240].astype(int)[0]  # yellow edge
    assert np.abs(marked[135, 240].astype(int) - (40, 160, 60)).max() < 12  # inside untouched
    assert marked[362:, 10:400].max() > 200  # white text
    assert still[350].max() < 200


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("340302001001001", "street_vendor  cam-01  2026-07-01 16:30:00+08:00  340302001001001"),
        (None, "street_vendor  cam-01  2026-07-01 16:30:00+08:00"),
    ],
)
def test_the_caption_is_ascii_with_local_time_and_its_offset(cell: str | None, line: str) -> None:
    caption = Caption(CAPTION.box_xyxyn, "street_vendor", "cam-01", AT.utc, "Asia/Shanghai", cell)
    assert caption.line == line
    assert line.isascii()


def test_only_a_camera_file_that_says_so_gets_unmasked_stills() -> None:
    person = look((0.7, 0.2, 0.8, 0.9))
    assert is_filled(masked(person, (), nobody).array, 480, 100)
    assert not is_filled(masked(person, (), nobody, mask=False).array, 480, 100)


def test_a_small_picture_is_captioned_inside_its_width() -> None:
    tiny = Frame("cam-01", AT, ArrayPicture(np.zeros((90, 160, 3), np.uint8)))
    _, marked = stills(masked(Look(tiny, frozenset(), found()), (), nobody), CAPTION)
    assert decoded(marked.data).shape[1] == 160
