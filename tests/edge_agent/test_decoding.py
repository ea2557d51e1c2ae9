"""Only what the next look needs is decoded."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.decoding import DecodeGate, DecodePolicy, KeyframeMeter, LagMeter, Verdict

FPS = 25
START_S = 100.0


def instant(seconds: float) -> Instant:
    return Instant(datetime(2026, 1, 1, tzinfo=UTC), START_S + seconds, "boot")


class Due:
    """Looks every so many seconds; a decoded frame that is due is taken."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self.next_s = START_S
        self.taken: list[float] = []

    def wait_s(self, at: Instant) -> float:
        return max(0.0, self.next_s - at.monotonic_s)

    def decoded(self, at: Instant) -> None:
        if at.monotonic_s >= self.next_s - 0.001:
            self.taken.append(at.monotonic_s - START_S)
            self.next_s = at.monotonic_s + self.every_s


def play(mode: str, every_s: float, gop: int, seconds: float = 20) -> tuple[list[Verdict], Due]:
    due = Due(every_s)
    gate = DecodeGate(DecodePolicy(mode, every_s), due.wait_s)
    verdicts = []
    for index in range(round(seconds * FPS)):
        at = instant(index / FPS)
        verdicts.append(gate.verdict(at, index / FPS, keyframe=index % gop == 0))
        if verdicts[-1] != "skip":
            due.decoded(at)
    return verdicts, due


@pytest.mark.parametrize(
    ("mode", "every_s", "gop", "share"),
    [
        ("all", 30, 50, 1.0),  # asked for
        ("auto", 0.2, 50, 1.0),  # every frame builds on the one before
        ("auto", 1.0, 50, 0.56),  # the second half of each group is never looked at
        ("auto", 2.0, 50, 0.09),  # key frames serve
        ("auto", 10.0, 25, 0.04),  # one key frame of ten
        ("keyframes", 0.2, 50, 0.02),
    ],
)
def test_no_more_is_decoded_than_looks_need(
    mode: str, every_s: float, gop: int, share: float
) -> None:
    verdicts, _ = play(mode, every_s, gop, seconds=60)
    assert sum(v != "skip" for v in verdicts) / len(verdicts) == pytest.approx(share, abs=0.02)


@given(
    every_s=st.sampled_from([0.04, 0.2, 0.5, 0.9, 1.0, 1.7, 2.0, 3.3, 5.0]),
    gop=st.sampled_from([10, 25, 50, 100]),
)
def test_skipping_delays_no_look_by_more_than_the_slack_of_a_key_frame(
    every_s: float, gop: int
) -> None:
    _, due = play("auto", every_s, gop, seconds=40)
    distance_s = gop / FPS
    apart = [b - a for a, b in zip(due.taken, due.taken[1:], strict=False)]
    slack_s = max(1 / FPS, 0.1 * distance_s) + (distance_s if every_s >= distance_s / 1.1 else 0)
    assert all(gap <= every_s + slack_s + 0.001 for gap in apart)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=80))
def test_what_follows_a_skipped_packet_is_skipped_up_to_the_next_key_frame(
    packets: list[tuple[bool, float]],
) -> None:
    waits = iter([wait for _, wait in packets] + [0.0])
    gate = DecodeGate(DecodePolicy("auto", 1), lambda _: next(waits, 0.0))
    broken = True
    for index, (keyframe, _) in enumerate(packets):
        verdict = gate.verdict(instant(index / 5), index / 5, keyframe=keyframe)
        if verdict != "skip" and not keyframe and index:
            assert not broken or not any(k for k, _ in packets[:index])
        if keyframe:
            broken = verdict != "decode"
        elif verdict == "skip":
            broken = True


@given(
    mode=st.sampled_from(["all", "auto"]),
    late_s=st.lists(st.floats(0, 2), min_size=1, max_size=120),
    gop=st.sampled_from([5, 25]),
)
def test_a_frame_is_decoded_only_where_all_since_its_key_frame_are(
    mode: str, late_s: list[float], gop: int
) -> None:
    gate = DecodeGate(DecodePolicy(mode, 0.2), lambda _: 0.0)
    whole = False
    for index, late in enumerate(late_s):
        at, keyframe = instant(index / FPS + late), index % gop == 0
        verdict = gate.verdict(at, index / FPS, keyframe=keyframe)
        whole = verdict == "decode" and (whole or keyframe)
        assert whole or verdict != "decode"


def test_a_decoder_that_falls_behind_skips_to_the_next_key_frame_until_it_has_caught_up() -> None:
    gate = DecodeGate(DecodePolicy("all", 0.04), lambda _: 0.0)
    verdicts = []
    late_s = 0.0
    for index in range(200):
        late_s = max(0.0, late_s + (0.05 if verdicts[-1:] == ["decode"] and index < 120 else -0.03))
        at = instant(index / FPS + late_s)
        verdicts.append(gate.verdict(at, index / FPS, keyframe=index % 50 == 0))
    first = verdicts.index("skip")
    assert "decode" not in verdicts[first:50]
    assert verdicts[-1] == "decode"
    assert not gate.behind


def test_a_slow_clock_of_the_camera_is_no_lag() -> None:
    meter = LagMeter()
    drift = 1.0001
    assert max(meter.lag_s(second, instant(second * drift)) for second in range(20_000)) < 0.02


@pytest.mark.parametrize(
    ("mode", "every_s", "distance_s", "only"),
    [
        ("all", 30, 2.0, False),
        ("keyframes", 0.2, None, True),
        ("auto", 0.2, 2.0, False),
        ("auto", 2.0, 2.03, True),  # arrivals jitter
        ("auto", 2.0, None, False),  # not measured yet
        ("auto", 2.0, 4.0, False),
    ],
)
def test_key_frames_suffice_when_they_come_often_enough(
    mode: str, every_s: float, distance_s: float | None, *, only: bool
) -> None:
    assert DecodePolicy(mode, every_s).keyframes_only(distance_s) is only


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ({}, DecodePolicy("auto", 0.2)),
        ({"default": {"every_s": 2, "decode": "keyframes"}}, DecodePolicy("keyframes", 2)),
        (
            {"default": {"every_s": 2}, "street_vendor": {"every_s": 1, "decode": "all"}},
            DecodePolicy("all", 1),
        ),
    ],
)
def test_the_most_demanding_look_decides(looks: dict[str, object], expected: DecodePolicy) -> None:
    config = CameraConfig.model_validate({"camera": {"id": "cam-01"}, "looks": looks})
    assert DecodePolicy.of(config) == expected


def test_the_longest_recent_distance_of_key_frames_counts() -> None:
    meter = KeyframeMeter()
    measured = []
    for at_s in (0, 1, 2, 6, 7, 8, 9, 10):
        meter.saw(instant(at_s))
        measured.append(meter.longest_s)
    assert measured == [None, None, 1, 4, 4, 4, 4, 1]
