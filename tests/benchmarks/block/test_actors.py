import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.block.actors import poses, sprites
from benchmarks.block.script import Day, load_day

DAY = load_day()


def test_a_cart_rolls_in_stands_and_rolls_out(day: Day) -> None:
    hour = day.hours["noon"]
    where = {
        t: [p for p in poses(day, hour, t) if p.actor == "fruit-cart"] for t in (0, 5, 20, 50, 60)
    }
    assert where[0] == where[60] == []
    assert where[5][0].moving
    assert not where[20][0].moving
    assert where[20][0].parts[0].at == (3.6, 2.85, 0.0)
    assert where[50][0].parts[0].at[0] < 3.6


@pytest.mark.parametrize(
    ("at_s", "state"), [(0, "ok"), (12, "full"), (49.9, "full"), (50, "ok"), (74.9, "ok")]
)
def test_a_bin_fills_and_is_emptied(day: Day, at_s: float, state: str) -> None:
    own = day.bins["noon-right"].component
    found = [p for p in poses(day, day.hours["noon"], at_s) if p.actor == own]
    assert [p.parts[0].asset.split(":")[-1] for p in found] == [state]


@given(hour=st.sampled_from(sorted(DAY.hours)), at_s=st.floats(0, 74.99))
def test_every_pose_is_shown_by_a_sprite_that_is_rendered(hour: str, at_s: float) -> None:
    rendered = sprites(DAY, DAY.hours[hour])
    for pose in poses(DAY, DAY.hours[hour], at_s):
        assert pose.shown
        assert all(parts in rendered and len(parts) == len(pose.parts) for parts in pose.shown)


def test_a_sprite_stands_at_most_half_a_step_from_the_true_place(day: Day) -> None:
    for pose in poses(day, day.hours["noon"], 6.3):
        (x, y, _), (sx, sy, _) = pose.parts[0].at, pose.shown[0][0].at
        assert abs(complex(x - sx, y - sy)) <= 2.51


def test_the_same_way_at_another_time_needs_no_other_sprites(day: Day) -> None:
    hour = day.hours["noon"]
    once = hour.model_copy(
        update={"actors": [a for a in hour.actors if a.id not in {"car-b", "car-c"}]}
    )
    assert set(sprites(day, once)) == set(sprites(day, hour))
