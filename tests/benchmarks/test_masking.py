"""The labels are fit to measure by, and recall is counted as a person would."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import masking
from benchmarks.masking import (
    HEAD_RECALL_MIN,
    MASKED_SHARE,
    Judged,
    Kind,
    Label,
    LabelledFrame,
    MaskingError,
    covered,
    failed,
    judge,
    load_labels,
    masked_share,
    read_frames,
    recall,
    report,
    size_bucket,
    wilson,
)

FRAME: dict[str, Any] = {"image": "cam1_1.webp", "width": 100, "height": 50, "labels": []}


def label(kind: Kind = "head", height: float = 10, *, hard: bool = False) -> Label:
    return Label(kind=kind, box=(10, 10, 20, 10 + height), hard=hard)


def judged(share: float, kind: Kind = "head", source: str = "cam1", height: float = 10) -> Judged:
    return Judged(source, f"{source}_1.webp", label(kind, height), share)


def test_enough_heads_and_plates_are_labelled_and_each_frame_once() -> None:
    frames = load_labels().frames
    kinds = Counter(one.kind for frame in frames for one in frame.labels)
    assert kinds["head"] >= 200
    assert kinds["plate"] >= 100
    assert len({frame.name for frame in frames}) == len(frames)


def test_every_label_is_large_enough_to_be_recognised() -> None:
    for frame in load_labels().frames:
        for one in frame.labels:
            x1, y1, x2, y2 = one.box
            assert (y2 - y1 if one.kind == "head" else x2 - x1) >= 7.5, (frame.name, one)


def test_no_label_stands_twice_in_a_frame() -> None:
    for frame in load_labels().frames:
        boxes = Counter(one.box for one in frame.labels)
        assert not [box for box, count in boxes.items() if count > 1], frame.name


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": [{"kind": "head", "box": [90, 10, 101, 20]}]}, "outside its frame"),
        ({"labels": [{"kind": "head", "box": [20, 10, 10, 20]}]}, "outside its frame"),
        ({"labels": [{"kind": "hat", "box": [1, 1, 9, 9]}]}, "frames.0.labels.0.kind"),
        ({"clip": "a.mp4"}, "either image or clip"),
        ({"image": None}, "either image or clip"),
        ({"widht": 3}, "frames.0.widht"),
    ],
)
def test_bad_labels_are_refused_by_file_and_key(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "labels.json"
    content = {"schema": "masking-labels/1.0", "note": "", "frames": [FRAME | changes]}
    path.write_text(json.dumps(content))
    with pytest.raises(MaskingError, match=rf"labels\.json: .*{complaint}"):
        load_labels(path)


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MaskingError, match=r"none\.json: cannot be read"):
        load_labels(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("region_px", "share"),
    [
        ((0, 0, 100, 50), 1.0),  # all
        ((10, 10, 20, 15), 0.5),  # the upper half
        ((12, 10, 20, 20), 0.8),
        ((20, 10, 30, 20), 0.0),  # beside it
        ((10.4, 10, 20, 20), 1.0),  # a pixel that is touched is masked whole
    ],
)
def test_a_head_is_masked_by_the_share_of_its_area(
    region_px: tuple[float, float, float, float], share: float
) -> None:
    x1, y1, x2, y2 = region_px
    mask = covered([(x1 / 100, y1 / 50, x2 / 100, y2 / 50)], 100, 50)
    assert masked_share((10, 10, 20, 20), mask) == pytest.approx(share)


def test_pixels_at_a_labels_rim_count_by_their_part() -> None:
    mask = np.zeros((50, 100), bool)
    mask[:, :11] = True
    assert masked_share((10.5, 10, 12.5, 20), mask) == pytest.approx(0.25)


def test_two_regions_together_can_mask_a_head_that_neither_masks_alone() -> None:
    halves = [(0.1, 0.2, 0.15, 0.4), (0.15, 0.2, 0.2, 0.4)]
    frame = LabelledFrame.model_validate(FRAME | {"labels": [label()]})
    shares = [judge(frame, covered(regions, 100, 50))[0] for regions in ([], halves[:1], halves)]
    assert [one.masked_share for one in shares] == pytest.approx([0, 0.5, 1])
    assert [one.masked for one in shares] == [False, False, True]


@given(
    st.tuples(*[st.floats(0, 1)] * 4).map(
        lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
    )
)
def test_a_wider_region_never_masks_less(
    region: tuple[float, float, float, float],
) -> None:
    x1, y1, x2, y2 = region
    wider = (max(0.0, x1 - 0.1), y1, min(1.0, x2 + 0.1), y2)
    box = (30.5, 20, 44, 31.5)
    narrow_share = masked_share(box, covered([region], 100, 50))
    assert 0 <= narrow_share <= masked_share(box, covered([wider], 100, 50)) + 1e-9 <= 1 + 1e-6


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),  # worked examples of Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_recall_counts_what_reaches_the_share() -> None:
    cases = [judged(1.0), judged(MASKED_SHARE), judged(MASKED_SHARE - 0.01), judged(0.0)]
    found = recall(cases)
    assert (found["masked"], found["of"], found["recall"]) == (2, 4, 0.5)
    assert recall([])["recall"] is None


@pytest.mark.parametrize(
    ("height_px", "bucket"),
    [(11.5, "< 12 px"), (12, "12-20 px"), (20, "12-20 px"), (20.5, "> 20 px")],
)
def test_sizes_fall_into_buckets_by_height(height_px: float, bucket: str) -> None:
    assert size_bucket(judged(1, height=height_px)) == bucket


def test_a_report_groups_by_kind_size_and_source_and_lists_each_miss() -> None:
    found = report(
        [
            judged(1.0),
            judged(0.2, source="cam2", height=30),
            judged(1.0, "plate"),
            Judged("cam2", "cam2_1.webp", label(hard=True), 0.0),
        ]
    )
    assert found["head"]["recall"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["head"]["clear"]["of"] == 2
    assert found["head"]["by_source"]["cam2"]["masked"] == 0
    assert found["head"]["by_size"]["> 20 px"]["of"] == 1
    assert found["plate"]["recall"] == 1
    assert [miss["frame"] for miss in found["misses"]] == ["cam2_1.webp", "cam2_1.webp"]
    assert found["misses"][0]["masked_share"] == 0.2


@pytest.mark.parametrize(
    ("reached", "fails"),
    [(HEAD_RECALL_MIN, False), (HEAD_RECALL_MIN - 0.001, True), (1.0, False), (None, True)],
)
def test_the_check_fails_below_the_floor_and_says_what_to_do(
    reached: float | None, *, fails: bool
) -> None:
    complaint = failed({"head": {"recall": reached}})
    assert (complaint is not None) is fails
    assert complaint is None or "misses" in complaint


def test_labelled_frames_are_found_at_their_size_and_time(shared: Path) -> None:
    frames = load_labels().frames
    clips = [frame for frame in frames if frame.clip]
    some = [frame for frame in frames if frame.image][:2] + clips
    assert [frame for frame, _ in read_frames(some, shared)] == some


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"width": 99}, "labels were drawn"), ({"time_s": 0.7011}, "no frame at")],
)
def test_labels_of_another_size_or_moment_are_refused(
    shared: Path, changes: dict[str, Any], complaint: str
) -> None:
    frame = next(frame for frame in load_labels().frames if frame.clip)
    other = frame.model_copy(update=changes)
    with pytest.raises(MaskingError, match=complaint):
        list(read_frames([other], shared))


def test_the_summary_is_one_line_with_both_kinds() -> None:
    line = masking.summary(report([judged(1.0)]) | {"masked_area_share": 0.1})
    assert json.loads(line)["head"]["recall"] == 1
    assert "\n" not in line
