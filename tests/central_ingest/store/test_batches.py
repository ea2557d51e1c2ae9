"""Batches: one transaction, a savepoint a message, receipts for all that is held."""

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from central_ingest.cases import CaseState
from central_ingest.errors import NotFound, StoreUnavailable
from central_ingest.intake import Delivery, Readable, Unreadable, read
from central_ingest.receipts import receipt_of
from central_ingest.store import desk
from central_ingest.store import tables as t
from central_ingest.store.batches import _ENOUGH, _shares, file_batch
from central_ingest.store.database import Engine, open_engine, reading, writing
from central_ingest.store.enrolments import Enrolled, put_enrolled
from central_ingest.store.filing import Filing, FilingRules
from central_ingest.store.fleet import list_canaries
from central_ingest.store.pictures import Picture, note_stored
from central_ingest.store.quarantine import discard, list_quarantined, raw_of, requeue
from central_ingest.store.queries import changes_since, get_case, list_cases
from contract import messages
from contract.catalogue import Family
from contract.topics import AgentAddress

EXAMPLES = Path(messages.__file__).parent / "examples"
NOW = datetime(2026, 7, 1, 8, 30, 10, tzinfo=UTC)
OUTBOX = UUID("01980000-0000-7000-8000-00000000beef")
RULES = FilingRules()
MakeMessage = Callable[..., Readable | Unreadable]


def count(engine: Engine, table: Any) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def garbage(body: bytes = b"\x00", seq: int = 9) -> Readable | Unreadable:
    properties = {"outbox-id": str(OUTBOX), "seq": str(seq)}
    return read(Delivery("gridwatch/1/demo/gw-01/issue", body, properties), 1 << 18)


def receipts(engine: Engine, messages: list[Readable | Unreadable]) -> list[Any]:
    told = file_batch(engine, messages, RULES, NOW).told
    return [(outbox[0], receipt_of(outbox, held, NOW)) for outbox, held in told]


def test_one_receipt_tells_all_of_an_outbox(engine: Engine, message: MakeMessage) -> None:
    told = [message(n, north_m=50 * n) for n in (1, 2, 3, 5)] + [garbage(seq=4)]
    ((address, receipt),) = receipts(engine, told)
    assert address.agent_id == "gw-01"
    assert receipt.ranges == ((1, 5),)
    assert [one.seq for one in receipt.quarantined] == [4]
    assert receipt.centre_time == NOW


@given(st.dictionaries(st.sampled_from([*Family, "no reports"]), st.integers(1, 600)))
def test_parts_are_filed_whole_and_with_enough_company(held: dict[str, int]) -> None:
    parts: dict[str, list[Any]] = {n: [(n, at) for at in range(many)] for n, many in held.items()}
    shares = _shares(parts)
    assert sorted(name for names, _ in shares for name in names) == sorted(parts)
    for names, messages_of_share in shares:
        assert messages_of_share == [one for name in names for one in parts[name]]
        assert len(messages_of_share) >= _ENOUGH or len(shares) == 1


@pytest.mark.parametrize("seed", range(8))
def test_what_is_read_briefly_ends_as_what_is_read_whole(
    engine: Engine, migrated: Path, tmp_path: Path, message: MakeMessage,
    monkeypatch: pytest.MonkeyPatch, seed: int,
) -> None:  # fmt: skip
    if engine.dialect.name != "sqlite":
        pytest.skip("compares keys, between which PostgreSQL leaves gaps")
    told = lives(message, random.Random(seed))
    briefly, decide = Counter[bool](), desk._changes_nothing

    def spy(*what: Any) -> bool:
        briefly[found := decide(*what)] += 1
        return found

    monkeypatch.setattr(desk, "_changes_nothing", spy)
    file_by(6, engine, told)
    monkeypatch.setattr(desk, "_changes_nothing", lambda *_: False)
    whole = open_engine(f"sqlite:///{shutil.copy(migrated, tmp_path / 'whole.db')}")
    file_by(6, whole, told)
    assert held(engine) == held(whole)
    assert min(briefly[True], briefly[False]) > 20
    whole.dispose()


def lives(message: MakeMessage, chance: random.Random) -> list[Readable | Unreadable]:
    """Reports of six covers that two cameras see: most say the same again, some change a thing."""
    told = []
    for number in range(2, 16):
        cover, camera = divmod(number, 2)
        changes: dict[str, Any] = {
            "camera_id": f"cam-0{camera + 1}", "north_m": 30 * cover + camera,
            "category": "manhole_damaged", "phase": "raised",
        }  # fmt: skip
        for revision in range(1, 9):
            if revision > 1:
                gone = (revision == 7 and cover == 3) or (revision > 6 and cover == 6)
                changes |= {"phase": "cleared" if gone else "updated"}
            changes["evidence"] = EVIDENCE if revision == 4 else ()
            changes["cells"] = CELLS if revision > 2 * cover % 7 else ()
            if cover % 2 and chance.random() < 0.3:
                changes |= chance.choice(CHANGES)
            seen = {
                "revision": revision, "seq": 100 * number + revision,
                "last_seen_at": f"2026-07-01T08:31:{6 * revision + chance.randrange(6):02d}.000Z",
            }  # fmt: skip
            told.append(message(number, **changes | seen))
    chance.shuffle(told)
    return told


