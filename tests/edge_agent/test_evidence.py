"""Stills are named by their hash, and say in the operator's language what they show."""

import hashlib
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from contract.catalogue import Category
from contract.messages import ShownMoment
from edge_agent.evidence import Caption, evidence_of, stills
from edge_agent.masking import MaskedPicture

AT = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
STREET = MaskedPicture.as_it_is(np.full((360, 640, 3), (40, 160, 60), np.uint8))


def caption(moment: ShownMoment = "raised", cell: str | None = "340302001001001") -> Caption:
    box, name = (0.25, 0.25, 0.5, 0.5), "人民路口 cam-01"
    return Caption(box, Category.STREET_VENDOR, name, AT, "Asia/Shanghai", moment, cell)


def decoded(data: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def test_a_still_is_named_by_its_hash_and_keeps_its_size() -> None:
    still, marked = stills(STREET, caption())
    for item, kind in ((still, "still"), (marked, "still_marked")):
        assert item.ref.sha256 == hashlib.sha256(item.data).hexdigest()
        assert (item.ref.kind, item.ref.media_type) == (kind, "image/jpeg")
        assert item.ref.bytes == len(item.data)
        assert (item.ref.moment, item.ref.captured_at) == ("raised", AT)
    assert decoded(still.data).shape == (360, 640, 3)


def test_the_mark_frames_the_box_and_the_text_stands_below_the_picture() -> None:
    still, marked = (decoded(item.data) for item in stills(STREET, caption()))
    assert marked.shape[0] > still.shape[0]
    assert marked[90, 240].astype(int)[2] < 90 < marked[90, 240].astype(int)[0]  # yellow edge
    assert np.abs(marked[135, 240].astype(int) - (40, 160, 60)).max() < 12  # inside untouched
    assert marked[362:, 10:400].max() > 200  # white text
    assert still[350].max() < 200


@pytest.mark.parametrize(
    ("moment", "cell", "line"),
    [
        (
            "raised",
            "340302001001001",
            "占道经营 street_vendor   人民路口 cam-01   2026-07-01 16:30:00+08:00   网格 340302001001001",
        ),
        ("raised", None, "占道经营 street_vendor   人民路口 cam-01   2026-07-01 16:30:00+08:00"),
        (
            "cleared",
            None,
            "已消失 gone · 占道经营 street_vendor   人民路口 cam-01   2026-07-01 16:30:00+08:00",
        ),
    ],
)
def test_the_caption_names_category_camera_local_time_and_cell(
    moment: ShownMoment, cell: str | None, line: str
) -> None:
    assert caption(moment, cell).line == line


def test_chinese_is_drawn_as_chinese_and_not_as_question_marks() -> None:
    def band(name: str) -> np.ndarray:
        box = (0.25, 0.25, 0.5, 0.5)
        own = Caption(box, Category.STREET_VENDOR, name, AT, "Asia/Shanghai", "raised")
        return decoded(stills(STREET, own)[1].data)[360:]

    assert not np.array_equal(band("路口"), band("？？"))
    assert not np.array_equal(band("路口"), band("??"))
    assert not np.array_equal(band("路口"), band("龘靐"))


def test_a_small_picture_is_captioned_inside_its_width() -> None:
    tiny = MaskedPicture.as_it_is(np.zeros((90, 160, 3), np.uint8))
    marked = decoded(stills(tiny, caption())[1].data)
    assert marked.shape[1] == 160
    assert marked[92:, 156:].max() < 60


def test_a_clip_says_what_it_shows_and_since_when() -> None:
    made = evidence_of(b"ftyp", "clip", "video/mp4", "cleared", AT)
    assert (made.ref.kind, made.ref.bytes, made.ref.moment) == ("clip", 4, "cleared")
