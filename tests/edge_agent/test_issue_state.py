import json

import pytest

from edge_agent.errors import StoreError
from edge_agent.issue_state import CameraIssues
from edge_agent.presence import Tally
from tests.edge_agent.street import Street

CART = ("street_vendor", (0.4, 0.5, 0.55, 0.7), 0.7)
COVER = ("manhole_damaged", (0.3, 0.8, 0.36, 0.84), 0.6)


def lived_through() -> CameraIssues:
    """A state with an open issue, a candidate and a cleared issue."""
    street = Street()
    street.watch(10, [CART])
    street.watch(10, [COVER])
    street.watch(2, [COVER, CART])
    assert street.phases == ["raised", "cleared", "raised"]
    return street.state


def test_the_state_survives_json_unchanged() -> None:
    state = lived_through()
    assert CameraIssues.from_json(state.to_json()) == state
    assert [place.is_open for place in state.places] == [True, False]
    assert len(state.past) == 1


def test_keys_that_are_unknown_or_absent_are_no_obstacle() -> None:
    document = json.loads(lived_through().to_json())
    document["later"] = 1
    for key in ("votes", "history", "standing", "missing", "observed_at", "issue"):
        del document["places"][1][key]
    document["places"][0]["later"] = {}
    del document["past"]
    state = CameraIssues.from_json(json.dumps(document).encode())
    candidate = state.places[1]
    assert (candidate.history, candidate.standing, candidate.issue) == ((), Tally(), None)
    assert candidate.votes == ((candidate.category, candidate.score),)
    assert state.past == ()


def test_a_later_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(StoreError, match=r"camera cam-9 has version 2; .* reads version 1"):
        CameraIssues.from_json(b'{"version": 2, "camera_id": "cam-9"}')


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"version": 1, "camera_id": "a", "places": [{}]}']
)
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="issue state cannot be read"):
        CameraIssues.from_json(data)
