"""State and reports in one transaction, receipts, quota, and what a kill leaves behind."""

import hashlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from contract.messages import EvidenceRef, IssueReport, Phase, Receipt
from edge_agent.errors import StoreError
from edge_agent.ledger import standing
from edge_agent.store import Draft, Evidence, GivenUp, Store, WaitingReport

EXAMPLE = Path(__file__).parents[2] / "contract" / "examples" / "issue-1.0-raised.json"
QUOTA = 10_000_000
T0 = datetime(2026, 7, 1, tzinfo=UTC)


def draft(
    issue: int = 1,
    revision: int = 1,
    phase: Phase = Phase.RAISED,
    padding: str = "",
    *,
    shown: bool = False,
) -> Draft:
    base = IssueReport.model_validate(json.loads(EXAMPLE.read_text()))

    def numbered(outbox_id: UUID, seq: int) -> IssueReport:
        changed = {"issue_id": UUID(int=issue), "revision": revision, "phase": phase}
        model = base.model.model_copy(update={"name": f"m{padding}"})
        named = {"outbox_id": outbox_id, "seq": seq, "model": model}
        named["evidence"] = base.evidence if shown else ()
        return base.model_copy(update=changed | named)

    return numbered


def picture(content: bytes) -> Evidence:
    sha256 = hashlib.sha256(content).hexdigest()
    ref = EvidenceRef(sha256=sha256, kind="still", media_type="image/jpeg", bytes=len(content))
    return Evidence(ref, content)


def receipt(store: Store, *ranges: tuple[int, int], evidence: tuple[str, ...] = ()) -> Receipt:
    return Receipt(
        agent_id="gw-01",
        outbox_id=store.outbox_id,
        ranges=ranges,
        centre_time=T0,
        evidence=evidence,
    )


def seqs(reports: list[WaitingReport]) -> list[int]:
    return [report.seq for report in reports]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, QUOTA) as opened:
        yield opened


def test_state_and_reports_are_there_after_a_restart(tmp_path: Path) -> None:
    with Store(tmp_path, QUOTA) as store:
        outbox_id = store.outbox_id
        store.commit("cam-01", b"state 1", [draft(1), draft(2)])
        reports = store.commit("cam-01", b"state 2", [draft(1, 2, Phase.CLEARED)])
        assert [report.seq for report in reports] == [3]
    with Store(tmp_path, QUOTA) as store:
        assert store.outbox_id == outbox_id
        assert store.states() == {"cam-01": b"state 2"}
        assert sorted(seqs(store.due(0, 10))) == [1, 2, 3]


def test_a_body_is_the_encoded_report_with_its_number(store: Store) -> None:
    store.commit("cam-01", b"", [draft(7)])
    body = json.loads(store.due(0, 1)[0].body)
    assert (body["seq"], body["outbox_id"]) == (1, str(store.outbox_id))
    assert store.outbox_id.version == 7


def test_numbers_are_not_used_again_after_everything_was_receipted(tmp_path: Path) -> None:
    with Store(tmp_path, QUOTA) as store:
        store.commit("cam-01", b"", [draft(1), draft(2)])
        store.settle(receipt(store, (1, 2)))
    with Store(tmp_path, QUOTA) as store:
        assert [report.seq for report in store.commit("cam-01", b"", [draft(3)])] == [3]


def test_a_draft_that_fails_leaves_nothing_behind(store: Store) -> None:
    def broken(_outbox_id: UUID, _seq: int) -> IssueReport:
        raise ValueError("no box")

    store.commit("cam-01", b"before", [draft(1)])
    with pytest.raises(ValueError, match="no box"):
        store.commit("cam-01", b"after", [draft(2), broken], [picture(b"p")])
    assert store.states() == {"cam-01": b"before"}
    assert seqs(store.due(0, 10)) == [1]
    assert store.counts().pictures == 0
    assert [report.seq for report in store.commit("cam-01", b"", [draft(3)])] == [2]


def test_only_a_receipt_removes_a_report(store: Store) -> None:
    store.commit("cam-01", b"", [draft(n) for n in range(5)])
    store.offered([1, 2, 3, 4, 5], again_s=60)
    store.sent([1, 2, 3, 4, 5])
    assert (store.counts().reports, store.counts().sent) == (5, 5)
    assert store.settle(receipt(store, (1, 2), (4, 4))) == [1, 2, 4]
    assert store.settle(receipt(store, (1, 2), (4, 4))) == []
    assert sorted(seqs(store.due(61, 10))) == [3, 5]


def test_a_receipt_for_another_outbox_removes_no_report(store: Store) -> None:
    store.commit("cam-01", b"", [draft(1)])
    other = receipt(store, (1, 1)).model_copy(update={"outbox_id": UUID(int=1)})
    assert store.settle(other) == []
    assert store.counts().reports == 1


