"""Reading what a case has of each issue: its sighting, its pictures and its reports.

An issue that is seen again after its case was closed goes on in another one. So its life is cut
into stays, a case each: what came before the cut is shown by the case that was closed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from central_ingest.store import tables as t
from central_ingest.store.views import EvidenceView, SightingView
from contract.catalogue import Category
from contract.messages import Phase


@dataclass(frozen=True, slots=True)
class Stay:
    """From when to when an issue was of one case; None where nothing bounds it."""

    begun_at: datetime | None = None
    left_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether what came at `at` came in this stay."""
        return (self.begun_at is None or at >= self.begun_at) and (
            self.left_at is None or at < self.left_at
        )


def stays_of(connection: Connection, case_id: int) -> dict[UUID, Stay]:
    """The issues of a case, each with when it was the case's."""
    return _stays(connection, _rows(connection, case_id))


def sightings_of(connection: Connection, case_id: int) -> tuple[SightingView, ...]:
    """What a case has of each of its issues, the one that was seen first in front."""
    rows = _rows(connection, case_id)
    stays = _stays(connection, rows)
    named = t.evidence_ref.c
    evidence: dict[UUID, list[Row[Any]]] = {issue_id: [] for issue_id in stays}
    for row in connection.execute(
        select(t.evidence_ref)
        .where(named.issue_id.in_(stays))
        .order_by(named.named_at, named.kind, named.sha256)
    ):
        evidence[row.issue_id].append(row)
    return tuple(
        _sighting_view(row, _of_stay(evidence[row.issue_id], stays[row.issue_id])) for row in rows
    )


def evidence_view(row: Row[Any]) -> EvidenceView:
    """What is known of one picture or clip."""
    return EvidenceView(
        sha256=row.sha256,
        kind=row.kind,
        media_type=row.media_type,
        bytes=row.bytes,
        state=row.state,
        moment=row.moment,
        captured_at=row.captured_at,
    )


def _rows(connection: Connection, case_id: int) -> list[Row[Any]]:
    """The case's sightings, and those that it had before they went on elsewhere."""
    found: list[Row[Any]] = []
    for table in (t.sighting, t.former_sighting):
        found += connection.execute(select(table).where(table.c.case_id == case_id))
    return sorted(found, key=lambda row: (row.first_seen_at, row.issue_id))


def _stays(connection: Connection, rows: Collection[Row[Any]]) -> dict[UUID, Stay]:
    former = t.former_sighting.c
    ids = [row.issue_id for row in rows]
    cuts = connection.execute(
        select(former.issue_id, former.case_id, former.left_at).where(former.issue_id.in_(ids))
    ).all()
    left = {(cut.case_id, cut.issue_id): cut.left_at for cut in cuts}
    stays = {}
    for row in rows:
        left_at = left.get((row.case_id, row.issue_id))
        before = [
            cut.left_at
            for cut in cuts
            if cut.issue_id == row.issue_id and (left_at is None or cut.left_at < left_at)
        ]
        stays[row.issue_id] = Stay(max(before, default=None), left_at)
    return stays


def _of_stay(named: list[Row[Any]], stay: Stay) -> tuple[EvidenceView, ...]:
    """The pictures of a stay; until its first one comes, those from before still tell the place."""
    mine = [row for row in named if stay.holds(row.named_at)]
    known = [row for row in named if Stay(left_at=stay.left_at).holds(row.named_at)]
    return tuple(evidence_view(row) for row in mine or known)


def _sighting_view(row: Row[Any], evidence: tuple[EvidenceView, ...]) -> SightingView:
    x1, y1, x2, y2 = row.box_xyxyn
    return SightingView(
        issue_id=row.issue_id,
        agent_id=row.agent_id,
        camera_id=row.camera_id,
        phase=Phase(row.phase),
        category=Category(row.category),
        revision=row.revision,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        lon=row.lon,
        lat=row.lat,
        error_m=row.error_m,
        box_xyxyn=(x1, y1, x2, y2),
        score=row.score,
        model_name=row.model_name,
        model_sha256=row.model_sha256,
        evidence=evidence,
        linked_because=row.linked_because,
    )
