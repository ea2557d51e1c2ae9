import numpy as np
import pytest

from benchmarks.block.actors import all_actors
from benchmarks.block.script import Day
from benchmarks.block.statics import state_of, statics
from benchmarks.block.things import Placed, extent


def test_everything_in_the_script_has_an_extent(day: Day) -> None:
    named = {one.asset for one in statics(day)}
    for hour in day.hours.values():
        named |= {p.asset for a in all_actors(day, hour) for leg in a.legs for p in leg.parts}
    for cover in day.covers.values():
        named |= {p.asset for state in ("missing", "broken") for p in state_of(day, cover, state)}
    for name in named:
        assert extent(name).body


def test_an_unknown_asset_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'elephant' is unknown"):
        extent("elephant")


def test_a_footprint_is_turned_and_moved_with_its_thing() -> None:
    straight = Placed("car:saloon:#fff", (10, 2, 0), 0).footprint()
    across = Placed("car:saloon:#fff", (10, 2, 0), 90).footprint()
    assert np.allclose(np.ptp(straight, axis=0), np.ptp(across, axis=0)[::-1])
    assert np.allclose(straight.mean(0), across.mean(0))


def test_what_hangs_over_belongs_to_the_crop_but_not_to_the_box() -> None:
    cart = Placed("cart:1:#fff+#000", (0, 0, 0), 0)
    assert cart.body()[:, 2].max() < 1.2
    assert cart.everything()[:, 2].max() > 2.4