def test_what_was_offered_is_due_again_later_or_on_a_new_connection(store: Store) -> None:
    store.commit("cam-01", b"", [draft(1), draft(2)])
    store.offered([1, 2], again_s=160.0)
    assert store.due(159, 10) == []
    assert [report.tries for report in store.due(160, 10)] == [1, 1]
    store.refused([2], again_s=110.0)
    assert seqs(store.due(110, 10)) == [2]
    store.offer_all_again()
    assert len(store.due(0, 10)) == 2


def test_newest_raised_newest_and_oldest_others_share_what_can_be_offered(store: Store) -> None:
    phases = [Phase.RAISED, Phase.UPDATED] * 10
    store.commit("cam-01", b"", [draft(n, 1, phase) for n, phase in enumerate(phases)])
    assert seqs(store.due(0, 4)) == [19, 20, 17, 2]
    assert seqs(store.due(0, 5)) == [19, 20, 17, 2, 15]
    assert sorted(seqs(store.due(0, 99))) == list(range(1, 21))
    store.settle(receipt(store, (5, 20)))
    assert seqs(store.due(0, 10)) == [3, 4, 1, 2]


def test_a_live_report_of_any_kind_is_offered_before_a_backlog(store: Store) -> None:
    store.commit("cam-01", b"", [draft(n, 2, Phase.UPDATED) for n in range(50)])
    store.offered(seqs(store.due(0, 30)), again_s=60)
    store.commit("cam-01", b"", [draft(51, 3, Phase.CLEARED), draft(52)])
    assert set(seqs(store.due(0, 3))) >= {51, 52}


@pytest.mark.parametrize("last", [2**63, 2**70])
def test_a_receipt_for_numbers_beyond_all_bounds_settles_what_there_is(
    store: Store, last: int
) -> None:
    store.commit("cam-01", b"", [draft(1), draft(2)])
    assert store.settle(receipt(store, (2, last), (last, last + 1))) == [2]


def test_a_picture_waits_as_a_file_until_it_is_uploaded(tmp_path: Path, store: Store) -> None:
    store.commit("cam-01", b"", [draft(1)], [picture(b"one"), picture(b"two")])
    waiting = store.next_picture()
    assert waiting is not None
    assert waiting.path.read_bytes() == b"one"
    store.uploaded(waiting.sha256)
    assert not waiting.path.exists()
    assert store.counts().pictures == 1


def test_the_same_picture_twice_is_one(store: Store) -> None:
    for _ in range(2):
        store.commit("cam-01", b"", [], [picture(b"same")])
    assert store.counts().pictures == 1
    assert store.counts().bytes == 4


def test_a_picture_can_be_put_behind_the_others(store: Store) -> None:
    store.commit("cam-01", b"", [], [picture(b"a"), picture(b"b")])
    first = store.next_picture()
    assert first is not None
    store.postpone_picture(first.sha256)
    second = store.next_picture()
    assert second is not None
    assert second.path.read_bytes() == b"b"


def test_a_receipt_settles_pictures_too(store: Store) -> None:
    item = picture(b"held")
    store.commit("cam-01", b"", [], [item])
    store.settle(receipt(store, evidence=(item.ref.sha256,)))
    assert store.next_picture() is None


def test_files_and_rows_are_matched_at_the_start(tmp_path: Path) -> None:
    with Store(tmp_path, QUOTA) as store:
        store.commit("cam-01", b"", [], [picture(b"kept"), picture(b"lost")])
    folder = tmp_path / "evidence"
    (folder / picture(b"lost").ref.sha256).unlink()
    (folder / ("0" * 64)).write_bytes(b"orphan")
    (folder / "half.partial").write_bytes(b"torn")
    with Store(tmp_path, QUOTA) as store:
        assert store.counts().given_up == GivenUp(evidence=1)
        assert [path.name for path in folder.iterdir()] == [picture(b"kept").ref.sha256]


def test_at_the_quota_old_updates_go_first_then_evidence_then_reports(tmp_path: Path) -> None:
    with Store(tmp_path, 20_000) as store:
        store.commit("cam-01", b"", [draft(1)], [picture(b"p" * 8000)])
        updates = [draft(1, n, Phase.UPDATED, "x" * 900) for n in (2, 3, 4, 5)]
        store.commit("cam-01", b"", updates)
        assert store.counts().given_up == GivenUp()
        store.commit("cam-01", b"", [draft(2, 1, Phase.RAISED, "y" * 4000)])
        assert store.counts().given_up == GivenUp(reports=3)  # all but the newest update
        store.commit("cam-01", b"", [draft(3, 1, Phase.RAISED, "z" * 6000)])
        assert store.counts().given_up == GivenUp(reports=3, evidence=1)
        assert len(store.due(0, 9)) == 4
        store.commit("cam-01", b"last", [draft(4, 1, Phase.RAISED, "z" * 12000)])
        assert store.counts().bytes <= 20_000
        assert [json.loads(r.body)["phase"] for r in store.due(0, 9)] == ["raised"]
        assert store.states() == {"cam-01": b"last"}


