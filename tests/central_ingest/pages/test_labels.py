import re
from collections.abc import Mapping

import pytest

from central_ingest.cases import ACTIONS, CaseState, Presence
from central_ingest.pages import answers, labels
from central_ingest.pages.labels import Label
from contract.catalogue import Category
from contract.messages import Phase, Severity

TABLES: list[Mapping[str, Label]] = [
    value for name, value in vars(labels).items() if name.isupper() and isinstance(value, Mapping)
]


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (labels.STATES, tuple(CaseState)),
        (labels.PRESENCES, tuple(Presence)),
        (labels.SEVERITIES, tuple(Severity)),
        (labels.PHASES, tuple(Phase)),
        (labels.ACTIONS, ACTIONS),
        (labels.EVIDENCE_STATES, ("present", "pending", "lost", "none")),
        (labels.CLIP_STATES, ("present", "pending", "lost")),
        (labels.PROPOSALS, ("merge", "void")),
    ],
)
def test_every_code_has_a_label(table: Mapping[str, Label], codes: tuple[str, ...]) -> None:
    assert set(codes) <= set(table)


def test_every_label_says_it_in_chinese_and_in_english() -> None:
    said = [label for table in TABLES for label in table.values()]
    said += [labels.category_label(category) for category in Category]
    said += [labels.SEEN, labels.BEFORE, labels.AFTER, answers.REASON_MISSING]
    assert len(said) > 40
    for label in said:
        assert re.search("[\u4e00-\u9fff]", label.zh), label
        assert re.fullmatch(r"[ -~]+", label.en), label


def test_an_unknown_code_stands_for_itself() -> None:
    assert str(labels.label(labels.STATES, "on_the_moon")) == "on_the_moon on_the_moon"
