"""What people do with which sightings belong together: merge, split, answer a proposal.

Everything is remembered: both cases' histories say who did it, when, why and from where to where;
what was split is never joined again by the centre; and the centre moves no sighting of a case that
people arranged. To be called inside `database.writing`.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import product
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, and_, delete, or_, select, update

from central_ingest.cases import CaseState
from central_ingest.errors import IllegalStep, NotFound, ReasonMissing
from central_ingest.store import tables as t
from central_ingest.store.bulk import insert_rows
from central_ingest.store.desk import Desk, HeldCase, HeldSighting, empty_like
from central_ingest.store.filing import FilingRules
from central_ingest.store.numbers import CaseNumbers
from central_ingest.store.queries import CASE_ID_MAX, decide, get_summary, note_decision
from central_ingest.store.views import CaseSummary, DecisionView
from central_ingest.store.writes import Writes

DISMISSED = "dismissed"
ACCEPTED = "accepted"


class Arranging:
    """One person's change of what belongs together."""

    def __init__(
        self,
        connection: Connection,
        rules: FilingRules,
        who: str,
        reason: str | None,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._who, self._reason, self._now = who, (reason or "").strip() or None, now
        self._desk = Desk(connection, rules.duplicates)
        self._writes = Writes(now)

    def merge(self, case_id: int, into_id: int) -> CaseSummary:
        """Move all sightings of a case into another open one of its family; it is void then.

        Raises NotFound, IllegalStep.
        """
        gone, kept = self._open_cases(case_id, into_id)
        if gone is kept:
            raise IllegalStep("a case cannot be merged with itself")
        if gone.family != kept.family:
            raise IllegalStep(
                f"case {gone.number} is of family {gone.family}, {kept.number} of {kept.family}; "
                "only cases of one family can be one"
            )
        self._forget_split(gone.sightings, kept.sightings)
        said = f"{gone.number} → {kept.number}，{len(gone.sightings)} 处所见 sightings"
        self._move(list(gone.sightings), kept, f"人工合并 merged by {self._who}: {said}")
        gone.state, gone.merged_into = CaseState.VOID.value, kept
        self._finish((gone, kept), "merge", said)
        self._settle(case_id, "merged", between=into_id)
        self._settle(case_id, "case ended")
        return get_summary(self._connection, into_id)

    def split(self, case_id: int, issue_ids: Collection[UUID]) -> CaseSummary:
        """Take some sightings of a case into a new pending one; they are never joined again.

        Raises NotFound, IllegalStep, ReasonMissing.
        """
        if self._reason is None:
            raise ReasonMissing("'split' needs a reason; none was given")
        (case,) = self._open_cases(case_id)
        if strange := set(issue_ids) - {held.issue_id for held in case.sightings}:
            named = ", ".join(sorted(map(str, strange)))
            raise IllegalStep(f"case {case.number} has no sighting of issue {named}")
        taken = [held for held in case.sightings if held.issue_id in issue_ids]
        if not 0 < len(taken) < len(case.sightings):
            raise IllegalStep(
                f"case {case.number} has {len(case.sightings)} sightings; some of them, not all, "
                f"were expected, {len(taken)} were named"
            )
        day = self._now.astimezone(ZoneInfo(self._rules.timezone)).strftime("%Y%m%d")
        numbers = CaseNumbers(self._connection, self._rules.number, self._rules.source, day)
        made = empty_like(case, *numbers.next())
        numbers.write()
        self._desk.cases[made.case_id] = made
        said = f"{case.number} → {made.number}，{len(taken)} 处所见 sightings"
        stay = [held for held in case.sightings if held not in taken]
        self._move(taken, made, f"人工拆分 split by {self._who}: {said}")
        self._keep_apart(taken, stay)
        self._finish((case, made), "split", said)
        return get_summary(self._connection, made.case_id)

    def answer(self, proposal_id: int, *, accept: bool) -> CaseSummary:
        """Do what the centre proposed, or remember that it was wrong.

        A dismissed merge keeps all sightings of the two cases apart. Returns the case that
        remains. Raises NotFound, IllegalStep, ReasonMissing.
        """
        asked = self._proposal(proposal_id)
        self._settle_one(proposal_id, ACCEPTED if accept else DISMISSED)
        if asked.kind == "void":
            return self._answer_void(asked, accept=accept)
        older, newer = sorted((asked.case_id, asked.other_case_id))
        if accept:
            self._reason = self._reason or asked.because
            return self.merge(newer, older)
        one, other = self._open_cases(newer, older)
        self._keep_apart(one.sightings, other.sightings)
        said = f"{one.number} ≠ {other.number}，不再建议 not proposed again"
        self._finish((one, other), "dismiss", said)
        return get_summary(self._connection, asked.case_id)

    def _answer_void(self, asked: Row[tuple[object, ...]], *, accept: bool) -> CaseSummary:
        if accept:
            reason = self._reason or asked.because
            return decide(self._connection, asked.case_id, "void", self._who, reason, self._now)
        (case,) = self._open_cases(asked.case_id)
        self._writes.touch(case, "decided")
        self._writes.write(self._connection, self._desk, self._rules.duplicates)
        self._note(case.case_id, "dismiss", "不作废 not void")
        return get_summary(self._connection, asked.case_id)

    def _open_cases(self, *case_ids: int) -> tuple[HeldCase, ...]:
        self._desk.read_cases(n for n in case_ids if 0 < n <= CASE_ID_MAX)
        for case_id in case_ids:
            case = self._desk.cases.get(case_id)
            if case is None:
                # Without sightings, so it is over; or there is none of this number.
                left = get_summary(self._connection, case_id)
                raise _over(left.number, left.state)
            if not case.open:
                raise _over(case.number, case.state)
        return tuple(self._desk.cases[case_id] for case_id in case_ids)

    def _move(self, sightings: Iterable[HeldSighting], to: HeldCase, because: str) -> None:
        for held in sightings:
            held.case.sightings.remove(held)
            to.sightings.append(held)
            held.case, held.because, held.moved = to, because, True
            self._writes.sightings[held.issue_id.int] = held

    def _finish(self, cases: Iterable[HeldCase], action: str, said: str) -> None:
        for case in cases:
            self._writes.touch(case, "decided")
        self._writes.write(self._connection, self._desk, self._rules.duplicates)
        ids = [case.case_id for case in cases]
        self._connection.execute(
            update(t.case).where(t.case.c.case_id.in_(ids)).values(arranged=True)
        )
        for case_id in ids:
            self._note(case_id, action, said)

    def _note(self, case_id: int, action: str, said: str) -> None:
        made = DecisionView(self._now, self._who, action, self._reason, said)
        note_decision(self._connection, case_id, made)

    def _keep_apart(self, ones: Iterable[HeldSighting], others: Iterable[HeldSighting]) -> None:
        names = ("issue_id", "other_issue_id", "decided_by", "decided_at")
        rows = [
            (*sorted((one.issue_id, other.issue_id)), self._who, self._now)
            for one, other in product(ones, others)
        ]
        insert_rows(self._connection, t.cannot_link, names, rows, keep=True)

    def _forget_split(self, ones: Iterable[HeldSighting], others: Iterable[HeldSighting]) -> None:
        """A person's merge outweighs an earlier split."""
        mine = [held.issue_id for held in ones]
        theirs = [held.issue_id for held in others]
        pair = t.cannot_link.c
        between = or_(
            and_(pair.issue_id.in_(mine), pair.other_issue_id.in_(theirs)),
            and_(pair.issue_id.in_(theirs), pair.other_issue_id.in_(mine)),
        )
        self._connection.execute(delete(t.cannot_link).where(between))

    def _proposal(self, proposal_id: int) -> Row[tuple[object, ...]]:
        query = select(t.proposal).where(t.proposal.c.proposal_id == min(proposal_id, CASE_ID_MAX))
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"there is no proposal {proposal_id}")
        if row.settled_at is not None:
            raise IllegalStep(f"proposal {proposal_id} was answered by {row.settled_by} already")
        return row

    def _settle_one(self, proposal_id: int, outcome: str) -> None:
        self._connection.execute(
            update(t.proposal)
            .where(t.proposal.c.proposal_id == proposal_id)
            .values(settled_at=self._now, settled_by=self._who, outcome=outcome)
        )

    def _settle(self, case_id: int, outcome: str, between: int | None = None) -> None:
        """Answer what is open about a case; between it and another one, where that is named."""
        p = t.proposal.c
        mine = or_(p.case_id == case_id, p.other_case_id == case_id)
        if between is not None:
            mine = and_(mine, or_(p.case_id == between, p.other_case_id == between))
        self._connection.execute(
            update(t.proposal)
            .where(mine, p.settled_at.is_(None))
            .values(settled_at=self._now, settled_by=self._who, outcome=outcome)
        )


def _over(number: str, state: str) -> IllegalStep:
    return IllegalStep(f"case {number} is {state}; only open cases change")
