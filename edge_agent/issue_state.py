"""What is remembered about one camera's issues, and the JSON in which it survives a restart."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from contract.catalogue import Category, Family
from contract.messages import Severity
from edge_agent.clock import Instant
from edge_agent.errors import StoreError
from edge_agent.presence import Issue, Occlusion, Place, Tally
from edge_agent.zones import Box

VERSION = 1


@dataclass(frozen=True, slots=True)
class Past:
    """An issue that was cleared and may come back."""

    family: Family
    anchor: Box
    issue: Issue
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class CameraIssues:
    """The places with something on them, and the issues that were cleared not long ago.

    `withheld` counts what would have been raised but for a suppression.
    """

    camera_id: str
    places: tuple[Place, ...] = ()
    past: tuple[Past, ...] = ()
    withheld: int = 0

    @property
    def open_places(self) -> tuple[Place, ...]:
        """The places with an open issue."""
        return tuple(place for place in self.places if place.is_open)

    def to_json(self) -> bytes:
        """Write the state; `from_json` gives back an equal one."""
        document = {
            "version": VERSION,
            "camera_id": self.camera_id,
            "places": [_place_out(place) for place in self.places],
            "past": [_past_out(past) for past in self.past],
            "withheld": self.withheld,
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read a state; unknown keys are ignored, evidence that is absent starts at nothing.

        Raises StoreError when it is not such a state, or one of a later version.
        """
        try:
            document = json.loads(data)
            version = document["version"]
            if version != VERSION:
                raise StoreError(
                    f"issue state of camera {document.get('camera_id')} has version {version}; "
                    f"this agent reads version {VERSION}: run the agent that wrote it"
                )
            return cls(
                document["camera_id"],
                tuple(_place_in(place) for place in document.get("places", ())),
                tuple(_past_in(past) for past in document.get("past", ())),
                int(document.get("withheld", 0)),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"issue state cannot be read: {error!r} in {data[:80]!r}") from error


def _place_out(place: Place) -> dict[str, Any]:
    return {
        "family": place.family,
        "category": place.category,
        "anchor": place.anchor,
        "box": place.box,
        "score": place.score,
        "votes": place.votes,
        "history": "".join("1" if seen else "0" for seen in place.history),
        "standing": _tally_out(place.standing),
        "missing": _tally_out(place.missing),
        "first_seen_at": place.first_seen_at.isoformat(),
        "seen_at": _instant_out(place.seen_at),
        "observed_at": _instant_out(place.observed_at),
        "issue": None if place.issue is None else _issue_out(place.issue),
        "occlusion": None if place.behind is None else _occlusion_out(place.behind),
        "withheld": place.withheld,
    }


def _place_in(data: dict[str, Any]) -> Place:
    category = Category(data["category"])
    score = float(data["score"])
    votes = data.get("votes", [[category, score]])
    seen_at = _instant_in(data["seen_at"])
    issue, behind, box = data.get("issue"), data.get("occlusion"), _box_in(data["box"])
    return Place(
        family=Family(data["family"]),
        category=category,
        anchor=_box_in(data["anchor"]),
        box=box,
        score=score,
        votes=tuple((Category(name), float(vote)) for name, vote in votes),
        history=tuple(seen == "1" for seen in data.get("history", "")),
        standing=_tally_in(data.get("standing")),
        missing=_tally_in(data.get("missing")),
        first_seen_at=datetime.fromisoformat(data["first_seen_at"]),
        seen_at=seen_at,
        observed_at=_instant_in(data["observed_at"]) if "observed_at" in data else seen_at,
        issue=None if issue is None else _issue_in(issue, box),
        behind=None if behind is None else _occlusion_in(behind),
        withheld=bool(data.get("withheld", False)),
    )


def _past_out(past: Past) -> dict[str, Any]:
    return {
        "family": past.family,
        "anchor": past.anchor,
        "issue": _issue_out(past.issue),
        "first_seen_at": past.first_seen_at.isoformat(),
    }


def _past_in(data: dict[str, Any]) -> Past:
    return Past(
        Family(data["family"]),
        _box_in(data["anchor"]),
        _issue_in(data["issue"], _box_in(data["anchor"])),
        datetime.fromisoformat(data["first_seen_at"]),
    )


def _issue_out(issue: Issue) -> dict[str, Any]:
    return {
        "issue_id": str(issue.issue_id),
        "revision": issue.revision,
        "category": issue.category,
        "severity": issue.severity,
        "reported_at": _instant_out(issue.reported_at),
        "box": issue.box,
    }


def _issue_in(data: dict[str, Any], box: Box) -> Issue:
    return Issue(
        UUID(data["issue_id"]),
        int(data["revision"]),
        Category(data["category"]),
        Severity(data["severity"]),
        _instant_in(data["reported_at"]),
        _box_in(data.get("box", box)),
    )


def _occlusion_out(behind: Occlusion) -> list[Any]:
    return [behind.box, behind.looks, _instant_out(behind.since), _instant_out(behind.at)]


def _occlusion_in(data: list[Any]) -> Occlusion:
    box, looks, since, at = data
    return Occlusion(_box_in(box), int(looks), _instant_in(since), _instant_in(at))


def _instant_out(at: Instant) -> list[Any]:
    return [at.utc.isoformat(), at.monotonic_s, at.boot_id]


def _instant_in(data: list[Any]) -> Instant:
    utc, monotonic_s, boot_id = data
    return Instant(datetime.fromisoformat(utc), float(monotonic_s), str(boot_id))


def _tally_out(tally: Tally) -> list[float]:
    return [tally.seen, tally.visible, tally.window_s]


def _tally_in(data: list[float] | None) -> Tally:
    if data is None:
        return Tally()
    seen, visible, window_s = data
    return Tally(int(seen), int(visible), float(window_s))


def _box_in(data: list[float]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in data)
    return x1, y1, x2, y2
