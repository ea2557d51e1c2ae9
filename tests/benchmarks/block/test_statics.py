from benchmarks.block.script import Day
from benchmarks.block.statics import lid, state_of, statics, surround


def test_every_cover_has_its_surround_and_its_lid_at_one_place(day: Day) -> None:
    found = statics(day)
    for cover in day.covers.values():
        one, other = surround(day, cover), lid(day, cover)
        assert one in found
        assert other in found
        assert one.at == other.at


def test_what_stands_on_the_pavement_stands_a_kerb_higher(day: Day) -> None:
    for placed in statics(day):
        assert placed.at[2] == (0.0 if abs(placed.at[1]) < day.world.road_half else day.world.kerb)


def test_a_missing_lid_lies_beside_its_hole_and_a_broken_one_in_it(day: Day) -> None:
    cover = day.covers["storm"]
    (aside,), (broken,) = state_of(day, cover, "missing"), state_of(day, cover, "broken")
    assert aside.at[:2] != cover.at
    assert broken.at[:2] == cover.at
