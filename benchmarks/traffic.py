"""What a city's agents report, made up: the mix, the places and the truth of the ingest benchmark.

Problems lie 20 m apart, so that the truth is known: as many cases as problems, however many
cameras saw each. Of the reports, `MIX` are new issues (a third of them another camera's view of a
problem that is open already), updates, clearings and repeats of what was sent before.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contract.catalogue import Category
from contract.messages import format_utc

MIX: Final = {"new": 0.20, "updated": 0.70, "cleared": 0.05, "repeated": 0.05}
DUPLICATES: Final = 1 / 3
START: Final = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
_APART_M = 20.0
_PER_ROW = 1000
_CAMERAS = 10
_CATEGORIES = tuple(Category)
_RECENT = 2000

_BODY = (
    '{"schema":"issue/1.0","city":"bench","agent_id":"%s","camera_id":"%s","preset_id":null,'
    '"outbox_id":"%s","seq":%d,"issue_id":"%s","revision":%d,"phase":"%s","reason":null,'
    '"reopened":false,"family":"%s","category":"%s","severity":"normal","first_seen_at":"%s",'
    '"last_seen_at":"%s","captured_at":"%s","clock":{"offset_s":0.012,"error_s":0.05,'
    '"synced":true},"frame":{"width":1280,"height":720,"stream":"detect"},'
    '"box_xyxyn":[0.1625,0.6403,0.3055,0.8194],"score":%.3f,"support":{"seen":38,"visible":40,'
    '"window_s":8.0},"position":{"lon":%.7f,"lat":%.7f,"crs":"CGCS2000","error_m":%.1f,'
    '"method":"homography"},"cells":[{"code":"%015d","grid_version":"2026-07"}],"component":null,'
    '"evidence":[%s],"model":{"name":"gridwatch-n","sha256":"' + "a" * 64 + '"},'
    '"config_sha256":"' + "c" * 64 + '"}'
)
_EVIDENCE = '{"sha256":"%064x","kind":"%s","media_type":"image/jpeg","bytes":81234}'


@dataclass(slots=True)
class Issue:
    """One camera's view of one problem, with what its agent says next."""

    issue_id: UUID
    agent: int
    problem: int
    revision: int = 0
    seen_twice: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One report as it travels."""

    agent: int
    seq: int
    kind: str
    body: bytes


@dataclass(slots=True)
class Truth:
    """What the centre must hold once everything has arrived."""

    problems: int = 0
    issues: int = 0
    reports: int = 0


@dataclass(slots=True)
class Traffic:
    """An endless, seeded stream of reports of `agents` agents."""

    agents: int
    seed: int = 1
    truth: Truth = field(default_factory=Truth)
    _random: random.Random = field(init=False)
    _open: list[Issue] = field(default_factory=list)
    _seqs: list[int] = field(init=False)
    _recent: deque[Sent] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 -- made-up traffic
        self._seqs = [0] * self.agents

    def prefill(self, problems: int) -> Iterator[Sent]:
        """First reports of so many problems, each a case of its own."""
        for _ in range(problems):
            yield self._new_problem()

    def next(self, agent: int | None = None) -> Sent:
        """The next report; of this agent where one is named, which then only raises."""
        if agent is not None:
            return self._new_problem(agent)
        chance = self._random.random()
        if chance < MIX["new"] or not self._open:
            alone = self._random.random() >= DUPLICATES
            return self._new_problem() if alone else self._second_view()
        if chance < MIX["new"] + MIX["updated"]:
            return self._say(self._pick(), "updated")
        if chance < 1 - MIX["repeated"]:
            return self._say(self._pick(remove=True), "cleared")
        return self._random.choice(self._recent)

    def outbox(self, agent: int) -> UUID:
        """The outbox of an agent."""
        return UUID(int=(0x01980000 << 96) | (7 << 76) | (2 << 62) | agent)

    def _new_problem(self, agent: int | None = None) -> Sent:
        self.truth.problems += 1
        return self._raise(agent, self.truth.problems)

    def _second_view(self) -> Sent:
        """Another agent's camera sees what is open already; each problem is seen twice at most."""
        for _ in range(20):
            first = self._random.choice(self._open)
            if not first.seen_twice:
                first.seen_twice = True
                return self._raise((first.agent + 1) % self.agents, first.problem, twice=True)
        return self._new_problem()

    def _raise(self, agent: int | None, problem: int, *, twice: bool = False) -> Sent:
        self.truth.issues += 1
        by = self._random.randrange(self.agents) if agent is None else agent
        issue_id = UUID(int=((0x01980000 << 16 | 0x1111) << 80) | (7 << 76) | (2 << 62)
                        | self.truth.issues)  # fmt: skip
        issue = Issue(issue_id, by, problem, seen_twice=twice)
        self._open.append(issue)
        return self._say(issue, "raised")

    def _pick(self, *, remove: bool = False) -> Issue:
        at = self._random.randrange(len(self._open))
        issue = self._open[at]
        if remove:
            self._open[at] = self._open[-1]
            self._open.pop()
        return issue

    def _say(self, issue: Issue, phase: str) -> Sent:
        issue.revision += 1
        self._seqs[issue.agent] += 1
        self.truth.reports += 1
        seq, number = self._seqs[issue.agent], issue.problem
        category = _CATEGORIES[number % len(_CATEGORIES)]
        row, column = divmod(number, _PER_ROW)
        shift_m = 0.4 if issue.seen_twice else 0.0
        seen = format_utc(START + timedelta(seconds=10 + issue.revision))
        evidence = ",".join(
            _EVIDENCE % (issue.issue_id.int << 8 | at, kind)
            for at, kind in enumerate(("still", "still_marked"))
        ) if phase == "raised" else ""  # fmt: skip
        body = _BODY % (
            f"gw-{issue.agent:04d}", f"cam-{number % _CAMERAS}", self.outbox(issue.agent), seq,
            issue.issue_id, issue.revision, phase, category.family.value, category.value,
            "2026-07-01T08:00:00.000Z", seen, seen, 0.5 + (issue.revision % 40) / 100,
            117.0 + column * _APART_M / 93_300, 32.5 + (row * _APART_M + shift_m) / 111_195, 0.5,
            row // 5 * 1000 + column // 5, evidence,
        )  # fmt: skip
        sent = Sent(issue.agent, seq, phase, body.encode())
        self._recent.append(sent)
        return sent