EVIDENCE = json.loads((EXAMPLES / "issue-1.0-raised.json").read_text())["evidence"]
CELLS = ({"code": "340302001001001", "grid_version": "2026-07"},)
CHANGES: tuple[dict[str, Any], ...] = (
    {"phase": "cleared"}, {"category": "manhole_missing"}, {"severity": "urgent"},
    {"position": {"error_m": 0.5}}, {"first_seen_at": "2026-07-01T08:00:00.000Z"},
)  # fmt: skip


def file_by(size: int, engine: Engine, told: list[Readable | Unreadable]) -> None:
    for first in range(0, len(told), size):
        done = file_batch(engine, told[first : first + size], RULES, NOW)
        assert not any(outcome == "quarantined" for _, outcome in done.outcomes)


def held(engine: Engine) -> Any:
    with reading(engine) as connection:
        cases = list_cases(connection, states=CaseState, limit=100)
        details = [get_case(connection, case.case_id) for case in cases]
        return details, changes_since(connection, 0, 1000)


def test_each_agent_is_told_its_own(engine: Engine, message: MakeMessage) -> None:
    told = [message(1), message(2, agent="gw-02", north_m=50)]
    found = {address.agent_id: receipt for address, receipt in receipts(engine, told)}
    assert found["gw-01"].ranges == ((1, 1),)
    assert found["gw-02"].ranges == ((2, 2),)


