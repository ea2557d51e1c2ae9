"""OpenVINO gives what ONNX Runtime gives; where it is not installed, that is said in words."""

import builtins
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import ModelError
from edge_agent.model import default_folder, load_card
from edge_agent.runtimes import open_session


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
        open_session("openvino", tmp_path / "any.onnx", threads=1)


def test_both_runtimes_agree_on_the_shipped_model() -> None:
    pytest.importorskip("openvino", reason="the openvino extra is not installed")
    importlib.invalidate_caches()
    try:
        folder = default_folder()
    except ModelError as error:
        pytest.skip(str(error))
    path = folder / load_card(folder).files[0].path
    sessions = [open_session(name, path, threads=1) for name in ("onnxruntime", "openvino")]
    noise = np.random.default_rng(7).integers(
        0, 255, (1, sessions[0].height, sessions[0].width, 3), np.uint8
    )
    first, second = (session.infer(noise)[0, :, 4] for session in sessions)
    assert first == pytest.approx(second, abs=0.03)  # bf16 keeps eight bits
