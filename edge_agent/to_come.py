"""Stills that reports still owe: saved with a camera's issues, so that a restart makes them.

A report never waits for its pictures (promise 8): it is committed at once, and its stills come as
evidence of a later report of the same issue. What is owed is committed in the transaction of the
report that owes it, and struck off in that of the report that names the stills; an agent that is
killed between both makes them from the first look that shows the same.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from contract.messages import Phase, ShownMoment
from edge_agent.errors import StoreError
from edge_agent.issues import Transition

# What these phases report can be seen; an update repeats, and a withdrawal shows nothing.
PICTURED: dict[Phase, ShownMoment] = {Phase.RAISED: "raised", Phase.CLEARED: "cleared"}
# A camera that files more issues at once shows only the newest ones.
ISSUES_MAX = 64
KEY = "to_come"


@dataclass(frozen=True, slots=True)
class ToCome:
    """The last report of an issue that pictures are awaited of, and which still is not made yet.

    A raised still that is owed when the issue clears cannot be made any more: then that of the
    cleared place is owed.
    """

    last: Transition
    still: ShownMoment | None = None


Awaited = Mapping[UUID, ToCome]
_ENTRIES = TypeAdapter(list[ToCome])


def reported(awaited: Awaited, transitions: Iterable[Transition]) -> Awaited:
    """Take reports into account: each that can be seen owes a still, a withdrawn one nothing."""
    book = dict(awaited)
    for one in transitions:
        if (moment := PICTURED.get(one.phase)) is not None:
            book.pop(one.issue_id, None)  # the newest stand last
            book[one.issue_id] = ToCome(one, moment)
        elif one.phase is Phase.WITHDRAWN:
            book.pop(one.issue_id, None)
        elif one.issue_id in book:
            book[one.issue_id] = replace(book[one.issue_id], last=one)
    while len(book) > ISSUES_MAX:
        del book[next(iter(book))]
    return book


def paid(awaited: Awaited, issue_id: UUID, moment: ShownMoment) -> Awaited:
    """Strike a still off that was made, or that never will be."""
    entry = awaited.get(issue_id)
    if entry is None or entry.still != moment:
        return awaited
    return {**awaited, issue_id: replace(entry, still=None)}


def saved_with(state: bytes, awaited: Awaited) -> bytes:
    """Add what is owed to a camera's saved issues, whose reader ignores what it does not know."""
    owed = [entry for entry in awaited.values() if entry.still is not None]
    if not owed:
        return state
    document = json.loads(state) | {KEY: _ENTRIES.dump_python(owed, mode="json")}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def saved_in(state: bytes) -> Awaited:
    """Read what is owed. Raises StoreError when it cannot be read."""
    try:
        entries = _ENTRIES.validate_python(json.loads(state).get(KEY, []), strict=False)
    except (ValueError, ValidationError) as error:
        raise StoreError(f"stills that are owed cannot be read: {error!r}") from None
    return {entry.last.issue_id: entry for entry in entries}
