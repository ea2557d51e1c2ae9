import json
from collections.abc import Callable
from dataclasses import replace

from central_ingest.pages.maps import map_json
from central_ingest.store.views import CaseDetail, CaseSummary, SightingView


def test_the_map_holds_position_cell_and_numbered_sightings(
    make_detail: Callable[..., CaseDetail], sighting: SightingView
) -> None:
    other = replace(sighting, camera_id="cam-02", lon=None, lat=None, error_m=None)
    drawn = json.loads(map_json(make_detail(sightings=(sighting, other))))
    assert drawn["position"] == {"lon": 117.360112, "lat": 32.930205, "error_m": 1.1}
    assert (drawn["cell"], drawn["official"]) == ("340302001001001", True)
    assert [(s["n"], s["camera_id"], s["lat"]) for s in drawn["sightings"]] == [
        (1, "cam-01", 32.930205),
        (2, "cam-02", None),
    ]


def test_a_case_without_a_position_has_an_empty_map(
    make_detail: Callable[..., CaseDetail], summary: CaseSummary
) -> None:
    nowhere = replace(summary, lon=None, lat=None, error_m=None)
    assert json.loads(map_json(make_detail(nowhere)))["position"] is None
