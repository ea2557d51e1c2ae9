"""OpenVINO gives what ONNX Runtime gives; where it is not installed, that is said in words."""

import builtins
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import ModelError
from edge_agent.model import default_folder, load_card
from edge_agent.runtimes import Choice, open_session


def test_a_missing_openvino_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def without_openvino(name: str, *rest: object) -> object:
        if name == "openvino":
            raise ModuleNotFoundError(name)
        return real_import(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_openvino)
    monkeypatch.delitem(sys.modules, "edge_agent.runtimes.openvino", raising=False)
    with pytest.raises(ModelError, match=r"pip install 'gridwatch\[openvino\]'"):
        open_session(Choice("openvino"), tmp_path / "any.onnx")


def test_both_runtimes_agree_on_the_shipped_model() -> None:
    pytest.importorskip("openvino", reason="the openvino extra is not installed")
    importlib.invalidate_caches()
    try:
        folder = default_folder()
    except ModelError as error:
        pytest.skip(str(error))
    path = folder / load_card(folder).files[0].path
    choices = (Choice(), Choice("openvino"), Choice("openvino", precision="bf16", batch=2))
    sessions = [open_session(choice, path) for choice in choices]
    noise = np.random.default_rng(7).integers(
        0, 255, (1, sessions[0].height, sessions[0].width, 3), np.uint8
    )
    first, *others = (session.infer(noise)[0, :, 4] for session in sessions)
    for other in others:
        assert first == pytest.approx(other, abs=0.03)  # bf16 keeps eight bits


def test_more_pictures_than_a_batch_come_back_one_by_one() -> None:
    pytest.importorskip("openvino", reason="the openvino extra is not installed")
    folder = default_folder()
    path = folder / load_card(folder).files[0].path
    session = open_session(Choice("openvino", batch=2), path)
    pictures = np.random.default_rng(7).integers(
        0, 255, (3, session.height, session.width, 3), np.uint8
    )
    together = session.infer(pictures)
    assert together.shape[0] == 3
    assert together[2] == pytest.approx(session.infer(pictures[2:])[0], abs=1e-3)