def test_evidence_that_is_here_is_named(engine: Engine, message: MakeMessage) -> None:
    with writing(engine) as connection:
        note_stored(connection, Picture("e" * 64, "image/jpeg", 81234), "gw-01", NOW)
    ((_, receipt),) = receipts(engine, [message(1)])
    assert receipt.evidence == ("e" * 64,)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_poisoned_message_is_quarantined_alone(
    engine: Engine, message: MakeMessage, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    whole = Filing.take

    def poisoned(filing: Filing, report: Any, body: bytes, digest: str) -> Any:
        outcome = whole(filing, report, body, digest)
        if report.seq == at + 1:
            raise ValueError("poison")
        return outcome

    monkeypatch.setattr(Filing, "take", poisoned)
    told = [message(n, north_m=50 * n) for n in (1, 2, 3)]
    found = [receipt for _, receipt in receipts(engine, told)]
    seqs = {n for r in found for first, last in r.ranges for n in range(first, last + 1)}
    quarantined = [one for receipt in found for one in receipt.quarantined]
    assert seqs == {1, 2, 3}
    assert [(one.seq, "poison" in one.reason) for one in quarantined] == [(at + 1, True)]
    assert (count(engine, t.report), count(engine, t.case), count(engine, t.change)) == (2, 2, 2)


def test_a_database_that_fails_holds_nothing_and_receipts_nothing(
    engine: Engine, message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Filing.take

    def full(filing: Filing, report: Any, body: bytes, digest: str) -> Any:
        if report.seq == 2:
            raise OperationalError("insert", {}, Exception("disk is full"))
        return whole(filing, report, body, digest)

    monkeypatch.setattr(Filing, "take", full)
    with pytest.raises(StoreUnavailable, match="disk is full"):
        file_batch(engine, [message(1), message(2)], RULES, NOW)
    assert count(engine, t.report) == 0


def test_the_same_garbage_is_kept_once_and_receipted_each_time(engine: Engine) -> None:
    for _ in range(3):
        ((_, receipt),) = receipts(engine, [garbage()])
        assert receipt.ranges == ((9, 9),)
    with reading(engine) as connection:
        row = connection.execute(select(t.quarantine)).one()
    assert (row.times, row.raw, row.outbox_id) == (3, b"\x00", OUTBOX)


def test_a_conflict_is_quarantined_and_receipted(engine: Engine, message: MakeMessage) -> None:
    file_batch(engine, [message(1)], RULES, NOW)
    ((_, receipt),) = receipts(engine, [message(1, score=0.1)])
    assert receipt.ranges == ((1, 1),)
    assert "the first one stands" in receipt.quarantined[0].reason


def test_what_is_quarantined_is_listed_newest_first_with_its_bytes(
    engine: Engine, message: MakeMessage
) -> None:
    file_batch(engine, [garbage(), message(1)], RULES, NOW)
    file_batch(engine, [garbage(), message(1, score=0.1)], RULES, NOW)
    with reading(engine) as connection:
        conflict, unread = list_quarantined(connection, 9)
        raw = raw_of(connection, unread.quarantine_id)
    assert (conflict.agent_id, conflict.times) == ("gw-01", 1)
    assert "the first one stands" in conflict.reason
    assert (raw, unread.raw_bytes, unread.times) == (b"\x00", 1, 2)


def test_what_is_discarded_is_gone_and_one_that_is_not_there_discards_none(engine: Engine) -> None:
    file_batch(engine, [garbage()], RULES, NOW)
    refused = pytest.raises(NotFound, match="no such message waits in quarantine: 7, 8")
    with refused, writing(engine) as connection:
        discard(connection, [8, 1, 7])
    assert count(engine, t.quarantine) == 1
    with writing(engine) as connection:
        discard(connection, [1])
    assert count(engine, t.quarantine) == 0


def test_requeue_files_what_can_be_read_now_and_leaves_the_rest(
    engine: Engine, message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ValueError("not yet understood")

    with monkeypatch.context() as patched:
        patched.setattr(Filing, "take", refuse)
        file_batch(engine, [message(1), garbage()], RULES, NOW)
    done = requeue(engine, RULES, 1 << 18, NOW)
    assert (done.filed, done.left) == (1, 1)
    assert count(engine, t.case) == 1
    assert requeue(engine, RULES, 1 << 18, NOW).filed == 0


def test_a_canary_is_receipted_and_becomes_no_case(engine: Engine) -> None:
    body = (EXAMPLES / "canary-1.0.json").read_bytes()
    told = read(Delivery("gridwatch/1/demo/gw-01/issue", body), 1 << 18)
    for _ in range(2):
        filed = file_batch(engine, [told], RULES, NOW)
        assert [one.seqs for _, one in filed.told] == [[42]]
    assert (count(engine, t.case), count(engine, t.report), count(engine, t.quarantine)) == (
        0,
        0,
        0,
    )
    with reading(engine) as connection:
        assert [(one.agent_id, one.received_at) for one in list_canaries(connection)] == [
            ("gw-01", NOW)
        ]


@pytest.mark.parametrize("change", [{"agent_id": "gw-02"}, {"seq": 2**63}, {"made_at": "now"}])
def test_a_canary_that_lies_is_quarantined(engine: Engine, change: dict[str, Any]) -> None:
    body = json.loads((EXAMPLES / "canary-1.0.json").read_text()) | change
    told = read(Delivery("gridwatch/1/demo/gw-01/issue", json.dumps(body).encode()), 1 << 18)
    file_batch(engine, [told], RULES, NOW)
    assert (count(engine, t.canary), count(engine, t.quarantine)) == (0, 1)


def spoken_in(city: str, example: str, leaf: str) -> Readable | Unreadable:
    """A golden message of gw-01, as one of this city."""
    body = json.loads((EXAMPLES / example).read_text())
    if "city" in body:
        body["city"] = city
    delivery = Delivery(f"gridwatch/1/{city}/gw-01/{leaf}", json.dumps(body).encode())
    return read(delivery, 1 << 18)


def enrol(engine: Engine, city: str) -> None:
    with writing(engine) as connection:
        put_enrolled(connection, Enrolled(AgentAddress(city, "gw-01"), None, None, None, NOW))


@pytest.mark.parametrize(
    ("example", "leaf"),
    [
        ("issue-1.0-raised.json", "issue"), ("canary-1.0.json", "issue"),
        ("status-1.0.json", "status"), ("health-1.0.json", "health"),
        ("result-1.0.json", "result"),
    ],
)  # fmt: skip
def test_an_enrolled_agent_that_speaks_in_another_city_is_quarantined_by_name(
    engine: Engine, example: str, leaf: str
) -> None:
    enrol(engine, "demo")
    at_home, abroad = (spoken_in(city, example, leaf) for city in ("demo", "suzhou"))
    done = file_batch(engine, [abroad, at_home], RULES, NOW)
    assert done.outcomes["unreadable", "quarantined"] == 1
    assert done.outcomes.total() == 2
    with reading(engine) as connection:
        row = connection.execute(select(t.quarantine)).one()
    assert "gw-01 is enrolled in city demo, the topic is of suzhou" in row.reason
    told = {address.city: held for (address, _), held in done.told}
    assert set(told) == ({"demo", "suzhou"} if leaf == "issue" else set())
    if leaf == "issue":
        assert list(told["suzhou"].quarantined.values()) == [row.reason]


def test_an_agent_that_is_not_enrolled_is_heard_in_whatever_city(engine: Engine) -> None:
    done = file_batch(engine, [spoken_in("suzhou", "issue-1.0-raised.json", "issue")], RULES, NOW)
    assert done.outcomes == {("raised", "opened"): 1}


def test_what_came_from_another_city_is_filed_once_the_agent_is_enrolled_there(
    engine: Engine,
) -> None:
    enrol(engine, "demo")
    file_batch(engine, [spoken_in("suzhou", "issue-1.0-raised.json", "issue")], RULES, NOW)
    assert requeue(engine, RULES, 1 << 18, NOW).left == 1
    enrol(engine, "suzhou")
    assert requeue(engine, RULES, 1 << 18, NOW).filed == 1
    assert count(engine, t.case) == 1
