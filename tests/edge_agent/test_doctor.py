"""The doctor shows what was chosen and why, Chinese first."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from edge_agent import doctor
from edge_agent.doctor import examine
from edge_agent.probing import Chosen, Measured, Probe
from edge_agent.runtimes import Choice

ORT, OV = Choice(streams=2), Choice("openvino", precision="bf16", streams=2)


def printed(chosen: Chosen, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(doctor, "choose", lambda *_, **__: chosen)
    out = StringIO()
    examine(Probe(Path("model")), Path("state"), Console(file=out, width=160))
    return out.getvalue()


def test_every_way_that_was_measured_is_shown_with_what_became_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = Measured(Choice("onnxruntime", "cuda"), 0, fault="no CUDA driver")
    measured = (Measured(ORT, 50), Measured(OV, 90, 0.012), broken)
    text = printed(Chosen(OV, "90 looks/s, the fastest", measured, "2026-01-01"), monkeypatch)
    lines = [line for line in text.splitlines() if "openvino bf16 2×1" in line]
    assert any("选用 chosen" in line and "90" in line for line in lines)
    assert "no CUDA driver" in text
    assert text.index("处理器") < text.index("processor")
    assert "2026-01-01" in text


def test_where_nothing_was_measured_there_is_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(Chosen(ORT, "nothing to choose"), monkeypatch)
    assert "nothing to choose" in text
    assert "测定结果" not in text
