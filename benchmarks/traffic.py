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
from functools import cache
from typing import Final, NamedTuple
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

# A report in pieces, each made as seldom as it changes: of a camera, an issue, a category …
_OF_CAMERA = (
    '{"schema":"issue/1.0","city":"bench","agent_id":"%s","camera_id":"%s","preset_id":null,'
    '"outbox_id":"%s","seq":'
)
_OF_ISSUE = ',"issue_id":"%s","revision":'
_OF_CATEGORY = (
    '","reason":null,"reopened":false,"family":"%s","category":"%s","severity":"normal",'
    '"first_seen_at":"2026-07-01T08:00:00.000Z","last_seen_at":"'
)
_OF_PICTURE = (
    '","clock":{"offset_s":0.012,"error_s":0.05,"synced":true},'
    '"frame":{"width":1280,"height":720,"stream":"detect"},'
    '"box_xyxyn":[0.1625,0.6403,0.3055,0.8194],"score":'
)
_OF_PLACE = (
    ',"support":{"seen":38,"visible":40,"window_s":8.0},"position":{"lon":%.7f,"lat":%.7f,'
    '"crs":"CGCS2000","error_m":%.1f,"method":"homography"},'
    '"cells":[{"code":"%015d","grid_version":"2026-07"}],"component":null,"evidence":['
)
_OF_MODEL = (
    '],"model":{"name":"gridwatch-n","sha256":"' + "a" * 64 + '"},'
    '"config_sha256":"' + "c" * 64 + '"}'
)
_EVIDENCE = '{"sha256":"%064x","kind":"%s","media_type":"image/jpeg","bytes":81234}'


@cache
def _of_category(category: Category) -> str:
    return _OF_CATEGORY % (category.family.value, category.value)


@cache
def _seen(revision: int) -> str:
    return format_utc(START + timedelta(seconds=10 + revision))


@cache
def outbox_of(agent: int) -> UUID:
    """The outbox of an agent."""
    return UUID(int=(0x01980000 << 96) | (7 << 76) | (2 << 62) | agent)


@cache
def _of_camera(agent: int, camera: int) -> str:
    return _OF_CAMERA % (f"gw-{agent:04d}", f"cam-{camera}", outbox_of(agent))


@dataclass(slots=True)
class Issue:
    """One camera's view of one problem, with what its agent says next."""

    issue_id: UUID
    agent: int
    problem: int
    revision: int = 0
    seen_twice: bool = False
    told: tuple[str, str, str, str] = ("", "", "", "")


class Sent(NamedTuple):
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
        self._seqs = [0] * (self.agents + 1)

    def prefill(self, problems: int) -> Iterator[Sent]:
        """First reports of so many problems, each a case of its own."""
        for _ in range(problems):
            yield self._new_problem()

    def next(self, agent: int | None = None) -> Sent:
        """The next report; of this agent where one is named, which then only raises.

        Agent number `agents` is one more than those who report by themselves.
        """
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
        return self._recent[int(self._random.random() * len(self._recent))]

    def _new_problem(self, agent: int | None = None) -> Sent:
        self.truth.problems += 1
        return self._raise(agent, self.truth.problems)

    def _second_view(self) -> Sent:
        """Another agent's camera sees what is open already; each problem is seen twice at most."""
        for _ in range(20):
            first = self._random.choice(self._open)
            if not first.seen_twice:
                first.seen_twice = True
                first.told = _told(first)
                return self._raise((first.agent + 1) % self.agents, first.problem, twice=True)
        return self._new_problem()

    def _raise(self, agent: int | None, problem: int, *, twice: bool = False) -> Sent:
        self.truth.issues += 1
        by = self._random.randrange(self.agents) if agent is None else agent
        issue_id = UUID(int=((0x01980000 << 16 | 0x1111) << 80) | (7 << 76) | (2 << 62)
                        | self.truth.issues)  # fmt: skip
        issue = Issue(issue_id, by, problem, seen_twice=twice)
        issue.told = _told(issue)
        self._open.append(issue)
        return self._say(issue, "raised")

    def _pick(self, *, remove: bool = False) -> Issue:
        at = int(self._random.random() * len(self._open))
        issue = self._open[at]
        if remove:
            self._open[at] = self._open[-1]
            self._open.pop()
        return issue

    def _say(self, issue: Issue, phase: str) -> Sent:
        issue.revision += 1
        agent, revision = issue.agent, issue.revision
        self._seqs[agent] += 1
        self.truth.reports += 1
        seq, seen = self._seqs[agent], _seen(revision)
        of_camera, of_issue, of_category, of_place = issue.told
        evidence = _evidence(issue) if phase == "raised" else ""
        body = (
            f'{of_camera}{seq}{of_issue}{revision},"phase":"{phase}{of_category}{seen}",'
            f'"captured_at":"{seen}{_OF_PICTURE}{0.5 + revision % 40 / 100:.3f}{of_place}'
            f"{evidence}{_OF_MODEL}"
        )
        sent = Sent(agent, seq, phase, body.encode())
        self._recent.append(sent)
        return sent


def _told(issue: Issue) -> tuple[str, str, str, str]:
    """What all reports of an issue say alike."""
    row, column = divmod(issue.problem, _PER_ROW)
    shift_m = 0.4 if issue.seen_twice else 0.0
    place = _OF_PLACE % (
        117.0 + column * _APART_M / 93_300, 32.5 + (row * _APART_M + shift_m) / 111_195, 0.5,
        row // 5 * 1000 + column // 5,
    )  # fmt: skip
    category = _CATEGORIES[issue.problem % len(_CATEGORIES)]
    camera = _of_camera(issue.agent, issue.problem % _CAMERAS)
    return camera, _OF_ISSUE % issue.issue_id, _of_category(category), place


def _evidence(issue: Issue) -> str:
    kinds = enumerate(("still", "still_marked"))
    return ",".join(_EVIDENCE % (issue.issue_id.int << 8 | at, kind) for at, kind in kinds)
