"""What one would otherwise use, measured beside us: `ultralytics` predict, ONNX or OpenVINO.

Needs the training extra. Each peer is a process of its own that works only when asked, so that one
measurement disturbs no other. It runs our weights in ultralytics' own export, at its own settings.
"""

import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from edge_agent.model import load_card

CACHE = Path(__file__).parents[1] / ".cache" / "peers"
ARCHITECTURE = "yolo26n.yaml"
SIZE = 640
Kind = Literal["onnx", "openvino"]
KINDS: tuple[Kind, ...] = ("onnx", "openvino")
EXPORTED: dict[Kind, str] = {"onnx": "peer.onnx", "openvino": "peer_openvino_model"}


class PeerError(Exception):
    """A peer cannot be measured; the message says what is missing."""


class Peer:
    """One peer's process; it sleeps until it is asked."""

    def __init__(self, kind: Kind, model: Path, clip: Path) -> None:
        """Start it and wait until it is ready. Raises PeerError."""
        self.name = f"ultralytics {kind} {SIZE}"
        self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [sys.executable, "-m", "benchmarks.peers", kind, str(model), str(clip)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"YOLO_OFFLINE": "1", "YOLO_VERBOSE": "False"},
        )  # fmt: skip
        self._answer("ready")

    def pictures(self, seconds: float) -> float:
        """Predict one 1080p picture again and again; returns pictures a second."""
        return float(self._ask(f"pictures {seconds}")["per_s"])

    def video(self, frames: int) -> float:
        """Predict so many frames of the clip, decoding included; returns frames a second."""
        return float(self._ask(f"video {frames}")["per_s"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, order: str) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 -- a pipe was asked for
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return self._answer(order)

    def _answer(self, order: str) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        _, said = self._process.communicate()
        last = (said.strip().splitlines() or ["nothing was said"])[-1]
        raise PeerError(f"{self.name} ended at {order!r}: {last}; it needs the training extra")


@contextmanager
def peers(model: Path, clip: Path, *, wanted: bool = True) -> Iterator[list[Peer]]:
    """Start both peers where the training extra is installed; none where it is not wanted."""
    running: list[Peer] = []
    try:
        for kind in KINDS if wanted else ():
            running.append(Peer(kind, model, clip))  # noqa: PERF401 -- each must be closed
        yield running
    finally:
        for peer in running:
            peer.close()


# -- in the peer's process


def main(kind: Kind, model: str, clip: str) -> None:
    """Answer each line on standard input with one line of JSON."""
    predictor = _predictor(kind, Path(model))
    picture = next(_frames(clip))
    for _ in range(3):
        predictor.predict(picture, imgsz=SIZE, verbose=False)
    _say({"ready": True})
    for line in sys.stdin:
        order, amount = line.split()
        if order == "pictures":
            _say({"per_s": _pictures(predictor, picture, float(amount))})
        else:
            _say({"per_s": _video(predictor, clip, int(amount))})


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 -- the protocol


def _pictures(predictor: Any, picture: Any, seconds: float) -> float:
    began_s, count = perf_counter(), 0
    while perf_counter() - began_s < seconds:
        predictor.predict(picture, imgsz=SIZE, verbose=False)
        count += 1
    return count / (perf_counter() - began_s)


def _video(predictor: Any, clip: str, frames: int) -> float:
    began_s = perf_counter()
    results = predictor.predict(clip, imgsz=SIZE, verbose=False, stream=True)
    count = sum(1 for _ in islice(results, frames))
    return count / (perf_counter() - began_s)


def _frames(clip: str) -> Iterator[Any]:
    import cv2  # noqa: PLC0415 -- only in the peer's process

    capture = cv2.VideoCapture(clip)
    while (read := capture.read())[0]:
        yield read[1]


def _predictor(kind: Kind, model: Path) -> Any:
    from models.training import toolkit  # noqa: PLC0415 -- torch, only here

    network = toolkit.build_model(ARCHITECTURE, len(load_card(model).classes))
    from ultralytics.models import YOLO  # noqa: PLC0415

    # Some of its paths import torchvision for an NMS that these networks do not have.
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    sha256 = load_card(model).files[0].sha256[:12]
    exported = CACHE / sha256 / EXPORTED[kind]
    if not exported.exists():
        _export(network, kind, model, exported)
    return YOLO(str(exported), task="detect")


def _export(network: Any, kind: Kind, model: Path, target: Path) -> None:
    from ultralytics.models import YOLO  # noqa: PLC0415

    from models.training import toolkit  # noqa: PLC0415

    card = load_card(model)
    toolkit.load_weights(network, model / f"{card.name}.safetensors")
    whole = YOLO(ARCHITECTURE, task="detect")
    target.parent.mkdir(parents=True, exist_ok=True)
    network.names = dict(enumerate(card.classes))
    network.task, network.yaml_file = "detect", ARCHITECTURE
    network.pt_path = str(target.parent / "peer.pt")
    network.args = dict(whole.overrides) | {"imgsz": SIZE, "task": "detect", "data": ""}
    whole.model, whole.ckpt = network, {}
    # With its NMS-free head: ultralytics' fastest.
    whole.export(format=kind, imgsz=SIZE, nms=False, verbose=False)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
