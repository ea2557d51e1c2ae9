"""Squares: whatever lies within a radius lies in one of the squares that are looked through."""

from math import cos, radians

from hypothesis import given
from hypothesis import strategies as st

from central_ingest.dedup import EARTH_RADIUS_M, Place
from central_ingest.spots import spot, spots_around
from contract.catalogue import Family

METRES_PER_DEGREE = radians(EARTH_RADIUS_M)
PLACES = st.builds(Place, st.floats(-179, 179), st.floats(-70, 70), st.just(0.5))


@given(
    PLACES,
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(1, 100),
    st.sampled_from(Family),
    st.booleans(),
)
def test_what_lies_within_the_radius_lies_in_a_square_of_a_row(
    place: Place,
    east: float,
    north: float,
    radius_m: float,
    family: Family,
    coarse: bool,  # noqa: FBT001 -- drawn
) -> None:
    shift = max(1.0, (east**2 + north**2) ** 0.5)
    lat = place.lat + radius_m * north / shift / METRES_PER_DEGREE
    lon = place.lon + radius_m * east / shift / (METRES_PER_DEGREE * cos(radians(place.lat)))
    other = Place(lon, lat, 0.5)
    rows = list(spots_around(place, family, radius_m, coarse=coarse))
    assert any(spot(other, family, coarse=coarse) in row for row in rows)


@given(PLACES, st.floats(1, 100), st.booleans())
def test_no_square_is_named_twice_nor_for_another_family(
    place: Place,
    radius_m: float,
    coarse: bool,  # noqa: FBT001 -- drawn
) -> None:
    of_family = [
        {number for row in spots_around(place, family, radius_m, coarse=coarse) for number in row}
        for family in Family
    ]
    rows = [len(row) for f in Family for row in spots_around(place, f, radius_m, coarse=coarse)]
    assert len(set.union(*of_family)) == sum(rows)
