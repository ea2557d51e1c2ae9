"""The fastest way to run a network is measured once and remembered by model and machine."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent import probing
from edge_agent.errors import ModelError
from edge_agent.machine import Machine
from edge_agent.model import ModelCard
from edge_agent.probing import Measured, Probe, best_of, candidates, choose, measure
from edge_agent.runtimes import Choice

ORT, OV = Choice(streams=2), Choice("openvino", precision="bf16", streams=2)
OV_EXACT = Choice("openvino", streams=2)
HERE = Machine("a processor", 2, 8.0, ("avx2",), {"onnxruntime": "1", "openvino": "1"}, ())


@pytest.mark.parametrize(
    ("measured", "expected", "why"),
    [
        ([Measured(ORT, 50), Measured(OV, 90)], OV, "90 looks/s, the fastest of 2"),
        ([Measured(ORT, 50), Measured(OV, 53)], ORT, "too little to round for"),
        ([Measured(ORT, 50), Measured(OV_EXACT, 53)], OV_EXACT, "53 looks/s"),
        ([Measured(ORT, 50), Measured(OV, 0, fault="no such driver")], ORT, "fastest of 1"),
    ],
)
def test_the_fastest_wins_and_rounding_must_pay(
    measured: list[Measured], expected: Choice, why: str
) -> None:
    chosen = best_of(measured)
    assert chosen.choice == expected
    assert why in chosen.why


def test_where_nothing_works_each_fault_is_told() -> None:
    with pytest.raises(ModelError, match="no such driver"):
        best_of([Measured(OV, 0, fault="no such driver")])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, card: ModelCard) -> list[Probe]:
    """Each time that something was measured."""
    probes: list[Probe] = []

    def measured(probe: Probe) -> list[Measured]:
        probes.append(probe)
        return [Measured(ORT, 50), Measured(OV, 90)]

    monkeypatch.setattr(probing, "_measured", measured)
    monkeypatch.setattr(probing, "load_card", lambda _folder: card)
    monkeypatch.setattr(probing, "this_machine", lambda: HERE)
    return probes


def test_what_was_measured_is_remembered(asked: list[Probe], tmp_path: Path) -> None:
    probe = Probe(tmp_path)
    first = choose(probe, tmp_path / "state")
    assert first == choose(probe, tmp_path / "state")
    assert first.choice == OV
    assert len(asked) == 1
    choose(probe, tmp_path / "state", again=True)
    assert len(asked) == 2


def test_another_machine_or_another_wish_is_measured_anew(
    asked: list[Probe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(Probe(tmp_path), tmp_path)
    choose(Probe(tmp_path, "openvino"), tmp_path)
    other = replace(HERE, processor="another")
    monkeypatch.setattr(probing, "this_machine", lambda: other)
    choose(Probe(tmp_path), tmp_path)
    assert len(asked) == 3
    assert len(json.loads((tmp_path / probing.REMEMBERED).read_text())) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}'])
def test_a_spoilt_memory_is_measured_anew(asked: list[Probe], tmp_path: Path, text: str) -> None:
    (tmp_path / probing.REMEMBERED).write_text(text)
    assert choose(Probe(tmp_path), tmp_path).choice == OV
    assert len(asked) == 1


def test_onnxruntime_on_a_cpu_needs_no_measuring(asked: list[Probe], tmp_path: Path) -> None:
    chosen = choose(Probe(tmp_path, "onnxruntime", lanes=3), tmp_path)
    assert chosen.choice == Choice(streams=3)
    assert not asked


def test_where_only_onnxruntime_is_installed_nothing_is_measured(
    asked: list[Probe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = replace(HERE, runtimes={"onnxruntime": "1"})
    monkeypatch.setattr(probing, "this_machine", lambda: alone)
    assert choose(Probe(tmp_path, lanes=2), tmp_path).choice == ORT
    assert not asked


def test_a_child_that_dies_is_a_fault_and_what_it_said_before_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Done:
        returncode = -11
        stdout = json.dumps(asdict(Measured(OV, 80))) + "\nnoise of a driver\n"
        stderr = ""

    monkeypatch.setattr(probing.subprocess, "run", lambda *_, **__: Done)
    found = list(probing._ask(Probe(tmp_path), "openvino"))
    assert found[0] == Measured(OV, 80)
    assert "ended with -11" in found[1].fault


class Network:
    """A session whose scores are all the same."""

    height, width = 64, 64

    def __init__(self, score: float) -> None:
        self.score = score

    def infer(self, batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 300, 6), self.score, np.float32)


@pytest.mark.parametrize(
    ("score", "fault"), [(0.5, ""), (0.52, ""), (0.7, "differ"), (np.nan, "differ")]
)
def test_a_runtime_whose_scores_are_wrong_is_not_chosen(
    monkeypatch: pytest.MonkeyPatch, score: float, fault: str
) -> None:
    monkeypatch.setattr(probing, "ROUND_S", 0.01)
    monkeypatch.setattr(probing, "open_session", lambda _choice, _path: Network(score))
    measured = measure(Path("any.onnx"), OV, np.full(300, 0.5, np.float32))
    assert fault in measured.fault
    assert bool(measured.fault) == bool(fault)


def test_on_a_cpu_onnxruntime_has_a_lane_a_core_and_takes_single_pictures() -> None:
    assert candidates("onnxruntime", 4)[0] == Choice(streams=4, batch=1)
