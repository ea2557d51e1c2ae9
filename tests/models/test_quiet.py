"""Quiet hits: what counts as one, and how it is listed."""

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="needs the training or dev extra")

from models.training.classes import CLASSES, GARBAGE_BIN, MANHOLE_MISSING, STREET_VENDOR
from models.training.metrics import Judged
from models.training.quiet import count_by_class, quiet_hits

THRESHOLDS = {name: {"raise": 0.5, "keep": 0.2} for name in CLASSES}
NOTHING = np.zeros((0, 5), np.float32)


def frame(name: str, *found: tuple[float, int]) -> Judged:
    rows = [[10, 20, 30, 40, score, kind] for score, kind in found]
    return Judged(name, (640, 360), NOTHING, NOTHING, np.array(rows, np.float32).reshape(-1, 6))


def test_a_problem_from_raise_on_is_a_hit_and_names_its_camera() -> None:
    (hit,) = quiet_hits([frame("a.jpg", (0.7, STREET_VENDOR))], {"a.jpg": "35"}, THRESHOLDS)
    assert (hit.camera, hit.frame, hit.class_name) == ("35", "a.jpg", "street_vendor")
    assert hit.box_xyxy == (10, 20, 30, 40)


@pytest.mark.parametrize(
    "found",
    [
        (0.45, STREET_VENDOR),  # kept, but never raised
        (0.95, GARBAGE_BIN),  # a bin is no problem
    ],
)
def test_what_raises_nothing_is_no_hit(found: tuple[float, int]) -> None:
    assert quiet_hits([frame("a.jpg", found)], {"a.jpg": "35"}, THRESHOLDS) == []


def test_in_tiles_everything_but_vendors_is_a_hit() -> None:
    tiled = [frame("a.jpg", (0.7, STREET_VENDOR), (0.6, MANHOLE_MISSING))]
    (hit,) = quiet_hits([], {"a.jpg": "35"}, THRESHOLDS, tiled)
    assert (hit.class_name, hit.tiled) == ("manhole_missing", True)


def test_hits_come_best_first_and_are_counted_by_class() -> None:
    frames = [frame("a.jpg", (0.6, STREET_VENDOR)), frame("b.jpg", (0.9, MANHOLE_MISSING))]
    hits = quiet_hits(frames, {"a.jpg": "1", "b.jpg": "2"}, THRESHOLDS)
    assert [hit.camera for hit in hits] == ["2", "1"]
    counts = count_by_class(hits)
    assert counts["manhole_missing"] == counts["street_vendor"] == 1
    assert counts["bin_overflow"] == 0
