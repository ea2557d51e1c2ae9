"""Quick parsing: the contract is the authority, and both accept the same with the same values."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from central_ingest import parsing
from central_ingest.parsing import (
    QuickCell,
    QuickClock,
    QuickComponent,
    QuickEvidence,
    QuickFrame,
    QuickModel,
    QuickPosition,
    QuickReport,
    QuickSupport,
    read_quickly,
)  # fmt: skip
from contract import messages
from contract.messages import IssueReport

REMEMBERING = (parsing._is_name, parsing._is_code, parsing._is_sha256)
EXAMPLES = Path(messages.__file__).parent / "examples"
RAISED: dict[str, Any] = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text())
RAISED["evidence"][0] |= {"moment": "raised", "captured_at": "2026-07-01T08:30:08.250Z"}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside, containers included."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(found for key, one in inner for found in leaves(one, (*path, key)))]


PATHS = [path for path in leaves(RAISED) if path]
TIMES = ["2026-07-01T08:30:00.1Z", "2026-07-01T08:30:00.0009999Z", "2026-07-01T08:30:00+00:00", "2026-07-01T08:30:00.250",
         "2026-02-30T08:30:00.250Z", "0000-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z",
         "1970-01-01T00:00:00.000Z", "2199-12-31T23:59:59.999Z", "2200-01-01T00:00:00.000Z", "2026-07-01 08:30:00.250Z", "2026-07-01T08:30:60.250Z", "2026-07-01T08:30:00.2499996Z",
         "2026-07-01t08:30:00.250z", "2026-07-01T16:30:00.250+08:00", "2026-07-01T08:30:00.250-00:00", 1782894600]  # fmt: skip
ODD: list[Any] = [None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e-9, 1e308, 2**63, 2**70, "", "1", "x", "a" * 64, "A" * 64, "a" * 64 + "\n",
       "gw-01\n", "raised", "cleared", "withdrawn", "updated", "suppressed", "bin", "bin_overflow", "urgent", [], {}, [1], [0.1, 0.2, 0.3],
       [0.5, 0.5, 0.4, 0.6], [0, 0, 1, 1], "0" * 32, "01980000-1111-7000-8000-0000000000AA", "urn:uuid:01980000-1111-7000-8000-0000000000aa",
       "issue/1.1", "evidence", "GCJ02", "\x00", "路口", *TIMES]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(ODD), st.floats(allow_nan=False), st.integers(-5, 2**64), st.text(max_size=8),
    st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z"),
)  # fmt: skip


def changed(path: tuple[Any, ...], value: Any, *, drop: bool) -> dict[str, Any]:
    body = json.loads(json.dumps(RAISED))
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    if drop and isinstance(inner, dict):
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return dict(body)


def as_contract(body: bytes) -> IssueReport | None:
    try:
        return IssueReport.model_validate_json(body)
    except ValidationError:
        return None


def assert_equal(quick: QuickReport, report: IssueReport) -> None:
    for name in (
        "city", "agent_id", "camera_id", "preset_id", "outbox_id", "seq", "issue_id", "revision", "phase", "reason",
        "reopened", "family", "category", "severity", "first_seen_at", "last_seen_at", "captured_at", "box_xyxyn",
        "score", "config_sha256", "schema_",
    ):  # fmt: skip
        assert getattr(quick, name) == getattr(report, name), name
    for name in ("clock", "frame", "support", "position", "component", "model"):
        assert_same_part(getattr(quick, name), getattr(report, name))
    for name in ("cells", "evidence"):
        for one, other in zip(getattr(quick, name), getattr(report, name), strict=True):
            assert_same_part(one, other)


def assert_same_part(quick: Any, part: Any) -> None:
    if part is None or quick is None:
        assert part is quick
        return
    known = {name: getattr(part, name) for name in type(part).model_fields}
    assert {name: getattr(quick, name) for name in known} == known


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("issue-*.json")))
def test_the_golden_examples_are_read_quickly_and_rightly(name: str) -> None:
    body = (EXAMPLES / name).read_bytes()
    quick = read_quickly(body)
    assert quick is not None
    assert_equal(quick, IssueReport.model_validate_json(body))


def test_every_field_of_the_contract_is_known() -> None:
    for one, other in (
        (IssueReport, QuickReport), (messages.EvidenceRef, QuickEvidence), (messages.Position, QuickPosition),
        (messages.CellRef, QuickCell), (messages.ComponentRef, QuickComponent), (messages.ModelRef, QuickModel),
        (messages.ClockState, QuickClock), (messages.FrameInfo, QuickFrame), (messages.Support, QuickSupport),
    ):  # fmt: skip
        named = {field.alias or name for name, field in one.model_fields.items()}
        assert {field.encode_name for field in msgspec.structs.fields(other)} == named


@given(st.sampled_from(PATHS), VALUES, st.booleans())
def test_what_is_read_quickly_the_contract_reads_the_same(
    path: tuple[Any, ...],
    value: Any,
    drop: bool,  # noqa: FBT001 -- drawn
) -> None:
    body = json.dumps(changed(path, value, drop=drop)).encode()
    quick = read_quickly(body)
    if quick is not None:
        report = as_contract(body)
        assert report is not None
        assert_equal(quick, report)


@pytest.mark.parametrize("path", PATHS)
def test_no_odd_value_anywhere_is_read_in_two_ways(path: tuple[Any, ...]) -> None:
    for value in ODD:
        body = json.dumps(changed(path, value, drop=False)).encode()
        quick = read_quickly(body)
        if quick is not None:
            report = as_contract(body)
            assert report is not None, value
            assert_equal(quick, report)


@pytest.mark.parametrize(
    "path", [("city",), ("agent_id",), ("camera_id",), ("preset_id",), ("config_sha256",), ("model", "sha256"), ("cells", 0, "code")]
)  # fmt: skip
def test_no_long_text_is_remembered(path: tuple[Any, ...]) -> None:
    long = json.dumps(changed(path, "".join(map(str, path)).ljust(70, "a"), drop=False)).encode()
    plain = json.dumps(RAISED).encode()
    assert read_quickly(plain) is not None
    known = [remembers.cache_info().currsize for remembers in REMEMBERING]
    assert read_quickly(long) is None
    assert [remembers.cache_info().currsize for remembers in REMEMBERING] == known


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"[]", b'"x"', b"{", b"[" * 100_000, b"\xef\xbb\xbf{}", b"{}", b"nul", b"\xff" * 9]
)  # fmt: skip
def test_what_is_no_report_is_left_to_the_contract(body: bytes) -> None:
    assert read_quickly(body) is None
