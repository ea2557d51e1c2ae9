"""The golden examples are the contract: both sides' tests read them."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from contract import messages
from contract.messages import IssueReport, Value, encode

EXAMPLES = Path(messages.__file__).parent / "examples"
KINDS: dict[str, type[Value]] = {
    "issue": messages.IssueReport,
    "receipt": messages.Receipt,
    "canary": messages.Canary,
    "status": messages.AgentStatus,
    "health": messages.CameraHealth,
    "command": messages.Command,
    "result": messages.CommandResult,
}
GOLDEN = sorted(EXAMPLES.glob("*.json"))


def raised() -> dict[str, object]:
    loaded: dict[str, object] = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text())
    return loaded


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_example_survives_reading_and_writing(path: Path) -> None:
    message = KINDS[path.stem.split("-")[0]].model_validate_json(path.read_bytes())
    assert json.loads(encode(message)) == json.loads(path.read_text())


def test_every_kind_of_message_has_a_golden_example() -> None:
    assert {path.stem.split("-")[0] for path in GOLDEN} == set(KINDS)


def test_the_same_value_always_gives_the_same_bytes() -> None:
    first = IssueReport.model_validate(raised())
    assert encode(first) == encode(IssueReport.model_validate_json(encode(first)))


def test_a_consumer_keeps_unknown_fields() -> None:
    report = IssueReport.model_validate(raised() | {"weather": "rain"})
    assert report.model_extra == {"weather": "rain"}


def test_a_producer_refuses_unknown_fields_wherever_they_lie() -> None:
    body = raised()
    body["clock"] = {"offset_s": 0.0, "error_s": 0.0, "synced": True, "drift": 1}
    with pytest.raises(ValueError, match=r"clock\.drift"):
        encode(IssueReport.model_validate(body))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"family": "bin"}, "not of family"),
        ({"reason": "suppressed"}, "withdrawn"),
        ({"phase": "withdrawn"}, "withdrawn"),
        ({"phase": "updated", "reopened": True}, "reopened"),
        ({"first_seen_at": "2027-01-01T00:00:00.000Z"}, "after last_seen_at"),
        ({"captured_at": "2026-07-01T08:30:00"}, "zone"),
        ({"box_xyxyn": [0.5, 0.5, 0.5, 0.9]}, "empty"),
        ({"score": float("nan")}, "finite|less than|valid"),
        ({"schema": "issue/2.0"}, "issue/1.0"),
        ({"city": "a/b"}, "pattern"),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(
    change: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        IssueReport.model_validate(raised() | change)
