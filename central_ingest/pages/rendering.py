"""Templates → HTML: one Jinja environment, autoescaped, strict about unknown names."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from central_ingest.cases import ACTIONS, OPEN_STATES, CaseState
from central_ingest.pages import labels, times
from central_ingest.pages.assets import TEMPLATES, version_tag
from central_ingest.pages.pictures import pictures_of
from central_ingest.store.views import DecisionView, EvidenceView, SightingView
from contract.catalogue import Category


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab above the list: all open cases, or one state."""

    code: str
    label: labels.Label
    states: tuple[CaseState, ...]

    def total(self, counts: Mapping[CaseState, int]) -> int | None:
        """How many cases stand behind this tab; None where nobody counted (ended cases)."""
        known = [counts[state] for state in self.states if state in counts]
        return sum(known) if known else None


TABS: Final = (
    Tab("open", labels.Label("全部待办", "All open"), OPEN_STATES),
    *(Tab(state, labels.label(labels.STATES, state), (state,)) for state in CaseState),
)


def digest(value: object) -> str:
    """Short digest of what a part of a page shows: equal values have equal digests."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def evidence_of(sightings: Iterable[SightingView]) -> tuple[tuple[EvidenceView, ...], ...]:
    """What the pictures of a case depend on, so that a new time of sighting reloads no picture."""
    return tuple(sighting.evidence for sighting in sightings)


def pictured_first(sightings: Iterable[SightingView]) -> list[SightingView]:
    """Sightings with a picture to show before those without, otherwise in their order."""
    return sorted(sightings, key=lambda sighting: not pictures_of(sighting).before.here)


def last_by_person(decisions: Iterable[DecisionView]) -> DecisionView | None:
    """The newest step that somebody took; None when there was none."""
    steps = [decision for decision in decisions if decision.action in ACTIONS]
    return max(steps, key=lambda decision: decision.at, default=None)


@pass_context
def _local(context: Context, at: datetime) -> str:
    return times.local_text(at, context["zone"], context["now"])


@pass_context
def _full_local(context: Context, at: datetime) -> str:
    return times.full_local_text(at, context["zone"])


@pass_context
def _relative(context: Context, at: datetime) -> labels.Label:
    return times.relative(at, context["now"])


def _label(code: str, table: Mapping[str, labels.Label]) -> labels.Label:
    return labels.label(table, code)


def _grouped(count: int) -> str:
    return f"{count:,}"


_FILTERS: Final[Mapping[str, Any]] = {
    "utc": times.utc_text,
    "local": _local,
    "full_local": _full_local,
    "relative": _relative,
    "label": _label,
    "category_label": labels.category_label,
    "digest": digest,
    "grouped": _grouped,
    "pictures": pictures_of,
    "evidence_of": evidence_of,
    "pictured_first": pictured_first,
    "last_by_person": last_by_person,
}

_GLOBALS: Final[Mapping[str, Any]] = {
    "STATES": labels.STATES,
    "PRESENCES": labels.PRESENCES,
    "SEVERITIES": labels.SEVERITIES,
    "PHASES": labels.PHASES,
    "CAMERA_STATES": labels.CAMERA_STATES,
    "EVIDENCE_STATES": labels.EVIDENCE_STATES,
    "CLIP_STATES": labels.CLIP_STATES,
    "ACTIONS": labels.ACTIONS,
    "PROPOSALS": labels.PROPOSALS,
    "OUTCOMES": labels.OUTCOMES,
    "QUICK_REASONS": labels.QUICK_REASONS,
    "BEFORE": labels.BEFORE,
    "AFTER": labels.AFTER,
    "SEEN": labels.SEEN,
    "categories": tuple(Category),
    "tabs": TABS,
}


def make_environment() -> Environment:
    """The environment of all pages: everything is escaped, an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    environment.globals.update(_GLOBALS, tag=version_tag())
    return environment
