"""ONNX Runtime's own errors end at its module."""

from pathlib import Path

import pytest

from edge_agent.errors import ModelError
from edge_agent.runtimes import Choice
from edge_agent.runtimes.onnxruntime import OnnxRuntimeSession


def test_bytes_that_are_no_network_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"noise" * 100)
    with pytest.raises(ModelError, match=r"noise.onnx: ONNX Runtime cannot load it"):
        OnnxRuntimeSession(path, Choice())


def test_a_provider_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'abacus' is not known; cpu, cuda, tensorrt, openvino"):
        OnnxRuntimeSession(tmp_path / "any.onnx", Choice(provider="abacus"))
