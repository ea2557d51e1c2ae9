"""Light and sharpness of small pictures."""

import numpy as np
import pytest

from edge_agent.frames import ArrayPicture
from edge_agent.luma import Sample
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


def test_an_encoders_noise_is_no_change_and_a_clock_is_one() -> None:
    picture = STREET.picture(1).array
    sample = Sample.of(ArrayPicture(picture))
    assert Sample.of(ArrayPicture(np.clip(picture, 1, 254) + 1)).same_as(sample.luma)
    clock = picture.copy()
    clock[10:20, 10:16] = 255 - clock[10:20, 10:16]
    assert not Sample.of(ArrayPicture(clock)).same_as(sample.luma)
