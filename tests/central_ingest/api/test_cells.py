"""The grid over HTTP."""

from typing import Any

import pytest

from central_ingest.dedup import Place
from central_ingest.grid import lattice
from central_ingest.store.cells import GridSource, import_cells
from central_ingest.store.database import writing


@pytest.fixture(autouse=True)
def grid(centre: Any) -> None:
    cells = lattice(Place(117.36, 32.93, 0), 4, 4)
    with writing(centre.engine) as connection:
        import_cells(connection, GridSource("v1", "lattice", "0" * 64), cells, centre.clock.now)


@pytest.mark.parametrize(
    ("bbox", "count"),
    [("117.3,32.9,117.4,33", 16), ("117.36001,32.93001,117.36002,32.93002", 1), ("0,0,1,1", 0)],
)
def test_the_cells_of_a_box_come_as_geojson(client: Any, bbox: str, count: int) -> None:
    found = client.get("/api/cells", params={"bbox": bbox}).json()
    assert found["type"] == "FeatureCollection"
    assert len(found["features"]) == count
    assert all(one["properties"]["official"] is False for one in found["features"])


@pytest.mark.parametrize("bbox", ["", "1,2,3", "a,b,c,d"])
def test_a_wrong_box_is_refused(client: Any, bbox: str) -> None:
    assert client.get("/api/cells", params={"bbox": bbox}).status_code == 422
