"""What the map of a case draws: its position, its cell, every camera's sighting. Pure."""

import json

from central_ingest.store.views import CaseDetail, CaseSummary


def map_json(detail: CaseDetail) -> str:
    """JSON for map.js: degrees and metres; `n` is a sighting's number in the list beside it."""
    sightings = [
        {
            "n": number,
            "camera_id": seen.camera_id,
            "phase": seen.phase.value,
            "lon": seen.lon,
            "lat": seen.lat,
            "error_m": seen.error_m,
        }
        for number, seen in enumerate(detail.sightings, start=1)
    ]
    return json.dumps(
        {
            "position": _position(detail.summary),
            "cell": detail.summary.cell_code,
            "official": detail.summary.cell_official,
            "sightings": sightings,
        }
    )


def _position(case: CaseSummary) -> dict[str, float | None] | None:
    if case.lon is None or case.lat is None:
        return None
    return {"lon": case.lon, "lat": case.lat, "error_m": case.error_m}
