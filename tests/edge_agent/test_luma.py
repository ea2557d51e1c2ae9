"""Light and sharpness of small pictures."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge_agent.frames import ArrayPicture
from edge_agent.luma import Sample
from edge_agent.video import read_clip
from tests.edge_agent.painted import Street

STREET = Street()


@pytest.mark.parametrize(
    ("street", "names"),
    [
        (STREET, set()),
        (STREET.but(gain=0.05), {"dark", "night"}),
        (STREET.but(gain=0.4), {"night"}),
        (STREET.but(gain=2.5, lift=90), {"overexposed"}),
    ],
)
def test_light_is_named(street: Street, names: set[str]) -> None:
    sample = Sample.of(street.picture(1))
    assert {name for name in ("dark", "overexposed", "night") if getattr(sample, name)} == names


def test_sharpness_falls_with_focus_and_not_with_fog() -> None:
    sharp, foggy, blurred = (
        Sample.of(street.picture(1)).sharpness
        for street in (STREET, STREET.but(gain=0.5, lift=90), STREET.but(blur_px=3.0))
    )
    assert foggy == pytest.approx(sharp, rel=0.25)
    assert blurred < 0.3 * sharp


def test_a_passer_by_is_a_change() -> None:
    picture = STREET.picture(1).array
    sample = Sample.of(ArrayPicture(picture))
    assert sample.same_as(sample.luma)
    passing = picture.copy()
    passing[150:180, 100:116] = (40, 40, 60)
    assert not Sample.of(ArrayPicture(passing)).same_as(sample.luma)


@pytest.mark.parametrize(("noise", "same"), [(0.0, True), (1.0, False)])
def test_a_repeated_picture_is_told_from_a_quiet_street_though_both_are_encoded(
    tmp_path: Path, noise: float, *, same: bool
) -> None:
    still = cv2.resize(STREET.but(traffic=0).picture(1).array, (960, 540))
    rng = np.random.default_rng(3)
    path = tmp_path / "quiet.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "23", "g": "20"})
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        for _ in range(120):
            noisy = still + rng.normal(0, noise, (540, 960, 1)) if noise else still
            frame = av.VideoFrame.from_ndarray(
                np.clip(np.round(noisy), 0, 255).astype(np.uint8), format="rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples = [Sample.of(picture) for at_s, picture in read_clip(path) if at_s * 10 % 10 == 0]
    later = [one.same_as(samples[6].luma) for one in samples[7:]]
    assert all(later) is same
