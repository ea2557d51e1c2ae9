"""What the list shows: a filter read from the address, and written back into links. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from central_ingest.cases import OPEN_STATES, CaseState, Presence
from central_ingest.pages.errors import FilterError
from central_ingest.store.views import CaseSummary
from contract.catalogue import Category

VIEW_OPEN: Final = "open"
_CELL = re.compile(r"[0-9A-Z]{1,15}")


@dataclass(frozen=True, slots=True)
class ListFilter:
    """The list's filter: `view` is `open` or one state; None elsewhere means any."""

    view: str = VIEW_OPEN
    category: Category | None = None
    cell: str | None = None
    presence: Presence | None = None

    @property
    def states(self) -> tuple[CaseState, ...]:
        """The states this view covers."""
        return OPEN_STATES if self.view == VIEW_OPEN else (CaseState(self.view),)

    @property
    def narrowed(self) -> bool:
        """Whether anything beyond the view narrows the list."""
        return any((self.category, self.cell, self.presence))

    def matches(self, case: CaseSummary) -> bool:
        """Whether a list with this filter shows the case."""
        return (
            case.state in self.states
            and self.category in {None, case.category}
            and self.cell in {None, case.cell_code}
            and self.presence in {None, case.presence}
        )

    def query(self, **changes: str | None) -> str:
        """The filter as a query string, with some values changed; defaults are left out."""
        values: dict[str, str | None] = {
            "view": None if self.view == VIEW_OPEN else self.view,
            "category": self.category,
            "cell": self.cell,
            "presence": self.presence,
        }
        values |= changes
        return urlencode({key: value for key, value in values.items() if value})


def read_filter(params: Mapping[str, str]) -> ListFilter:
    """Read a filter from an address; empty values mean any.

    Raises FilterError naming the field, what was found and what was expected.
    """
    view = params.get("view") or VIEW_OPEN
    _check("view", view, (VIEW_OPEN, *CaseState))
    presence = params.get("presence") or None
    if presence is not None:
        _check("presence", presence, tuple(Presence))
    category = params.get("category") or None
    if category is not None:
        _check("category", category, tuple(Category))
    return ListFilter(
        view=view,
        category=Category(category) if category else None,
        cell=_read_cell(params.get("cell", "")),
        presence=Presence(presence) if presence else None,
    )


def _read_cell(text: str) -> str | None:
    cell = text.strip().upper()
    if not cell:
        return None
    if not _CELL.fullmatch(cell):
        raise FilterError(f"cell: {text!r} was found, a code of 15 digits and letters was expected")
    return cell


def _check(field: str, found: str, known: tuple[str, ...]) -> None:
    if found not in known:
        raise FilterError(f"{field}: {found!r} was found, one of {', '.join(known)} was expected")
