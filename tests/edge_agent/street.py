"""A street for the issue tests: looks written as lists of (class, box, score)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from contract.catalogue import Category
from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.detections import CLASS_INDEX, Detections
from edge_agent.frames import ArrayPicture, Frame
from edge_agent.issues import CameraIssues, Transition, step
from edge_agent.looks import Look
from edge_agent.policy import Policy
from edge_agent.zones import Box

PICTURE = ArrayPicture(np.zeros((36, 64, 3), np.uint8))
START = Instant(datetime(2026, 11, 21, 4, 0, tzinfo=UTC), 1000.0, "boot-1")
EVERYTHING = frozenset(Category)
Seen = tuple[str, Box, float]


def camera(rules: Mapping[str, Any] | None = None, **rest: Any) -> CameraConfig:
    """A camera whose rules are those of the demo: 8 s of dwell, 6 s of clearing, 0.2 s a look."""
    quick = {"dwell_s": 8, "clear_after_s": 6, "seen_m": 6, "of_n": 8}
    looks = {category.value: {"every_s": 0.2} for category in Category}
    every = {category.value: quick | (rules or {}).get(category, {}) for category in Category}
    document = {"camera": {"id": "cam-01"}, "looks": looks, "rules": every}
    return CameraConfig.model_validate(document | rest)


def policy(rules: Mapping[str, Any] | None = None, **rest: Any) -> Policy:
    return Policy.of(camera(rules, **rest), dict.fromkeys(Category, (0.4, 0.2)))


def detections(boxes: Iterable[Seen]) -> Detections:
    rows = tuple(boxes)
    return Detections(
        np.array([box for _, box, _ in rows], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in rows], np.float32),
        np.array([CLASS_INDEX[name] for name, _, _ in rows], np.int64),
    )


def look(
    boxes: Iterable[Seen],
    at: Instant,
    *,
    judged: frozenset[Category] = EVERYTHING,
    suspended: str | None = None,
    luma: float | None = None,
) -> Look:
    return Look(Frame("cam-01", at, PICTURE), judged, detections(boxes), suspended, luma)


def shifted(box: Box, dx: float, dy: float = 0.0) -> Box:
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


@dataclass
class Street:
    """Runs looks one after another and keeps what was reported."""

    policy: Policy = field(default_factory=policy)
    state: CameraIssues = field(default_factory=lambda: CameraIssues("cam-01"))
    at: Instant = START
    reports: list[Transition] = field(default_factory=list)

    def look(self, boxes: Iterable[Seen] = (), **how: Any) -> tuple[Transition, ...]:
        self.state, transitions = step(self.state, look(boxes, self.at, **how), self.policy)
        self.reports.extend(transitions)
        return transitions

    def watch(self, seconds: float, boxes: Iterable[Seen] = (), **how: Any) -> list[Transition]:
        """Look for so long, each `every_s` (0.2) seconds, at the same boxes."""
        every_s = how.pop("every_s", 0.2)
        before = len(self.reports)
        for _ in range(round(seconds / every_s)):
            self.at = self.at.plus(every_s)
            self.look(boxes, **how)
        return self.reports[before:]

    @property
    def phases(self) -> list[str]:
        return [report.phase.value for report in self.reports]
