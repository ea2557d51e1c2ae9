"""Made-up traffic: canonical reports, the mix that was promised, a truth that holds."""

from collections import Counter

from benchmarks.traffic import MIX, Traffic
from central_ingest.parsing import read_quickly
from contract.messages import IssueReport


def test_every_report_is_canonical_and_of_the_contract() -> None:
    traffic = Traffic(5)
    for sent in [*traffic.prefill(20), *(traffic.next() for _ in range(200))]:
        assert read_quickly(sent.body) is not None
        assert IssueReport.model_validate_json(sent.body).seq == sent.seq


def test_the_mix_is_the_promised_one() -> None:
    traffic = Traffic(20)
    list(traffic.prefill(2000))
    before = traffic.truth.problems, traffic.truth.issues, traffic.truth.reports
    sent = [traffic.next() for _ in range(10_000)]
    new = traffic.truth.issues - before[1]
    repeats = len(sent) - (traffic.truth.reports - before[2])
    duplicates = new - (traffic.truth.problems - before[0])
    assert abs(new / len(sent) - MIX["new"]) < 0.02
    assert abs(duplicates / new - 1 / 3) < 0.04
    assert abs(repeats / len(sent) - MIX["repeated"]) < 0.01
    kinds = Counter(one.kind for one in sent)
    assert kinds["updated"] > 12 * kinds["cleared"]


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, other = Traffic(3, seed=4), Traffic(3, seed=4)
    list(one.prefill(10)), list(other.prefill(10))
    assert [one.next().body for _ in range(50)] == [other.next().body for _ in range(50)]