def test_an_old_update_that_names_pictures_is_not_superseded(tmp_path: Path) -> None:
    with Store(tmp_path, 20_000) as store:
        kinds = [(2, True), (3, False), (4, False)]
        updates = [draft(1, n, Phase.UPDATED, "x" * 3000, shown=shown) for n, shown in kinds]
        store.commit("cam-01", b"", updates)
        store.commit("cam-01", b"", [draft(2, 1, Phase.RAISED, "y" * 7000)])
        left = [json.loads(report.body)["revision"] for report in store.due(0, 9)]
        assert sorted(left) == [1, 2, 4]


def test_a_picture_that_cannot_be_written_does_not_hold_its_report(
    tmp_path: Path, store: Store
) -> None:
    (tmp_path / "evidence").rmdir()
    store.commit("cam-01", b"", [draft(1)], [picture(b"nowhere")])
    assert store.counts().reports == 1
    assert store.counts().given_up == GivenUp(evidence=1)


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    with Store(tmp_path, QUOTA) as store:
        store.commit("cam-01", b"", [draft(n) for n in range(50)])
    path = tmp_path / "agent.db"
    body = bytearray(path.read_bytes())
    body[4096:20_000] = b"\xff" * (20_000 - 4096)
    path.write_bytes(body)
    with pytest.raises(StoreError, match=r"agent\.db: the database is damaged .* move it aside"):
        Store(tmp_path, QUOTA)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "agent.db").write_text("hello " * 1000)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path, QUOTA)


def test_two_agents_cannot_share_a_state_folder(tmp_path: Path, store: Store) -> None:
    with pytest.raises(StoreError, match="another agent is using"):
        Store(tmp_path, QUOTA)


@pytest.mark.parametrize("most_bytes", [0, 4096, 8192])
def test_what_a_full_disk_kept_from_being_opened_can_be_tried_again(
    tmp_path: Path, most_bytes: int
) -> None:
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match="check free disk space"):
                Store(tmp_path, QUOTA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    with Store(tmp_path, QUOTA) as store:
        store.commit("cam-01", b"", [draft(1)])
        assert store.counts().reports == 1


def test_a_forgotten_camera_has_no_state_and_keeps_its_reports(store: Store) -> None:
    store.commit("cam-01", b"state", [draft(1)])
    store.forget_camera("cam-01")
    assert store.states() == {}
    assert store.counts().reports == 1


def test_writes_go_through_to_the_disk(store: Store) -> None:
    modes = [store._conn.execute(f"PRAGMA {name}").fetchone()[0] for name in
             ("journal_mode", "synchronous")]  # fmt: skip
    assert modes == ["wal", 2]


LOOP = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("t", sys.argv[2])
t = importlib.util.module_from_spec(spec)
spec.loader.exec_module(t)
folder = Path(sys.argv[1])
with t.Store(folder, t.QUOTA, ledger=folder / "ledger.jsonl") as store:
    n = int(store.states().get("cam-01", b"0"))
    print("going", flush=True)
    while True:
        n += 1
        drafts = [t.draft(n, 1), t.draft(n, 2, t.Phase.UPDATED)]
        store.commit("cam-01", str(n).encode(), drafts, [t.picture(str(n).encode())])
"""


def test_a_kill_at_any_instant_keeps_state_and_reports_together(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    committed = 0
    ledger = tmp_path / "ledger.jsonl"
    for round_ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(tmp_path), __file__], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        goal = (ledger.stat().st_size if ledger.exists() else 0) + 3000 * (round_ + 1)
        until(lambda goal=goal: ledger.exists() and ledger.stat().st_size > goal, "commits")
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        with Store(tmp_path, QUOTA, ledger=ledger) as store:
            n = int(store.states()["cam-01"])
            assert n > committed
            committed = n
            bodies = [json.loads(report.body) for report in store.due(0, 10**6)]
            assert sorted(body["seq"] for body in bodies) == list(range(1, 2 * n + 1))
            stored = {(UUID(body["issue_id"]), body["revision"]) for body in bodies}
            assert stored == {(UUID(int=i), r) for i in range(1, n + 1) for r in (1, 2)}
            assert stored == standing(ledger)
            assert store.counts().pictures == n
            assert len(list((tmp_path / "evidence").iterdir())) == n
            assert store.counts().given_up == GivenUp()


def test_a_store_that_lost_what_it_had_committed_is_found_by_the_ledger(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with Store(tmp_path, QUOTA, ledger=ledger) as store:
        for n in range(3):
            store.commit("cam-01", b"", [draft(n)])
    with sqlite3.connect(tmp_path / "agent.db") as database:
        database.execute("UPDATE meta SET value = '2' WHERE name = 'next_seq'")
    database.close()
    for _ in range(2):
        with pytest.raises(StoreError, match="lost them"):
            Store(tmp_path, QUOTA, ledger=ledger)
